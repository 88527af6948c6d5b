//! Git over http, https and ssh. Everything that a repository could use against the pod is off: hooks, templates,
//! redirects, prompts, other transports, and Git's own submodule fetching. Git never runs in a directory that the
//! repository wrote.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tokio::process::Command;

use super::address::Host;
use super::log::printable;
use super::outcome::Failure;
use super::program;
use crate::protocol::order::Reference;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;
use crate::text::cut_end;

mod access;
mod failure;
mod fetch;
mod large_files;
mod listing;
pub(super) mod modules;
mod submodules;
mod watched;

pub(super) use access::Access;
pub(super) use fetch::Room;

const ASK: Duration = Duration::from_mins(1);
const LOCAL: Duration = Duration::from_mins(5);
const MAX_LISTING: u64 = 64 << 20;

/// A remote repository, and the directory for its objects.
pub(super) struct Git {
    url: String,
    objects: PathBuf,
    /// Names of the transports that may be used.
    transports: &'static [&'static str],
    /// `host:port:address,…`, so that Git connects only to checked addresses.
    pin: Option<String>,
    /// The proxy through which Git connects; none: it connects to the host itself.
    proxy: Option<String>,
    /// CA certificates as a file, when the platform brings its own.
    ca: Option<PathBuf>,
    access: Access,
    /// How much may be fetched.
    room: Room,
    /// Time limit for listing or writing all files of a commit.
    patience: Duration,
}

/// What people recognize a commit by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Commit {
    /// First line of the message, at most 200 characters.
    pub(super) subject: Option<String>,
    /// `name <mail>`.
    pub(super) author: Option<String>,
    /// The committer date: unlike the author date, a rebase or a cherry-pick renews it.
    pub(super) committed_at: Option<Timestamp>,
}

impl Commit {
    /// The same commit with `words` applied to its texts.
    pub(super) fn shown(self, words: impl Fn(String) -> String) -> Self {
        Self { subject: self.subject.map(&words), author: self.author.map(&words), ..self }
    }
}

impl Git {
    pub(super) fn new(
        url: &str,
        work: &Path,
        host: &Host,
        addresses: &[IpAddr],
        ca: Option<PathBuf>,
        access: Access,
    ) -> Self {
        let pin = listing::pin(host, addresses);
        let transports = access.transports();
        let (objects, room) = (work.join("objects.git"), Room::default());
        Self { url: url.to_owned(), objects, transports, pin, proxy: None, ca, access, room, patience: LOCAL }
    }

    /// The same repository, reached through this proxy.
    pub(super) fn through(self, proxy: Option<&str>) -> Self {
        Self { proxy: proxy.map(str::to_owned), ..self }
    }

    /// The same repository, limited to this room.
    pub(super) fn within(self, room: Room) -> Self {
        Self { room, ..self }
    }

    /// Creates the empty directory for objects.
    pub(super) async fn init(&self, stage: Stage) -> Result<(), Failure> {
        self.init_as("sha1", stage).await
    }

    /// The same for a commit: object names are as long as its name, and Git does not mix SHA-1 and SHA-256 objects.
    async fn init_for(&self, commit: &str) -> Result<(), Failure> {
        if commit.len() < 64 {
            return Ok(());
        }
        std::fs::remove_dir_all(&self.objects)
            .map_err(|error| Failure::workspace(Stage::Fetch, "git could not be configured", &error))?;
        self.init_as("sha256", Stage::Fetch).await
    }

    async fn init_as(&self, format: &str, stage: Stage) -> Result<(), Failure> {
        let mut command = self.git();
        command.args(["init", "--quiet", "--bare", "--template=", "--initial-branch=none"]);
        command.arg(format!("--object-format={format}"));
        let output = program::output(&mut command, 4096, LOCAL).await;
        let output = output.map_err(|error| failure::program(stage, &self.url, &error))?;
        if output.success { Ok(()) } else { Err(failure::local(stage, &output.stderr)) }
    }

