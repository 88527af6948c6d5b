//! Removes files that containerd, its shims, CNI plugins and kubelet leave in directories with fixed paths.
//! Other programs, such as Docker, use the same directories, so it removes only files that belong to this cluster.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{Attempt, Error};

const NAMESPACE: &str = "k8s.io";
const RUNC: &str = "/run/containerd/runc/k8s.io";
const NETWORK_RESULTS: &str = "/var/lib/cni/results";
const LOG_LINKS: &str = "/var/log/containers";

/// Removes files outside the cluster's directory: of the containerd in `runtime`, and of the kubelet with `logs`.
/// Their processes must have ended. The state of containerd must still exist, because it names the containers.
pub(super) fn remove(runtime: &Path, logs: &Path) -> Result<(), Error> {
    let bundles = runtime.join("state/io.containerd.runtime.v2.task").join(NAMESPACE);
    let containers: BTreeSet<String> = names(&bundles)?.collect();
    for id in &containers {
        if let Some(socket) = socket(&bundles.join(id))? {
            gone(fs::remove_file(&socket), &socket)?;
        }
        let state = Path::new(RUNC).join(id);
        gone(fs::remove_dir_all(&state), &state)?;
    }
    for name in names(Path::new(NETWORK_RESULTS))? {
        if container_of(&name).is_some_and(|id| containers.contains(id)) {
            let result = Path::new(NETWORK_RESULTS).join(&name);
            gone(fs::remove_file(&result), &result)?;
        }
    }
    for name in names(Path::new(LOG_LINKS))? {
        let link = Path::new(LOG_LINKS).join(name);
        if fs::read_link(&link).is_ok_and(|target| target.starts_with(logs)) {
            gone(fs::remove_file(&link), &link)?;
        }
    }
    Ok(())
}

/// The socket of a container's shim, from the file that containerd wrote.
fn socket(bundle: &Path) -> Result<Option<PathBuf>, Error> {
    let file = bundle.join("address");
    match fs::read_to_string(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => {
            let address = other.attempt(|| format!("read {}", file.display()))?;
            Ok(address.trim().strip_prefix("unix://").map(PathBuf::from))
        }
    }
}

/// A result is named `<network>-<container>-<interface>`. The name of a network may contain dashes.
fn container_of(result: &str) -> Option<&str> {
    let (network_and_container, _) = result.rsplit_once('-')?;
    network_and_container.rsplit_once('-').map(|(_, container)| container)
}

fn names(dir: &Path) -> Result<impl Iterator<Item = String> + use<>, Error> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        other => Some(other.attempt(|| format!("list {}", dir.display()))?),
    };
    Ok(entries.into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()))
}

fn gone(removed: io::Result<()>, path: &Path) -> Result<(), Error> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.attempt(|| format!("remove {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_result_names_its_container() {
        assert_eq!(container_of("cni-loopback-127e30-lo"), Some("127e30"));
        assert_eq!(container_of("doce-127e30-eth0"), Some("127e30"));
        assert_eq!(container_of("other"), None);
    }
}
