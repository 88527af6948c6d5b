//! What the administrator of a cluster does, with kubectl as administrators do it.

use std::process::{Command, Stdio};

/// Name of the only node.
const NODE: &str = "doce-node";

/// Replaces the operator's pod and waits until the new one is ready.
pub async fn restart_operator() {
    let operator =
        ["deployment", "--namespace=doce-system", "--selector=app.kubernetes.io/component=operator"];
    kubectl(&[&["rollout", "restart"], &operator[..]].concat()).await;
    kubectl(&[&["rollout", "status", "--timeout=15m"], &operator[..]].concat()).await;
}

/// Runs kubectl to its end, which has to be a good one.
pub async fn kubectl(arguments: &[&str]) -> String {
    let output = tokio::process::Command::new("kubectl").args(arguments).kill_on_drop(true).output().await;
    let output = output.expect("kubectl is among the tools of doce-cluster");
    let words = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(
        output.status.success(),
        "kubectl {arguments:?}: {words} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    words
}

/// The node while it is being drained of the pods of all projects of a name. It takes pods again when this is gone.
pub struct Drain {
    evicting: tokio::task::JoinHandle<String>,
}

impl Drain {
    /// Begins: the node takes no pods any more, and those that are there are evicted, as far and as fast as budgets let.
    pub fn begin(project: &str) -> Self {
        let pods = format!("--pod-selector=doce.dev/project={project},doce.dev/role=app");
        let evicting = tokio::spawn(async move { kubectl(&["drain", NODE, &pods, "--timeout=15m"]).await });
        Self { evicting }
    }

    /// The node takes pods again while the last of the old ones are still being evicted; waits until they are gone.
    pub async fn take_pods_again(mut self) {
        kubectl(&["uncordon", NODE]).await;
        println!("{}", (&mut self.evicting).await.unwrap());
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.evicting.abort();
        let uncordoned = Command::new("kubectl").args(["uncordon", NODE]).stdout(Stdio::null()).status();
        assert!(std::thread::panicking() || uncordoned.is_ok_and(|status| status.success()));
    }
}