    /// The commit that a reference points to now.
    pub(super) async fn resolve(&self, reference: &Reference) -> Result<String, Failure> {
        let (kind, name) = match reference {
            Reference::Commit(commit) if listing::is_commit(commit) => return Ok(commit.clone()),
            Reference::Commit(commit) => {
                return Err(not_found(format!(
                    "{commit:?} is not a full commit hash: write all 40 hex digits (64 in a SHA-256 repository), in \
                     lower case"
                )));
            }
            Reference::Branch(name) => ("heads", name),
            Reference::Tag(name) => ("tags", name),
            Reference::Default => return self.resolve_default().await,
        };
        if !listing::is_ref_name(name) {
            return Err(not_found(format!("{name:?} is not a valid name of a Git branch or tag")));
        }
        let wanted = format!("refs/{kind}/{name}");
        let peeled = format!("{wanted}^{{}}");
        let refs = self.list(&[&wanted, &peeled]).await?;
        if let Some(commit) = refs.get(&peeled).or_else(|| refs.get(&wanted)) {
            return Ok(commit.clone());
        }
        let all = self.list(&[&format!("refs/{kind}/*")]).await?;
        Err(not_found(listing::missing(kind, name, &self.url, &all)))
    }

    async fn resolve_default(&self) -> Result<String, Failure> {
        if let Some(head) = self.list(&["HEAD"]).await?.remove("HEAD") {
            return Ok(head);
        }
        let branches = self.list(&["refs/heads/*"]).await?;
        Err(not_found(listing::missing("heads", "HEAD", &self.url, &branches)))
    }

    async fn list(&self, patterns: &[&str]) -> Result<listing::Refs, Failure> {
        let mut command = self.git();
        command.args(["ls-remote", "--quiet"]);
        command.arg("--").arg(&self.url).args(patterns);
        let output = program::output(&mut command, MAX_LISTING, ASK).await;
        let output = output.map_err(|error| failure::program(Stage::Resolve, &self.url, &error))?;
        if !output.success {
            return Err(failure::remote(Stage::Resolve, &self.url, &output.stderr));
        }
        Ok(listing::refs(&String::from_utf8_lossy(&output.stdout)))
    }

    /// First line of the message, author and time of a fetched commit.
    pub(super) async fn describe(&self, commit: &str) -> Result<Commit, Failure> {
        let mut command = self.git();
        command.args([
            "show",
            "--no-patch",
            "--no-show-signature",
            "--format=%ct%x00%an <%ae>%x00%s",
            commit,
            "--",
        ]);
        let output = program::output(&mut command, 64 << 10, LOCAL).await;
        let output = output.map_err(|error| failure::program(Stage::Fetch, &self.url, &error))?;
        // A first line may have any length; cut output is still longer than what is shown.
        if !output.success && !output.cut {
            return Err(failure::local(Stage::Fetch, &output.stderr));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut parts = text.trim_end().splitn(3, '\0');
        let [seconds, author, subject] = [(); 3].map(|()| parts.next().unwrap_or_default());
        // The author of the commit chooses the number, so it may be no time at all.
        let committed_at = seconds.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let bounded = |text: &str| {
            let mut short: String = printable(text).chars().take(200).collect();
            let excess = short.len().saturating_sub(400);
            cut_end(&mut short, excess);
            Some(short).filter(|short| !short.is_empty())
        };
        Ok(Commit { subject: bounded(subject), author: bounded(author), committed_at })
    }

    fn git(&self) -> Command {
        let mut command = Command::new("git");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()));
        command.env("LC_ALL", "C").env("HOME", "/nonexistent");
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1");
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_PROTOCOL_FROM_USER", "0")
            .env("GIT_LFS_SKIP_SMUDGE", "1");
        command.envs(self.ca.as_ref().map(|ca| ("GIT_SSL_CAINFO", ca)));
        self.access.apply(&mut command);
        command.arg("--git-dir").arg(&self.objects);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        for transport in self.transports {
            command.arg("-c").arg(format!("protocol.{transport}.allow=always"));
        }
        if let Some(pin) = &self.pin {
            command.arg("-c").arg(format!("http.curloptResolve={pin}"));
        }
        // An empty value is no proxy.
        command.arg("-c").arg(format!("http.proxy={}", self.proxy.as_deref().unwrap_or_default()));
        command
    }
}

/// No redirect is followed, not even the first: Git fetches only from the checked place.
const SETTINGS: [&str; 11] = [
    "protocol.allow=never",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "credential.helper=",
    "submodule.recurse=false",
    "advice.detachedHead=false",
];

fn not_found(message: String) -> Failure {
    Failure::new(Stage::Resolve, FailureReason::RefNotFound, message)
}

#[cfg(test)]
mod tests;
