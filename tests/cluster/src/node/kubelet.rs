//! Starts kubelet and kube-proxy, and waits until the node is Ready.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    network::{ADDRESS, PODS},
    runtime,
};
use crate::{Attempt, ControlPlane, Error, Paths, Supervisor, Tools, ports, probe};

/// The node's name.
const NODE: &str = "doce-node";
/// Long, because a machine may pause. If the component exits, the wait ends at once.
const START_WITHIN: Duration = Duration::from_mins(10);
const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Starts both and waits until the node is Ready.
pub(super) fn start(
    paths: &Paths,
    tools: &Tools,
    supervisor: &mut Supervisor,
    control_plane: &ControlPlane,
) -> Result<(), Error> {
    let [port] = ports::free(IpAddr::V4(ADDRESS))?;
    let [health, proxy_health, proxy_metrics] = ports::free_except(LOOPBACK, &[port])?;
    let dir = paths.component("kubelet")?;
    let user = format!("system:node:{NODE}");
    let kubeconfig = control_plane.kubeconfig_for("kubelet", &user, Some("system:nodes"))?;
    let config = dir.join("config.json");
    write(&config, &kubelet(paths, control_plane, port, health)?)?;
    let mut command = Command::new(tools.path("kubelet")?);
    command.arg("--config").arg(config).arg("--kubeconfig").arg(kubeconfig);
    command.arg("--root-dir").arg(dir.join("root")).arg("--cert-dir").arg(dir.join("certificates"));
    command.args([format!("--hostname-override={NODE}"), format!("--node-ip={ADDRESS}")]);
    let health = SocketAddr::new(LOOPBACK, health);
    supervisor.start("kubelet", command, START_WITHIN, || probe::http(health, "/healthz"))?;

    let kubeconfig = control_plane.kubeconfig_for("kube-proxy", "system:kube-proxy", None)?;
    let config = paths.component("kube-proxy")?.join("config.json");
    write(&config, &proxy(&kubeconfig, proxy_health, proxy_metrics))?;
    let mut command = Command::new(tools.path("kube-proxy")?);
    command.arg("--config").arg(config);
    let health = SocketAddr::new(LOOPBACK, proxy_health);
    supervisor.start("kube-proxy", command, START_WITHIN, || probe::http(health, "/livez"))?;

    supervisor.wait(&format!("the node {NODE} to be Ready"), START_WITHIN, || {
        let path = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}: {.status.conditions[?(@.type=="Ready")].message}"#;
        let answer = probe::succeeds(control_plane.kubectl().args(["get", "node", NODE, "--output", path]))?;
        if answer.starts_with("True") { Ok(()) } else { Err(answer) }
    })
}

fn kubelet(paths: &Paths, control_plane: &ControlPlane, port: u16, health: u16) -> Result<Value, Error> {
    Ok(json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "port": port,
        "healthzBindAddress": LOOPBACK,
        "healthzPort": health,
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": control_plane.pki().ca()},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": format!("unix://{}", runtime::socket(paths)?.display()),
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": false,
        "failSwapOn": false,
        "clusterDNS": [ADDRESS],
        "clusterDomain": "cluster.local",
        "podLogsDir": paths.component("kubelet/logs")?,
        // The disk of a developer's machine may be fairly full, and that must not evict pods. Not a percentage:
        // 1 % of a large disk is gigabytes.
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "200Mi",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "200Mi",
            "imagefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "maxPods": 250,
        // So that tests and benchmarks of rollouts measure the operator, not the kubelet's rate limit.
        "kubeAPIQPS": 100,
        "kubeAPIBurst": 200,
        "serializeImagePulls": false,
    }))
}

fn proxy(kubeconfig: &Path, health: u16, metrics: u16) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        // The only mode in which node ports answer on 127.0.0.1.
        "mode": "iptables",
        "iptables": {"localhostNodePorts": true, "minSyncPeriod": "100ms"},
        "clientConnection": {"kubeconfig": kubeconfig},
        "clusterCIDR": PODS,
        "hostnameOverride": NODE,
        "bindAddress": ADDRESS,
        "healthzBindAddress": SocketAddr::new(LOOPBACK, health),
        "metricsBindAddress": SocketAddr::new(LOOPBACK, metrics),
        // 0 keeps the machine's own settings.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    })
}

fn write(path: &Path, config: &Value) -> Result<(), Error> {
    fs::write(path, format!("{config:#}\n")).attempt(|| format!("write {}", path.display()))
}
