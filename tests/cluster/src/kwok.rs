//! The simulated node of mode control-plane: kwok simulates it and its pods, as `config/stages.yaml` defines.
//! It runs no containers. The pod of a Job ends only when a test writes that into its status.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
    time::Duration,
};

use serde_json::json;

use crate::{Attempt, ControlPlane, Error, Paths, Supervisor, Tools, error::run, ports, probe};

/// The node's name.
const NODE: &str = "node-1";
/// Long, because a machine may pause. If the component exits, the wait ends at once.
const START_WITHIN: Duration = Duration::from_mins(10);

/// Starts kwok, adds the node, and waits until the node is Ready.
pub fn start(
    paths: &Paths,
    tools: &Tools,
    supervisor: &mut Supervisor,
    control_plane: &ControlPlane,
) -> Result<(), Error> {
    let dir = paths.component("kwok")?;
    let config = dir.join("kwok.yaml");
    let text = format!("{}---\n{}\n", include_str!("../config/stages.yaml"), pod_logs(&dir)?);
    fs::write(&config, text).attempt(|| format!("write {}", config.display()))?;
    let kubeconfig = control_plane.kubeconfig_for("kwok", "kwok", Some("system:masters"))?;
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let [port] = ports::free(loopback)?;
    let address = SocketAddr::new(loopback, port);
    add_node(&dir, control_plane)?;

    let mut command = Command::new(tools.path("kwok")?);
    command
        // kwok reads defaults from the home directory, and those are not pinned here.
        .env("HOME", &dir)
        .arg(format!("--config={}", config.display()))
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg(format!("--manage-single-node={NODE}"))
        .arg("--cidr=10.119.0.1/16")
        .arg(format!("--node-ip={loopback}"))
        .arg(format!("--node-port={port}"))
        .arg("--node-lease-duration-seconds=40")
        .arg(format!("--server-address={address}"));
    supervisor.start("kwok", command, START_WITHIN, || probe::http(address, "/healthz"))?;
    supervisor.wait(&format!("node {NODE} to be Ready"), START_WITHIN, || node_ready(control_plane))
}

/// The log that `kubectl logs` prints for every container. Tests may write to the file.
fn pod_logs(dir: &Path) -> Result<String, Error> {
    let path = dir.join("pods.log");
    // The format of container logs that the kubelet reads.
    let line = "2020-01-01T00:00:00Z stdout F this container is simulated by kwok\n";
    fs::write(&path, line).attempt(|| format!("write {}", path.display()))?;
    let logs = json!({
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterLogs",
        "metadata": {"name": "pods"},
        "spec": {"logs": [{"logsFile": path, "previousLogsFile": path}]},
    });
    Ok(logs.to_string())
}

fn add_node(dir: &Path, control_plane: &ControlPlane) -> Result<(), Error> {
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": NODE,
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
                "kubernetes.io/hostname": NODE,
            },
        },
    });
    let path = dir.join("node.json");
    fs::write(&path, node.to_string()).attempt(|| format!("write {}", path.display()))?;
    run(control_plane.kubectl().args(["apply", "--filename"]).arg(&path), &format!("add the node {NODE}"))
        .map(drop)
}

/// The node is Ready and accepts pods.
fn node_ready(control_plane: &ControlPlane) -> Result<(), String> {
    let path = r#"--output=jsonpath={.status.conditions[?(@.type=="Ready")].status} {.spec.taints}"#;
    let seen = probe::succeeds(control_plane.kubectl().args(["get", "node", NODE, path]))?;
    // A new node has a taint, which the controller manager removes once the node is Ready.
    if seen.trim() == "True" { Ok(()) } else { Err(format!("its Ready condition and taints are: {seen}")) }
}
