//! A BuildKit daemon outside the pod: checks that its certificates exist and that it answers. The platform owner
//! configures what it may connect to and what it keeps.

use std::path::Path;
use std::time::{Duration, Instant};

use super::super::log::{printable, shortened};
use super::super::outcome::Failure;
use super::super::program;
use super::{Daemon, Place};
use crate::protocol::order::{REMOTE_SECRET_DIR, Remote};
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// A daemon that restarts is back within this time.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_secs(1);

/// Keys that the Secret must have, and the options of the client for them.
const CERTIFICATES: [(&str, &str); 3] =
    [("ca.crt", "--tlscacert"), ("tls.crt", "--tlscert"), ("tls.key", "--tlskey")];

/// Checks that the Secret with the certificates, mounted at `directory`, exists and is complete.
pub(in super::super) fn check(remote: &Remote, directory: &Path) -> Result<(), Failure> {
    let Some(name) = &remote.secret else { return Ok(()) };
    let there = |key: &str| std::fs::metadata(directory.join(key)).is_ok_and(|data| data.len() > 0);
    let missing: Vec<&str> = CERTIFICATES.iter().map(|(key, _)| *key).filter(|key| !there(key)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let what = if missing.len() == CERTIFICATES.len() {
        "does not exist or is empty".to_owned()
    } else {
        format!("has no {}", missing.join(" and no "))
    };
    let message = format!(
        "Secret {name} (build.remote.secretName of the chart) {what} in namespace {}; ask the platform owner to create \
         it with ca.crt, tls.crt and tls.key in every namespace that builds",
        remote.namespace
    );
    Err(Failure::new(Stage::Build, FailureReason::BuilderUnavailable, message))
}

/// The options with which the client connects to it.
fn options(remote: &Remote) -> Vec<String> {
    let mut options = vec!["--addr".to_owned(), remote.address.clone()];
    if remote.secret.is_some() {
        for (key, option) in CERTIFICATES {
            options.extend([option.to_owned(), format!("{REMOTE_SECRET_DIR}/{key}")]);
        }
        options
            .extend(remote.server_name.iter().flat_map(|name| ["--tlsservername".to_owned(), name.clone()]));
    }
    options
}

/// The failure of a daemon that cannot be used, with what to check.
pub(super) fn unavailable(address: &str, why: &str) -> Failure {
    let message = format!(
        "the BuildKit daemon at {address} (build.remote.address of the chart) is not usable: {why}. Check that it \
         runs and that network policies allow build pods to reach it. Its certificate must be for that host or for \
         build.remote.serverName. The same authority must have issued the certificates in build.remote.secretName"
    );
    Failure::new(Stage::Build, FailureReason::BuilderUnavailable, message)
}

impl Daemon {
    /// Waits until the daemon answers.
    pub(in super::super) async fn connect(remote: &Remote, logins: &Path) -> Result<Self, Failure> {
        let place = Place::Remote(remote.address.clone());
        let daemon = Self { options: options(remote), logins: logins.to_owned(), place };
        let started = Instant::now();
        loop {
            let mut command = daemon.buildctl();
            let why = match program::output(command.args(["debug", "workers"]), 64 << 10, ANSWER).await {
                Ok(output) if output.success => return Ok(daemon),
                Ok(output) => last_line(&output.stderr),
                Err(error) => error.to_string(),
            };
            if started.elapsed() > PATIENCE {
                return Err(unavailable(&remote.address, &why));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn last_line(text: &str) -> String {
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it gave no reason");
    shortened(&printable(last.trim().trim_start_matches("error: ")), 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(secret: Option<&str>) -> Remote {
        Remote {
            address: "tcp://buildkitd.builds.svc:1234".to_owned(),
            server_name: Some("buildkitd".to_owned()),
            secret: secret.map(str::to_owned),
            namespace: "tenant".to_owned(),
        }
    }

    #[test]
    fn a_missing_or_incomplete_secret_is_a_fault_that_names_it_and_its_namespace() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(check(&remote(None), dir.path()), Ok(()));
        let remote = remote(Some("buildkit"));
        let failure = check(&remote, &dir.path().join("nowhere")).unwrap_err();
        for part in ["Secret buildkit", "build.remote.secretName", "does not exist", "namespace tenant"] {
            assert!(failure.message.contains(part), "{}", failure.message);
        }
        assert!(FailureReason::FAULTS.contains(&failure.reason), "{:?} is retried", failure.reason);
        for (key, said) in [("ca.crt", "has no tls.crt and no tls.key"), ("tls.crt", "has no tls.key")] {
            std::fs::write(dir.path().join(key), "PEM").unwrap();
            let failure = check(&remote, dir.path()).unwrap_err();
            assert!(failure.message.contains(said), "{}", failure.message);
        }
        std::fs::write(dir.path().join("tls.key"), "PEM").unwrap();
        assert_eq!(check(&remote, dir.path()), Ok(()));
    }

    #[test]
    fn the_client_gets_certificates_only_if_a_secret_is_configured() {
        assert_eq!(options(&remote(None)), ["--addr", "tcp://buildkitd.builds.svc:1234"]);
        let told = options(&remote(Some("buildkit"))).join(" ");
        assert!(told.contains("--tlskey /secrets/buildkit/tls.key --tlsservername buildkitd"), "{told}");
    }

    #[test]
    fn an_unreachable_daemon_is_a_fault_that_names_the_address_and_its_setting() {
        let failure = unavailable("tcp://buildkitd:1234", &last_line("x\nerror: connection refused\n\n"));
        assert!(
            failure.message.contains("tcp://buildkitd:1234 (build.remote.address of the chart)"),
            "{failure}"
        );
        assert!(failure.message.contains("not usable: connection refused."), "{failure}");
        assert!(FailureReason::FAULTS.contains(&failure.reason));
    }
}
