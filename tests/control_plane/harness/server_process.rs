//! The HTTP API as a separate process, which a test can kill and measure. It acts as the same user as one in this process.

use std::fs::File;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::api::{Caller, Listens, metric};
use super::process::kubeconfig_of;
use super::setup::SERVERS;
use super::{PATIENCE, World};

/// File with its log.
const LOG: &str = "log";

/// A running server. Dropping it kills it.
pub(crate) struct ServerProcess {
    /// Where it listens.
    pub address: SocketAddr,
    metrics: SocketAddr,
    child: Child,
    /// Its kubeconfig and its log.
    _directory: TempDir,
}

impl Listens for ServerProcess {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl ServerProcess {
    /// Starts a server for the namespace of `world` at this address; port 0 is any.
    pub(crate) async fn start(world: &World, address: SocketAddr) -> Self {
        let user = format!("system:serviceaccount:{}:doce-server", world.namespace);
        let (directory, kubeconfig) = kubeconfig_of(&user, SERVERS);
        let log = directory.path().join(LOG);
        let child = Command::new(env!("CARGO_BIN_EXE_doce-operator"))
            .args(["server", "--address", &address.to_string(), "--metrics-address", "127.0.0.1:0"])
            .args(["--namespace", &world.namespace, "--rate", "10000"])
            .args(["--streams-per-caller", "1000", "--connections", "4000"])
            .env("KUBECONFIG", kubeconfig)
            .env("MIMALLOC_ALLOW_THP", "0") // As in the chart.
            .stdout(File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let listens = async {
            loop {
                let text = std::fs::read_to_string(&log).unwrap();
                let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                let address = |line: &Value, name: &str| line[name].as_str()?.parse::<SocketAddr>().ok();
                let found =
                    lines.find_map(|line| Some((address(&line, "address")?, address(&line, "metrics")?)));
                if let Some(found) = found {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let (address, metrics) = tokio::time::timeout(PATIENCE, listens).await.expect("it listens");
        let server = Self { address, metrics, child, _directory: directory };
        let caller = Caller::new(&server, None);
        let ready = async {
            while !caller.request(Method::GET, "/readyz").send().await.is_ok_and(|it| it.status() == 200) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("the server is ready");
        server
    }

    /// Kills it with SIGKILL and waits for its end.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// The value of a metric with its labels.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        metric(self.metrics, name).await
    }

    /// Its resident memory in KiB, without the pages of its program.
    pub(crate) fn memory(&self) -> u64 {
        let pid = self.child.id().expect("the process is running");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        anonymous.trim().trim_end_matches("kB").trim().parse().unwrap()
    }
}
