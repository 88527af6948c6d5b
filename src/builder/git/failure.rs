//! Classifies the error output of Git. It only reads text; with `LC_ALL=C` the sentences are stable.

use super::super::disk;
use super::super::log::{printable, shortened};
use super::super::outcome::Failure;
use super::super::program;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// Why the remote repository could not be read.
pub(super) fn remote(stage: Stage, url: &str, stderr: &str) -> Failure {
    if of_disk(stderr).is_some() {
        return disk::full(stage, &format!("the source at {url} could not be written"));
    }
    let has = |needles: &[&str]| needles.iter().any(|needle| stderr.contains(needle));
    // After a failure of ssh, the last lines of Git are only guesses.
    let of_ssh = stderr.lines().find(|line| line.starts_with("ssh: ")).map(last_line);
    let last = of_ssh.unwrap_or_else(|| last_line(stderr));
    let (reason, message) = if has(&["error: 301", "error: 302", "error: 303", "error: 307", "error: 308"]) {
        let message =
            format!("{url} redirects to another address, and redirects are not followed; use the final URL");
        (FailureReason::SourceForbidden, message)
    } else if has(&["Host key verification failed"]) {
        let message =
            format!("the host key of {url} does not match known_hosts in the Secret of spec.source");
        (FailureReason::SourceAuthFailed, message)
    } else if has(&["Permission denied (", "error in libcrypto", "Too many authentication failures"]) {
        let message = format!(
            "{url} rejected the identity in the Secret of spec.source; it must be a private key without passphrase \
             that may read the repository"
        );
        (FailureReason::SourceAuthFailed, message)
    } else if has(&["could not read Username", "Authentication failed", "error: 401", "error: 403"]) {
        let message = format!(
            "{url} requires credentials or rejected those given; correct the URL or, if the repository is private, the \
             Secret in spec.source.git.secretRef"
        );
        (FailureReason::SourceAuthFailed, message)
    } else if has(&["not found", "does not appear to be a git repository", "error: 404", "error: 410"]) {
        (FailureReason::SourceNotFound, format!("there is no repository at {url}; check the URL"))
    } else if has(&[
        "is this a git repository?",
        "not a git repository",
        "not valid: could not determine hash",
    ]) {
        (FailureReason::SourceNotFound, format!("{url} answers, but not as a Git repository; check the URL"))
    } else {
        let message = format!(
            "{url} cannot be reached from the build: {last}; check the URL, and that pods can reach its host"
        );
        (FailureReason::SourceUnreachable, message)
    };
    Failure::new(stage, reason, message)
}

/// Why a command without network access failed.
pub(super) fn local(stage: Stage, stderr: &str) -> Failure {
    let why = of_disk(stderr).map_or_else(|| last_line(stderr), last_line);
    Failure::workspace(stage, "git could not write the source", &why)
}

/// The line that says that the pod's disk is full, seldom the last one. Lines of the server are marked and skipped:
/// they may be about its own disk.
fn of_disk(stderr: &str) -> Option<&str> {
    let own = |line: &&str| !line.starts_with("remote: ") && !line.contains("remote error: ");
    stderr.lines().filter(own).find(|line| disk::is_full(line))
}

/// Why the program gave no answer.
pub(super) fn program(stage: Stage, url: &str, error: &program::Error) -> Failure {
    match error {
        program::Error::Timeout { seconds, .. } => {
            let message = format!(
                "{url} did not send its source within {seconds} s; leave large files out of it, or find out why its \
                 host is slow"
            );
            Failure::new(stage, FailureReason::SourceUnreachable, message)
        }
        other => Failure::workspace(stage, "the source could not be fetched", other),
    }
}

/// Why a program that reads the whole source gave no answer. It uses no network, so the source itself causes the delay,
/// and a retry does not help.
pub(super) fn of_size(error: &program::Error) -> Failure {
    match error {
        program::Error::Timeout { seconds, .. } => {
            let message = format!(
                "Git did not finish with the source within {seconds} s: it has too many files or directories; leave \
                 build results and data out of it"
            );
            Failure::new(Stage::Verify, FailureReason::SourceTooLarge, message)
        }
        other => Failure::workspace(Stage::Fetch, "the source could not be written", other),
    }
}

/// Whether the server serves only the tips of its references.
pub(super) fn refuses_commits(stderr: &str) -> bool {
    ["does not allow request for unadvertised object", "not advertised", "Server does not allow"]
        .iter()
        .any(|needle| stderr.contains(needle))
}

/// Whether the server says that it does not have the commit.
pub(super) fn lacks_commit(stderr: &str) -> bool {
    ["not our ref", "couldn't find remote ref"].iter().any(|needle| stderr.contains(needle))
}

