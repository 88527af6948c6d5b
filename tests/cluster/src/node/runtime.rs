//! Starts containerd, with its own socket, state and network configuration in the cluster's directory.
//! It does not touch the machine's own containerd.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use serde_json::json;

use super::network::{ADDRESS, BRIDGE, FIRST_POD, PODS};
use crate::{Attempt, Error, Paths, Supervisor, probe, progress};

/// Long, because a machine may pause. If the component exits, the wait ends at once.
const START_WITHIN: Duration = Duration::from_mins(10);
/// The directory of the CNI plugins in Debian's package.
const PLUGINS: &str = "/usr/lib/cni";

/// The socket on which containerd listens.
pub(super) fn socket(paths: &Paths) -> Result<PathBuf, Error> {
    Ok(paths.component("containerd")?.join("containerd.sock"))
}

/// The configuration of registries: one directory each, named by host and port. containerd reads it at every pull.
pub(super) fn registries(paths: &Paths) -> Result<PathBuf, Error> {
    paths.component("containerd/registries")
}

/// Starts containerd. It pulls images of `registries` only from `mirror`.
pub(super) fn start(
    paths: &Paths,
    supervisor: &mut Supervisor,
    pause_image: &str,
    registries: &BTreeSet<String>,
    mirror: SocketAddr,
) -> Result<(), Error> {
    let dir = paths.component("containerd")?;
    let networks = paths.component("containerd/networks")?;
    write(&networks.join("10-doce.conflist"), &format!("{:#}", network(&dir)))?;
    // The mirror is also the server. Otherwise containerd would fall back to the registry itself.
    let hosts_toml = format!(
        "server = \"http://{mirror}\"\n[host.\"http://{mirror}\"]\ncapabilities = [\"pull\", \"resolve\"]\n"
    );
    for registry in registries {
        let hosts = paths.component(&format!("containerd/registries/{registry}"))?.join("hosts.toml");
        write(&hosts, &hosts_toml)?;
    }
    let socket = socket(paths)?;
    let config = dir.join("config.toml");
    let settings = toml::to_string(&settings(&dir, &socket, pause_image, snapshotter(&dir)?))
        .map_err(|error| Error::failed("write the configuration of containerd", error))?;
    write(&config, &settings)?;
    let mut command = Command::new("containerd");
    command.arg("--config").arg(config);
    supervisor.start("containerd", command, START_WITHIN, || {
        probe::succeeds(Command::new("ctr").arg("--address").arg(&socket).arg("version")).map(drop)
    })
}

fn settings(dir: &Path, socket: &Path, pause_image: &str, snapshotter: &str) -> serde_json::Value {
    json!({
        "version": 2,
        "root": dir.join("root"),
        "state": dir.join("state"),
        "grpc": {"address": socket},
        "plugins": {"io.containerd.grpc.v1.cri": {
            // Without CAP_SYS_RESOURCE, the kernel rejects a score below the current one, and no container would start.
            "restrict_oom_score_adj": true,
            "netns_mounts_under_state_dir": true,
            "sandbox_image": pause_image,
            "cni": {"bin_dir": PLUGINS, "conf_dir": dir.join("networks")},
            "containerd": {
                "snapshotter": snapshotter,
                "default_runtime_name": "runc",
                "runtimes": {"runc": {"runtime_type": "io.containerd.runc.v2"}},
            },
            "registry": {"config_path": dir.join("registries")},
        }},
    })
}

fn network(dir: &Path) -> serde_json::Value {
    let range = json!({"subnet": PODS, "rangeStart": FIRST_POD, "gateway": ADDRESS});
    json!({
        "cniVersion": "1.0.0",
        "name": "doce",
        "plugins": [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                // Lets a pod reach itself through its Service.
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": dir.join("addresses"),
                    "ranges": [[range]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
}

/// `overlayfs` if the kernel supports it on the file system of the cluster's directory, else `native`, which copies.
fn snapshotter(dir: &Path) -> Result<&'static str, Error> {
    let trial = dir.join("overlay-trial");
    for name in ["lower", "upper", "work", "merged"] {
        let path = trial.join(name);
        fs::create_dir_all(&path).attempt(|| format!("create {}", path.display()))?;
    }
    let at = |name: &str| trial.join(name).display().to_string();
    let options = format!("lowerdir={},upperdir={},workdir={}", at("lower"), at("upper"), at("work"));
    let options =
        std::ffi::CString::new(options).map_err(|error| Error::failed("try an overlay mount", error))?;
    let merged = trial.join("merged");
    let works = mount("overlay", &merged, "overlay", MountFlags::empty(), Some(options.as_c_str())).is_ok();
    if works {
        unmount(&merged, UnmountFlags::empty()).attempt(|| format!("unmount {}", merged.display()))?;
    } else {
        progress::say(format_args!(
            "this file system does not support overlayfs: containers start from copies, which is slower"
        ));
    }
    fs::remove_dir_all(&trial).attempt(|| format!("remove {}", trial.display()))?;
    Ok(if works { "overlayfs" } else { "native" })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).attempt(|| format!("write {}", path.display()))
}
