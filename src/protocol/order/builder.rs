//! What builds: BuildKit in a builder pod, in the build pod, or a remote daemon.

use serde::{Deserialize, Serialize};

/// Where and how BuildKit runs: the platform owner's choice, the same for every project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[clap(rename_all = "lower")]
pub enum Profile {
    /// In a builder pod of its own for each build, in the namespace of builds.
    #[default]
    Isolated,
    /// In the build pod as an ordinary user, in a user namespace that BuildKit creates itself.
    Rootless,
    /// In the build pod as root of a user namespace that the kubelet creates for the pod.
    Userns,
    /// In the build pod as root of the node.
    Privileged,
    /// Not in the pod: a daemon of the platform owner builds, and the pod only sends it the build.
    Remote,
}

impl Profile {
    /// The profile of an order that names none.
    pub(super) fn of_old_orders() -> Self {
        Self::Rootless
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde requires")]
    pub(super) fn is_of_old_orders(&self) -> bool {
        *self == Self::of_old_orders()
    }
}

/// A daemon of the platform owner, and how the pod authenticates to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Remote {
    /// `tcp://host:port`.
    pub address: String,
    /// Name that the daemon's certificate must have; unset: the host of the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Name of the Secret that is mounted at [`super::REMOTE_SECRET_DIR`], with `ca.crt`, `tls.crt` and `tls.key`;
    /// unset: the connection is plain TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Namespace of the Secret: that of the project. Empty in the platform's own settings.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

impl Remote {
    /// Whether the address is `tcp://` with a host and a port.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        let place = self.address.strip_prefix("tcp://").and_then(|place| place.rsplit_once(':'));
        place.is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0))
    }

    /// The same daemon, for a build in `namespace`.
    #[must_use]
    pub fn seen_from(&self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self.clone() }
    }
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    host.starts_with(|char: char| char.is_ascii_alphanumeric())
        && host.chars().all(|char| char.is_ascii_alphanumeric() || ".-".contains(char))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_daemon_address_needs_tcp_host_and_port() {
        let is = |address: &str| Remote { address: address.to_owned(), ..Remote::default() }.is_reachable();
        for address in ["tcp://buildkitd.builds.svc:1234", "tcp://10.0.0.7:1234", "tcp://[fd00::1]:1234"] {
            assert!(is(address), "{address}");
        }
        for address in [
            "",
            "buildkitd:1234",
            "unix:///run/buildkitd.sock",
            "tcp://buildkitd",
            "tcp://:1234",
            "tcp://buildkitd:0",
            "tcp://buildkitd:65536",
            "tcp://ada:word@buildkitd:1234",
            "tcp://--help:1",
            "tcp://buildkitd:1234/x",
            "tcp://[fd00::1:1234",
        ] {
            assert!(!is(address), "{address}");
        }
    }
}
