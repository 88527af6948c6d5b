//! Tasks of a cluster administrator, with kubectl.

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

/// Runs kubectl, which must succeed.
pub async fn kubectl(arguments: &[&str]) -> String {
    let output = tokio::process::Command::new("kubectl").args(arguments).kill_on_drop(true).output().await;
    let output = output.expect("doce-cluster provides kubectl");
    let words = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(
        output.status.success(),
        "kubectl {arguments:?}: {words} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    words
}

/// A node that is drained of the pods of all projects with a name. It accepts pods again when this is dropped.
pub struct Drain {
    evicting: tokio::task::JoinHandle<String>,
}

impl Drain {
    /// Starts the drain: the node accepts no pods, and its pods are evicted as fast as their budgets allow.
    pub fn begin(project: &str) -> Self {
        let pods = format!("--pod-selector=doce.dev/project={project},doce.dev/role=app");
        let evicting = tokio::spawn(async move { kubectl(&["drain", NODE, &pods, "--timeout=15m"]).await });
        Self { evicting }
    }

    /// Accepts pods again while the last old ones are still being evicted. Waits until those are gone.
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
