//! The node's bridge, on which pods, the API server and the node's own servers meet.
//! It starts no process, and it removes only an interface that it made.

use std::{fs, io, net::Ipv4Addr, path::Path, process::Command};

use super::{before::Before, firewall};
use crate::{Attempt, Error, Paths, error::run, probe};

/// The bridge's address, on which the API server listens in mode node.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 117, 0, 1);
/// Its name; there can be one of it, so one node runs on a machine at a time.
pub(super) const BRIDGE: &str = "doce0";
/// All addresses of the bridge.
pub(super) const PODS: &str = "10.117.0.0/16";
/// The first address of a pod: those below are the node's.
pub(super) const FIRST_POD: Ipv4Addr = Ipv4Addr::new(10, 117, 1, 0);

/// Records what the machine is like, and makes the bridge. Comes before the control plane.
pub fn up(paths: &Paths) -> Result<(), Error> {
    if is_there() {
        let why = "it is there already: another cluster in mode node runs here; take it down in its own directory first";
        return Err(Error::failed(format!("make the bridge {BRIDGE}"), why));
    }
    Before::record(paths)?;
    ip(&["link", "add", BRIDGE, "type", "bridge"])?;
    ip(&["address", "add", &format!("{ADDRESS}/16"), "dev", BRIDGE])?;
    ip(&["link", "set", BRIDGE, "up"])?;
    forward()?;
    firewall::up()
}

/// Removes the bridge. Interfaces of pods vanish with their pods.
pub(super) fn down() -> Result<(), Error> {
    if is_there() { ip(&["link", "delete", BRIDGE]) } else { Ok(()) }
}

/// No interface of a pod is left on the bridge, or says how many are.
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

/// Lets packets pass between pods and the world, and through the packet filter on their way from pod to pod: without
/// the latter an answer to a Service's address would reach the asking pod from the wrong one.
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
