//! The operator as a separate process, which the test can freeze and resume. It acts as the same user as one in this
//! process.

use std::fs::File;
use std::path::PathBuf;

use serde_yaml::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::World;
use super::setup::GROUP;

/// File with its log.
const LOG: &str = "log";

/// A running process. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    /// Its kubeconfig and its log.
    directory: TempDir,
}

impl Process {
    /// Starts an operator with this name and a Lease of this many seconds.
    pub(crate) fn start(world: &World, name: &str, lease_seconds: u16) -> Self {
        let (directory, kubeconfig) = kubeconfig_of(&world.user(Some(name)), GROUP);
        let child = Command::new(env!("CARGO_BIN_EXE_doce-operator"))
            .arg("run")
            .args(["--namespace", &world.namespace, "--pod-namespace", &world.namespace, "--pod-name", name])
            .args(["--leader-election", "true", "--lease-seconds", &lease_seconds.to_string()])
            .args(["--push-registry", "registry.test:5000", "--operator-image", "operator.test/doce:1"])
            .args(["--probe-address", "127.0.0.1:0"])
            .env("KUBECONFIG", kubeconfig)
            .env("MIMALLOC_ALLOW_THP", "0") // As in the chart.
            .stdout(File::create(directory.path().join(LOG)).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, directory }
    }

    /// Waits until a line of the log is as expected. Returns the lines up to then.
    pub(crate) async fn until_log(
        &self,
        expected: impl Fn(&serde_json::Value) -> bool,
    ) -> Vec<serde_json::Value> {
        let mut lines = vec![];
        let read = tokio::time::timeout(super::PATIENCE, async {
            loop {
                let text = std::fs::read_to_string(self.directory.path().join(LOG)).unwrap();
                // The last line may be half written.
                let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
                lines = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                if lines.iter().any(&expected) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
        assert!(read.await.is_ok(), "timed out waiting for a line of the log, which is {lines:#?}");
        lines
    }

    /// Freezes the process.
    pub(crate) async fn freeze(&self) {
        self.signal("-STOP").await;
    }

    /// Resumes it.
    pub(crate) async fn thaw(&self) {
        self.signal("-CONT").await;
    }

    /// The most resident memory that it has had, in MiB, with the pages of its program.
    pub(crate) fn peak_mib(&self) -> u64 {
        let pid = self.child.id().expect("the process is running");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() / 1024
    }

    async fn signal(&self, signal: &str) {
        let pid = self.child.id().expect("the process is running").to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().await.unwrap().success());
    }
}

/// The kubeconfig of the tests, acting as `user` in this group.
pub(crate) fn kubeconfig_of(user: &str, group: &str) -> (TempDir, PathBuf) {
    let path = std::env::var("KUBECONFIG").expect("doce-cluster sets KUBECONFIG");
    let mut config: Value = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let credentials = &mut config["users"][0]["user"];
    credentials["as"] = user.into();
    credentials["as-groups"] = vec![Value::from(group)].into();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kubeconfig");
    std::fs::write(&path, serde_yaml::to_string(&config).unwrap()).unwrap();
    (directory, path)
}
