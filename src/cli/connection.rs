//! Which cluster, user and namespace a command uses: the flags and files of kubectl.

use clap::Args;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::failure::Failure;

/// The flags that every command has.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connection {
    /// Namespace. Default: that of the context.
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    pub(super) namespace: Option<String>,
    /// Context of the kubeconfig.
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) context: Option<String>,
    /// Path of the kubeconfig. Default: the variable KUBECONFIG, else ~/.kube/config.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) kubeconfig: Option<String>,
}

impl Connection {
    /// The flags with which a suggested command acts on the same namespace of the same cluster.
    #[must_use]
    pub(super) fn flags(&self, namespace: &str) -> String {
        let context = self.context.iter().map(|name| format!(" --context {}", quoted(name)));
        let file = self.kubeconfig.iter().map(|path| format!(" --kubeconfig {}", quoted(path)));
        let rest: String = context.chain(file).collect();
        format!("-n {}{rest}", quoted(namespace))
    }

    /// The settings of the client.
    pub(super) async fn config(&self) -> Result<Config, Failure> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let broken = |error: &dyn std::fmt::Display| {
            Failure::error(format!(
                "cannot use the kubeconfig: {error}. Name another one with --kubeconfig or --context; kubectl config get-contexts lists the contexts"
            ))
        };
        let mut config = match (&self.kubeconfig, &self.context) {
            (Some(path), _) => {
                let file = Kubeconfig::read_from(path).map_err(|error| broken(&error))?;
                Config::from_custom_kubeconfig(file, &options).await.map_err(|error| broken(&error))?
            }
            (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(|error| broken(&error))?,
            // Without a kubeconfig, the account of the pod that this runs in.
            (None, None) => Config::infer().await.map_err(|error| broken(&error))?,
        };
        if let Some(namespace) = &self.namespace {
            config.default_namespace.clone_from(namespace);
        }
        Ok(config)
    }
}

/// The text as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:@%+=,".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggested_commands_name_the_namespace_and_the_cluster_of_the_command() {
        let flags = |context: Option<&str>, kubeconfig: Option<&str>| {
            let (context, kubeconfig) = (context.map(str::to_owned), kubeconfig.map(str::to_owned));
            Connection { namespace: None, context, kubeconfig }.flags("team")
        };
        assert_eq!(flags(None, None), "-n team");
        assert_eq!(flags(Some("admin@prod"), None), "-n team --context admin@prod");
        let both = flags(Some("my prod"), Some("/home/o'neil/config"));
        assert_eq!(both, r"-n team --context 'my prod' --kubeconfig '/home/o'\''neil/config'");
    }
}
