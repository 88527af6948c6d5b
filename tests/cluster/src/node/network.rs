//! The node's bridge, which connects pods, the API server and the node's own servers.
//! It starts no process and removes only the interface that it created.

use std::{fs, io, net::Ipv4Addr, path::Path, process::Command};

use super::{before::Before, firewall};
use crate::{Attempt, Error, Paths, error::run, probe};

/// The bridge's address, on which the API server listens in mode node.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 117, 0, 1);
/// The name of the bridge. It is fixed, so only one node can run on a machine at a time.
pub(super) const BRIDGE: &str = "doce0";
/// All addresses of the bridge.
pub(super) const PODS: &str = "10.117.0.0/16";
/// The first address of a pod. Lower addresses belong to the node.
pub(super) const FIRST_POD: Ipv4Addr = Ipv4Addr::new(10, 117, 1, 0);

/// Records the state of the machine and creates the bridge. Runs before the control plane starts.
pub fn up(paths: &Paths) -> Result<(), Error> {
    if is_there() {
        let why = "it exists: another cluster in mode node runs here; take that one down in its directory";
        return Err(Error::failed(format!("create the bridge {BRIDGE}"), why));
    }
    Before::record(paths)?;
    ip(&["link", "add", BRIDGE, "type", "bridge"])?;
    ip(&["address", "add", &format!("{ADDRESS}/16"), "dev", BRIDGE])?;
    ip(&["link", "set", BRIDGE, "up"])?;
    forward()?;
    firewall::up()
}

/// Removes the bridge. Interfaces of pods disappear with their pods.
pub(super) fn down() -> Result<(), Error> {
    if is_there() { ip(&["link", "delete", BRIDGE]) } else { Ok(()) }
}

/// Succeeds if no interface of a pod is left on the bridge. The error says how many are.
pub(super) fn is_empty() -> Result<(), String> {
    let path = format!("/sys/class/net/{BRIDGE}/brif");
    let left = fs::read_dir(path).map_or(0, Iterator::count);
    if left == 0 { Ok(()) } else { Err(format!("{left} interfaces of pods are still on {BRIDGE}")) }
}

fn is_there() -> bool {
    Path::new("/sys/class/net").join(BRIDGE).exists()
}

fn ip(arguments: &[&str]) -> Result<(), Error> {
    run(Command::new("ip").args(arguments), &format!("run ip {} (as root)", arguments.join(" "))).map(drop)
}

/// Forwards packets between pods and other networks, and sends packets between pods through the packet filter. Without
/// the latter, an answer from a Service would reach the client pod from the wrong address.
fn forward() -> Result<(), Error> {
    let bridged = Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables");
    if !bridged.exists() {
        probe::succeeds(Command::new("modprobe").arg("br_netfilter"))
            .map_err(|error| Error::failed("load the kernel module br_netfilter", error))?;
    }
    for path in [bridged, Path::new("/proc/sys/net/ipv4/ip_forward")] {
        write(path).attempt(|| format!("write 1 to {}", path.display()))?;
    }
    Ok(())
}

fn write(path: &Path) -> io::Result<()> {
    if fs::read_to_string(path)?.trim() == "1" { Ok(()) } else { fs::write(path, "1") }
}
