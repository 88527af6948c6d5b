//! A user at a terminal or in a script: a `ServiceAccount` with the `ClusterRole` `edit` in the namespace of the test.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;
use serde_yaml::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::harness::Namespaced;
use crate::harness::namespaced::PAUSE;

/// Name of the account.
const NAME: &str = "developer";

/// The user with a kubeconfig.
pub(crate) struct User {
    directory: TempDir,
}

/// What the program printed, and its exit code.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output of a command that must end with this code.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Standard output and standard error contain all these words.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) -> &Self {
        for word in words {
            let there = self.out.contains(word) || self.err.contains(word);
            assert!(there, "{word:?} is not in\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        }
        self
    }
}

impl User {
    /// Creates the account, its rights and its kubeconfig.
    pub(crate) async fn of(world: &Namespaced) -> Self {
        world.try_apply_object::<ServiceAccount>(NAME, json!({})).await.unwrap();
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": NAME },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit" },
            "subjects": [{ "kind": "ServiceAccount", "name": NAME, "namespace": world.namespace }],
        });
        let force = PatchParams::apply("test").force();
        world.api::<RoleBinding>().patch(NAME, &force, &Patch::Apply(binding)).await.unwrap();
        let request: TokenRequest = serde_json::from_value(json!({ "spec": { "audiences": [] } })).unwrap();
        let accounts = world.api::<ServiceAccount>();
        let token = accounts.create_token_request(NAME, &PostParams::default(), &request).await.unwrap();
        let user = Self { directory: tempfile::tempdir().unwrap() };
        user.write_kubeconfig(&world.namespace, &token.status.unwrap().token);
        // The chart's rights enter the ClusterRole edit a moment after its installation.
        while user.doce(&["list"]).await.code != 0 {
            tokio::time::sleep(PAUSE).await;
        }
        user
    }

    fn write_kubeconfig(&self, namespace: &str, token: &str) {
        let path = std::env::var("KUBECONFIG").expect("doce-cluster sets KUBECONFIG");
        let mut config: Value = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let user: Value = serde_yaml::to_value(json!({ "token": token })).unwrap();
        config["users"][0]["user"] = user;
        config["contexts"][0]["context"]["namespace"] = namespace.into();
        std::fs::write(self.path("kubeconfig"), serde_yaml::to_string(&config).unwrap()).unwrap();
    }

    /// A file in the directory of the user.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file in the directory of the user.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    /// The program with these arguments, without a terminal.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_kubectl-doce"), arguments)
    }

    /// A client with the rights of the user.
    pub(crate) async fn client(&self) -> Client {
        let file = Kubeconfig::read_from(self.path("kubeconfig")).unwrap();
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
        Client::try_from(config).unwrap()
    }

    /// A line for a shell that finds the plugin as kubectl does.
    pub(crate) fn shell(&self, line: &str) -> Command {
        let plugins = Path::new(env!("CARGO_BIN_EXE_kubectl-doce")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = self.program("sh", &["-c", line]);
        command.env("PATH", format!("{}:{path}", plugins.display()));
        command
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(name);
        command.args(arguments).env("KUBECONFIG", self.path("kubeconfig")).current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs the program.
    pub(crate) async fn doce(&self, arguments: &[&str]) -> Said {
        let said = Said::of(&self.command(arguments).output().await.unwrap());
        println!("$ kubectl doce {}\n{}{}[exit {}]", arguments.join(" "), said.out, said.err, said.code);
        said
    }

    /// Runs the program on a terminal of 120 columns, where a person types this. Everything is in `out`.
    pub(crate) async fn types(&self, line: &str, input: &str) -> Said {
        let line = format!("stty cols 120; exec {} {line}", env!("CARGO_BIN_EXE_kubectl-doce"));
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        command
            .env("KUBECONFIG", self.path("kubeconfig"))
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("util-linux has script");
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        drop(stdin); // Its end would end the terminal.
        let said = Said::of(&output);
        println!("$ kubectl doce {line}\n{}{}[exit {}]", said.out, said.err, said.code);
        said
    }

    /// Its directory.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}
