//! The cluster's DNS: `CoreDNS` on the bridge.
//! It answers names of the cluster itself and forwards all others to the machine's own resolver.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    process::Command,
    time::Duration,
};

use super::network::ADDRESS;
use crate::{Attempt, ControlPlane, Error, Paths, Supervisor, Tools, ports, probe};

/// Long, because a machine may pause. If the component exits, the wait ends at once.
const START_WITHIN: Duration = Duration::from_mins(10);

/// Starts `CoreDNS` and waits until it has read the cluster's Services.
pub(super) fn start(
    paths: &Paths,
    tools: &Tools,
    supervisor: &mut Supervisor,
    control_plane: &ControlPlane,
) -> Result<(), Error> {
    let [ready] = ports::free(IpAddr::V4(ADDRESS))?;
    let ready = SocketAddr::new(IpAddr::V4(ADDRESS), ready);
    // An administrator's kubeconfig is acceptable: CoreDNS only reads, and no other program uses it.
    let kubeconfig = control_plane.kubeconfig().display();
    let config = paths.component("coredns")?.join("Corefile");
    let text = format!(
        ".:53 {{
    bind {ADDRESS}
    errors
    ready {ready}
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        ttl 5
    }}
    forward . /etc/resolv.conf
    cache 10
}}
"
    );
    fs::write(&config, text).attempt(|| format!("write {}", config.display()))?;
    let mut command = Command::new(tools.path("coredns")?);
    command.arg("-conf").arg(config);
    supervisor.start("coredns", command, START_WITHIN, || probe::http(ready, "/ready"))
}
