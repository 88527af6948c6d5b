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
