//! Records the state of the machine before the node starts: kernel settings, shared directories, packet filter chains.
//! It restores only what the node's components are known to change and what was recorded.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::firewall;
use crate::{Attempt, Error, Paths};

/// Kernel settings that kubelet, kube-proxy and the bridge change, below `/proc/sys`.
const SETTINGS: [&str; 9] = [
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/bridge/bridge-nf-call-iptables",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
];

/// Directories with fixed paths that containerd, kubelet and CNI plugins create, the inner ones first.
const DIRECTORIES: [&str; 10] = [
    "/run/containerd/s",
    "/run/containerd/runc/k8s.io",
    "/run/containerd/runc",
    "/run/containerd",
    "/var/lib/cni/results",
    "/var/lib/cni",
    KUBELET,
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
];
/// The kubelet's socket for device plugins is always here, even if its other files are elsewhere.
const KUBELET: &str = "/var/lib/kubelet/device-plugins";

/// The recorded state of the machine.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Before {
    settings: BTreeMap<String, String>,
    /// Which of the directories existed.
    directories: BTreeSet<PathBuf>,
    chains: BTreeSet<String>,
}

impl Before {
    /// Reads the state of the machine and writes the record. Call it before anything changes.
    pub(super) fn record(paths: &Paths) -> Result<Self, Error> {
        let chains = firewall::chains()?;
        if chains.iter().any(|chain| chain.starts_with("KUBE-")) {
            let why = "packet filter chains of another kube-proxy (KUBE-…) exist; stop that node first";
            return Err(Error::failed("make this machine a node", why));
        }
        let mut before = Self { settings: BTreeMap::new(), directories: BTreeSet::new(), chains };
        for name in SETTINGS {
            if let Some(value) = read(&setting(name))? {
                before.settings.insert(name.to_owned(), value.trim().to_owned());
            }
        }
        before.directories.extend(DIRECTORIES.map(PathBuf::from).into_iter().filter(|path| path.is_dir()));
        let text =
            serde_json::to_vec_pretty(&before).map_err(|error| Error::failed("record the machine", error))?;
        let file = Self::file(paths)?;
        fs::write(&file, text).attempt(|| format!("write {}", file.display()))?;
        Ok(before)
    }

    /// Reads the record of this cluster; `None` if its node never began to start.
    pub(super) fn read(paths: &Paths) -> Result<Option<Self>, Error> {
        let file = Self::file(paths)?;
        let Some(text) = read(&file)? else { return Ok(None) };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| Error::failed(format!("parse {}", file.display()), error))
    }

    /// The packet filter chains that existed before the node.
    pub(super) fn chains(&self) -> &BTreeSet<String> {
        &self.chains
    }

    /// Restores the settings, removes empty directories that the node created, and then removes the record.
    pub(super) fn put_back(&self, paths: &Paths) -> Result<(), Error> {
        for (name, value) in &self.settings {
            let path = setting(name);
            if read(&path)?.is_some_and(|now| now.trim() != value) {
                fs::write(&path, value).attempt(|| format!("write {}", path.display()))?;
            }
        }
        for path in DIRECTORIES.map(PathBuf::from) {
            self.remove_unless_there(&path)?;
        }
        let file = Self::file(paths)?;
        fs::remove_file(&file).attempt(|| format!("remove {}", file.display()))
    }

    fn remove_unless_there(&self, path: &Path) -> Result<(), Error> {
        if self.directories.contains(path) {
            return Ok(());
        }
        let removed =
            if path == Path::new(KUBELET) { fs::remove_dir_all(path) } else { fs::remove_dir(path) };
        match removed {
            // Not empty: another program uses it now.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) =>
            {
                Ok(())
            }
            other => other.attempt(|| format!("remove {}", path.display())),
        }
    }

    fn file(paths: &Paths) -> Result<PathBuf, Error> {
        Ok(paths.component("node")?.join("before.json"))
    }
}

fn setting(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name)
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some).attempt(|| format!("read {}", path.display())),
    }
}
