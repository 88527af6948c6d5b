//! How Git authenticates: a header in its environment, or ssh with one key and known hosts. No secret is an argument.

use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::super::address::{Host, Transport};
use super::super::credentials::Credentials;
use super::super::outcome::Failure;
use crate::protocol::report::Stage;

/// How Git gets access to a repository.
#[derive(Clone)]
pub(in super::super) enum Access {
    /// Nothing: the repository is public.
    Public,
    /// A header for every request.
    Header(String),
    /// A file with the settings of ssh.
    Ssh(PathBuf),
}

impl Access {
    /// The access that the Secret offers for this transport. `addresses` are the checked addresses of the host.
    pub(in super::super) fn of(
        credentials: &Credentials,
        transport: Transport,
        host: &Host,
        addresses: &[IpAddr],
        directory: &Path,
    ) -> Result<Self, Failure> {
        match transport {
            Transport::Http | Transport::Https => Ok(credentials
                .basic()?
                .map_or(Self::Public, |value| Self::Header(format!("Authorization: {value}")))),
            Transport::Ssh => {
                let identity = credentials
                    .value("identity")
                    .ok_or_else(|| credentials.lacks("identity (a private key)"))?;
                let known = credentials.value("known_hosts").ok_or_else(|| {
                    credentials.lacks(&format!("known_hosts (the output of ssh-keyscan {})", host.name))
                })?;
                let directory = directory.join("ssh");
                let written = write(&directory, identity, known, &settings(&directory, host, addresses));
                written.map_err(|error| {
                    Failure::workspace(Stage::Resolve, "the settings of ssh could not be written", &error)
                })?;
                Ok(Self::Ssh(directory.join("config")))
            }
        }
    }

    /// Names of the transports that may be used.
    pub(super) fn transports(&self) -> &'static [&'static str] {
        match self {
            Self::Public | Self::Header(_) => &["http", "https"],
            Self::Ssh(_) => &["ssh"],
        }
    }

    pub(super) fn apply(&self, command: &mut Command) {
        match self {
            Self::Public => {}
            Self::Header(header) => {
                command.env("GIT_CONFIG_COUNT", "1");
                command.env("GIT_CONFIG_KEY_0", "http.extraHeader").env("GIT_CONFIG_VALUE_0", header);
            }
            Self::Ssh(config) => {
                // Git passes this to a shell: it contains only the path of a file that this program chose.
                let quoted = config.display().to_string().replace('\'', "'\\''");
                command.env("GIT_SSH_COMMAND", format!("ssh -F '{quoted}'")).env("GIT_SSH_VARIANT", "ssh");
            }
        }
    }
}

fn write(directory: &Path, identity: &str, known: &str, settings: &str) -> std::io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(directory)?;
    // OpenSSH accepts a key only with a line break at its end, and only if no other user may read it.
    for (name, text) in [("identity", identity), ("known_hosts", known), ("config", settings)] {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(directory.join(name))?;
        std::io::Write::write_all(&mut file, format!("{text}\n").as_bytes())?;
    }
    Ok(())
}

/// Settings of ssh: connect to a checked address under the host's own name, prompt for nothing, run no other program.
fn settings(directory: &Path, host: &Host, addresses: &[IpAddr]) -> String {
    let file = |name: &str| format!("\"{}\"", directory.join(name).display());
    let alias = if host.port == 22 { host.name.clone() } else { format!("[{}]:{}", host.name, host.port) };
    let mut lines = vec![
        "Host *".to_owned(),
        format!("HostKeyAlias {alias}"),
        format!("IdentityFile {}", file("identity")),
        format!("UserKnownHostsFile {}", file("known_hosts")),
    ];
    lines.extend(addresses.first().map(|address| format!("HostName {address}")));
    lines.extend(SETTINGS.iter().map(|&line| line.to_owned()));
    lines.join("\n  ")
}

const SETTINGS: [&str; 16] = [
    "GlobalKnownHostsFile /dev/null",
    "StrictHostKeyChecking yes",
    "CheckHostIP no",
    "UpdateHostKeys no",
    "VerifyHostKeyDNS no",
    "IdentitiesOnly yes",
    "IdentityAgent none",
    "PreferredAuthentications publickey",
    "BatchMode yes",
    "ConnectTimeout 30",
    "ServerAliveInterval 15",
    "ServerAliveCountMax 2",
    "ForwardAgent no",
    "ClearAllForwardings yes",
    "ProxyCommand none",
    "PermitLocalCommand no",
];
