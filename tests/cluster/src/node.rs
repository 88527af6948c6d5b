//! The real node: containerd, kubelet, kube-proxy, DNS, and servers for prepared images and Git repositories.
//! It does not start the control plane. `stop` restores the machine to the state that `network::up` recorded.

mod before;
mod disk;
mod dns;
mod files;
mod firewall;
pub mod images;
mod kubelet;
mod leftovers;
pub mod network;
mod runtime;
pub mod serve;

use std::{
    collections::BTreeMap,
    env, fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{Attempt, ControlPlane, Error, Paths, Supervisor, Tools, probe};
use before::Before;
use images::Images;
use serve::Served;

const REGISTRY: SocketAddr = SocketAddr::new(IpAddr::V4(network::ADDRESS), 5000);
const GIT: SocketAddr = SocketAddr::new(IpAddr::V4(network::ADDRESS), 8080);
/// The deadline of short operations. Long, because a machine may pause.
const WITHIN: Duration = Duration::from_mins(10);
/// Debian's directory for certificate authorities that were added to this machine.
const EXTRA_AUTHORITIES: &str = "/usr/local/share/ca-certificates";

/// Starts the node, waits until it is Ready, and returns environment variables for commands.
pub fn start(
    paths: &Paths,
    tools: &Tools,
    supervisor: &mut Supervisor,
    control_plane: &ControlPlane,
) -> Result<BTreeMap<String, String>, Error> {
    let repositories = paths.component("git")?;
    let images = images::ensure(paths, tools)?;
    let registries = images.registries.clone();
    disk::require_space(&repositories)?;
    start_servers(paths, supervisor, images, &repositories)?;
    runtime::start(paths, supervisor, images::PAUSE, &registries, REGISTRY)?;
    dns::start(paths, tools, supervisor, control_plane)?;
    kubelet::start(paths, tools, supervisor, control_plane)?;

    let mut environment = BTreeMap::from([
        ("DOCE_GIT_ROOT", repositories.display().to_string()),
        ("DOCE_GIT_URL", format!("http://{GIT}")),
        ("DOCE_CONTAINERD_SOCKET", runtime::socket(paths)?.display().to_string()),
        ("DOCE_MIRROR", REGISTRY.to_string()),
        ("DOCE_NODE_ADDRESS", "127.0.0.1".to_owned()),
        ("DOCE_OPERATOR_IMAGE", images::OPERATOR.to_owned()),
        ("DOCE_BUILDKIT_IMAGE", images::BUILDKIT.to_owned()),
        ("DOCE_RUNTIME_REGISTRIES", runtime::registries(paths)?.display().to_string()),
    ]);
    if let Some(bundle) = extra_authorities(paths)? {
        environment.insert("DOCE_CA_BUNDLE", bundle.display().to_string());
    }
    Ok(environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Removes what the processes of the node leave behind. They must have been ended before.
pub fn stop(paths: &Paths) -> Result<(), Error> {
    let Some(before) = Before::read(paths)? else { return Ok(()) };
    leftovers::kill(&runtime::socket(paths)?)?;
    files::remove(&paths.component("containerd")?, &paths.component("kubelet/logs")?)?;
    leftovers::unmount_below(&paths.runtime())?;
    leftovers::remove_groups()?;
    // The kernel removes the network of a pod asynchronously.
    let deadline = Instant::now() + WITHIN;
    while let Err(left) = network::is_empty() {
        if Instant::now() >= deadline {
            return Err(Error::failed("remove the bridge", left));
        }
        thread::sleep(Duration::from_millis(20));
    }
    network::down()?;
    firewall::down(before.chains())?;
    before.put_back(paths)
}

fn start_servers(
    paths: &Paths,
    supervisor: &mut Supervisor,
    images: Images,
    repositories: &Path,
) -> Result<(), Error> {
    let Images { manifests, blobs, cache, .. } = images;
    let repositories = repositories.to_owned();
    let served = Served { registry: REGISTRY, manifests, blobs, cache, git: GIT, repositories };
    let config = paths.component("node")?.join("served.json");
    let text =
        serde_json::to_vec_pretty(&served).map_err(|error| Error::failed("configure the servers", error))?;
    fs::write(&config, text).attempt(|| format!("write {}", config.display()))?;
    let program = env::current_exe().attempt(|| "find the launcher's own program".to_owned())?;
    let mut command = Command::new(program);
    command.arg("serve").arg(config);
    supervisor.start("servers", command, WITHIN, || {
        probe::http(REGISTRY, "/v2/")?;
        probe::listens(GIT)
    })
}

/// Writes a file with all certificate authorities that were added to this machine. Builds must trust them if a proxy
/// intercepts connections to package registries. `None` if no authority was added.
fn extra_authorities(paths: &Paths) -> Result<Option<PathBuf>, Error> {
    let mut files = Vec::new();
    certificates(Path::new(EXTRA_AUTHORITIES), &mut files)?;
    if files.is_empty() {
        return Ok(None);
    }
    files.sort();
    let mut bundle = String::new();
    for file in files {
        let certificate = fs::read_to_string(&file).attempt(|| format!("read {}", file.display()))?;
        bundle.push_str(certificate.trim_end());
        bundle.push('\n');
    }
    let path = paths.component("node")?.join("authorities.pem");
    fs::write(&path, bundle).attempt(|| format!("write {}", path.display()))?;
    Ok(Some(path))
}

fn certificates(dir: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries {
        let path = entry.attempt(|| format!("list {}", dir.display()))?.path();
        if path.is_dir() {
            certificates(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "crt") {
            found.push(path);
        }
    }
    Ok(())
}