/// The last line that is not blank.
pub(super) fn last_line(stderr: &str) -> String {
    let last = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it gave no reason");
    shortened(&printable(last.trim().trim_start_matches("fatal: ")), 300)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::log::Log;

    #[test]
    fn remote_errors_are_classified() {
        for (stderr, reason) in [
            (
                "fatal: unable to access 'https://h/x/': Could not resolve host: h",
                FailureReason::SourceUnreachable,
            ),
            (
                "fatal: unable to access 'https://h/': Failed to connect to h port 443: Connection refused",
                FailureReason::SourceUnreachable,
            ),
            (
                "fatal: unable to access 'https://h/': server certificate verification failed.",
                FailureReason::SourceUnreachable,
            ),
            (
                "fatal: unable to access 'https://h/': Operation too slow. Less than 1000 bytes/sec",
                FailureReason::SourceUnreachable,
            ),
            (
                "fatal: unable to access 'https://h/': The requested URL returned error: 503",
                FailureReason::SourceUnreachable,
            ),
            (
                "fatal: unable to access 'https://h/': The requested URL returned error: 301",
                FailureReason::SourceForbidden,
            ),
            (
                "fatal: unable to access 'https://h/': The requested URL returned error: 403",
                FailureReason::SourceAuthFailed,
            ),
            (
                "fatal: could not read Username for 'https://h': terminal prompts disabled",
                FailureReason::SourceAuthFailed,
            ),
            ("remote: gone\nfatal: repository 'https://h/x/' not found", FailureReason::SourceNotFound),
            (
                "fatal: https://h/info/refs not valid: is this a git repository?",
                FailureReason::SourceNotFound,
            ),
            ("", FailureReason::SourceUnreachable),
            (
                "ssh: connect to host 10.0.0.1 port 22: Connection refused\nfatal: Could not read from remote repository.",
                FailureReason::SourceUnreachable,
            ),
            (
                "Host key verification failed.\nfatal: Could not read from remote",
                FailureReason::SourceAuthFailed,
            ),
            ("git@h: Permission denied (publickey).\nfatal: Could not read", FailureReason::SourceAuthFailed),
            ("ERROR: Repository not found.\nfatal: Could not read", FailureReason::SourceNotFound),
        ] {
            let failure = remote(Stage::Resolve, "https://h/x", stderr);
            assert_eq!(failure.reason, reason, "{stderr}");
            assert!(failure.message.contains("https://h/x"));
            let next = "; check the URL, and that pods can reach its host";
            assert_eq!(
                failure.message.ends_with(next),
                reason == FailureReason::SourceUnreachable,
                "{failure}"
            );
        }
        let slow = program::Error::Timeout { program: "git".to_owned(), seconds: 9 };
        let slow = program(Stage::Fetch, "https://h/x", &slow);
        assert!(slow.message.contains("within 9 s; leave large files out"), "{slow}");
    }

    #[test]
    fn a_full_disk_is_not_blamed_on_the_server() {
        // The messages of Git 2.39 for few objects, many objects, and files.
        for stderr in [
            "fatal: unable to write loose object file: No space left on device\nfatal: unpack-objects failed",
            "fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output",
        ] {
            let failure = remote(Stage::Fetch, "https://h/x", stderr);
            assert_eq!((failure.stage, failure.reason), (Stage::Fetch, FailureReason::OutOfDisk), "{stderr}");
            assert!(failure.message.contains("https://h/x") && failure.message.contains("disk is full"));
        }
        let files = "error: unable to write file big\nfatal: sha1 file '/workspace/objects.git/index.lock' write error. Out of diskspace";
        assert_eq!(local(Stage::Fetch, files).reason, FailureReason::OutOfDisk);
        let empty = "error: unable to write symref for HEAD: No space left on device";
        assert_eq!(local(Stage::Resolve, empty).reason, FailureReason::OutOfDisk);
        assert_eq!(local(Stage::Fetch, "fatal: bad object").reason, FailureReason::WorkspaceFailed);
        for of_the_server in [
            "remote: fatal: write error: No space left on device\nfatal: the remote end hung up unexpectedly",
            "fatal: remote error: No space left on device",
        ] {
            let failure = remote(Stage::Fetch, "https://h/x", of_the_server);
            assert_eq!(failure.reason, FailureReason::SourceUnreachable, "{of_the_server}");
        }
    }

    #[test]
    fn an_echoed_secret_is_hidden_where_a_server_message_is_truncated() {
        let token = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
        let log = Log::hiding(std::time::Instant::now(), &[token.to_owned()]);
        for left in [8, 39] {
            let stderr = format!("fatal: {}{token}, it says", "x".repeat(300 - left));
            for failure in [remote(Stage::Fetch, "https://h/x", &stderr), local(Stage::Fetch, &stderr)] {
                let said = log.hide(&failure.message);
                assert!(said.contains("xxx***…") && !said.contains("ghp"), "{left}: {said}");
            }
        }
    }

    #[test]
    fn servers_that_serve_only_branch_tips_are_detected() {
        assert!(refuses_commits("error: Server does not allow request for unadvertised object 1234"));
        assert!(lacks_commit("fatal: remote error: upload-pack: not our ref 1234"));
        assert!(
            !refuses_commits("fatal: repository not found") && !lacks_commit("fatal: repository not found")
        );
        assert_eq!(last_line("a\nfatal: b \n\n"), "b");
    }
}
