//! The Go tools of the cluster, each pinned by a `go.mod` of its own and compiled into the launcher.
//! It runs nothing.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::Mode;

/// One module under `tools/`, with the programs that it builds.
#[derive(Debug)]
pub(super) struct Pinned {
    /// Its directory under `tools/`.
    pub(super) name: &'static str,
    pub(super) go_mod: &'static str,
    pub(super) go_sum: &'static str,
    /// A program of our own in its directory, which only imports what the module needs. Without one, the tools that
    /// `go.mod` lists are built.
    pub(super) main: Option<&'static str>,
    /// Build tags.
    tags: &'static str,
    /// The module whose version is stamped into the programs. Without the stamp they report v0.0.0.
    stamp: Option<&'static str>,
    /// The modes that need it.
    pub(super) modes: &'static [Mode],
}

macro_rules! pinned {
    ($name:literal, $tags:literal, $stamp:expr, $modes:expr) => {
        Pinned {
            name: $name,
            go_mod: include_str!(concat!("../../tools/", $name, "/go.mod")),
            go_sum: include_str!(concat!("../../tools/", $name, "/go.sum")),
            main: None,
            tags: $tags,
            stamp: $stamp,
            modes: $modes,
        }
    };
}

/// `CoreDNS` with the plugins that the cluster uses.
const COREDNS: Pinned = Pinned {
    main: Some(include_str!("../../tools/coredns/main.go")),
    ..pinned!("coredns", "", None, &[Mode::Node])
};

const BOTH: &[Mode] = &[Mode::ControlPlane, Mode::Node];

/// In build order: the slowest last, so that a broken pin shows early.
pub(super) const ALL: &[Pinned] = &[
    pinned!("etcd", "", None, BOTH),
    pinned!("rootlesskit", "osusergo netgo static_build", None, &[Mode::Node]),
    pinned!("buildkit", "osusergo netgo static_build seccomp", None, &[Mode::Node]),
    COREDNS,
    pinned!("kwok", "", None, &[Mode::ControlPlane]),
    pinned!("helm", "", None, BOTH),
    pinned!("kubernetes", "", Some("k8s.io/kubernetes"), BOTH),
];

impl Pinned {
    /// The packages to build: the tools that `go.mod` lists.
    pub(super) fn packages(&self) -> impl Iterator<Item = &'static str> {
        let mut in_block = false;
        self.go_mod.lines().filter_map(move |line| match line.trim() {
            "tool (" => {
                in_block = true;
                None
            }
            ")" => {
                in_block = false;
                None
            }
            package if in_block => Some(package),
            line => line.strip_prefix("tool "),
        })
    }

    /// The names of the programs.
    pub(super) fn programs(&self) -> impl Iterator<Item = &'static str> {
        self.packages().map(program)
    }

    /// The arguments of `go build` that affect its output.
    pub(super) fn flags(&self) -> Vec<String> {
        let mut linker = "-s -w".to_owned();
        if let Some(version) = self.stamp.and_then(|module| self.version(module)) {
            let mut numbers = version.trim_start_matches('v').split('.');
            let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
            for (name, value) in [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor)] {
                linker.push_str(" -X k8s.io/component-base/version.");
                linker.push_str(name);
                linker.push('=');
                linker.push_str(value);
            }
        }
        let mut flags =
            vec!["-trimpath".to_owned(), "-mod=readonly".to_owned(), "-ldflags".to_owned(), linker];
        if !self.tags.is_empty() {
            flags.extend(["-tags".to_owned(), self.tags.to_owned()]);
        }
        flags
    }

    /// The version of `module` that `go.mod` requires.
    pub(super) fn version(&self, module: &str) -> Option<&'static str> {
        self.go_mod.lines().find_map(|line| {
            let line = line.trim().trim_start_matches("require ");
            line.strip_prefix(module)?.strip_prefix(' ')?.split_ascii_whitespace().next()
        })
    }

    /// Its directory in the cache, which is named after a hash of pins and flags.
    pub(super) fn dir(&self, cache: &Path) -> PathBuf {
        let mut hash = Sha256::new();
        for part in [self.go_mod, self.go_sum, self.main.unwrap_or_default(), &self.flags().join("\0")] {
            hash.update(part);
            hash.update("\0");
        }
        let hash: [u8; 32] = hash.finalize().into();
        // Six bytes are enough to distinguish pins, and short enough to read.
        let short = hash.first_chunk().map_or(0, |eight| u64::from_be_bytes(*eight) >> 16);
        cache.join(format!("{}-{short:012x}", self.name))
    }
}

/// The name of the program that `go build` makes from a package.
pub(super) fn program(package: &'static str) -> &'static str {
    // etcd's package is called "server".
    if package == "go.etcd.io/etcd/server/v3" {
        "etcd"
    } else {
        package.rsplit('/').next().unwrap_or(package)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> &'static Pinned {
        ALL.iter().find(|tool| tool.name == name).unwrap()
    }

    #[test]
    fn programs_are_read_from_go_mod() {
        let kubernetes: Vec<_> = named("kubernetes").programs().collect();
        for program in [
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubectl",
            "kubelet",
            "kube-proxy",
        ] {
            assert!(kubernetes.contains(&program), "{program} is not in {kubernetes:?}");
        }
        assert_eq!(named("etcd").programs().collect::<Vec<_>>(), ["etcd"]);
        assert_eq!(named("kwok").programs().collect::<Vec<_>>(), ["kwok"]);
        assert!(ALL.iter().all(|tool| tool.programs().count() > 0));
    }

    #[test]
    fn kubernetes_reports_the_version_it_is_pinned_to() {
        let tool = named("kubernetes");
        let version = tool.version("k8s.io/kubernetes").unwrap();
        assert!(version.starts_with("v1."), "{version}");
        let flags = tool.flags().join(" ");
        assert!(flags.contains(&format!("version.gitVersion={version} ")), "{flags}");
        assert!(flags.contains("version.gitMajor=1 "), "{flags}");
    }

    #[test]
    fn a_different_pin_uses_a_different_directory() {
        let cache = Path::new("/cache");
        let tool = named("etcd");
        let other = Pinned { go_sum: "", ..*tool };
        assert!(tool.dir(cache).starts_with(cache));
        assert_ne!(tool.dir(cache), other.dir(cache));
        assert_ne!(COREDNS.dir(cache), Pinned { main: None, ..COREDNS }.dir(cache));
    }
}
