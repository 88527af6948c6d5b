//! An operator as a process of its own, which acts as a user of its own.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_yaml::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::cluster::{Cluster, program};
use super::settings::node_ports;
use super::subject::Subject;
use super::usage::{self, Memory};

/// A running operator. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    /// When it was started.
    pub(crate) started: Instant,
    _kubeconfig: TempDir,
}

impl Program {
    /// Starts the subject's operator, if it has one. Its output goes to the log with this name.
    pub(crate) fn start(cluster: &Cluster, subject: Subject, log: &str) -> Option<Self> {
        let (directory, kubeconfig) = kubeconfig_of(subject.user()?);
        let log = OpenOptions::new().create(true).append(true).open(cluster.log(log)).unwrap();
        let mut command = Command::new(program(subject));
        if subject == Subject::Doce {
            command
                .arg("run")
                .args(["--push-registry", "registry.test:5000", "--operator-image", "operator.test/doce:1"])
                .args(["--probe-address", "127.0.0.1:0"]);
            if let Some((first, last)) = node_ports() {
                command.arg("--port-first").arg(first.to_string()).arg("--port-last").arg(last.to_string());
            }
        }
        // As in the chart.
        command.env("MIMALLOC_ALLOW_THP", "0").env("KUBECONFIG", kubeconfig).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let started = Instant::now();
        Some(Self { child: command.spawn().unwrap(), started, _kubeconfig: directory })
    }

    /// Ends it at once, like `kill -9`.
    pub(crate) async fn kill(mut self) {
        tokio::time::timeout(Duration::from_mins(1), self.child.kill()).await.unwrap().unwrap();
    }

    pub(crate) fn cpu_seconds(&self) -> f64 {
        usage::cpu_seconds(self.pid())
    }

    pub(crate) fn memory(&self) -> Memory {
        usage::memory(self.pid())
    }

    fn pid(&self) -> u32 {
        self.child.id().expect("the operator runs")
    }
}

/// The administrator's kubeconfig, acting as `user`.
fn kubeconfig_of(user: &str) -> (TempDir, PathBuf) {
    let path = std::env::var_os("KUBECONFIG").expect("doce-cluster sets KUBECONFIG");
    let mut config: Value = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    config["users"][0]["user"]["as"] = user.into();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kubeconfig");
    std::fs::write(&path, serde_yaml::to_string(&config).unwrap()).unwrap();
    (directory, path)
}
