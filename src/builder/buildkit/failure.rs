//! Classifies a failed build: which step failed, and whether the source or the platform is the cause. It only reads
//! text.

mod copy;

use super::super::disk;
use super::super::log::shortened;
use super::super::outcome::Failure;
use super::super::registry::{Advice, quota};
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;
use crate::text::not_found;
use copy::copy;
pub(super) use copy::missing;

/// Advice when the registry of a base image does not answer.
const REACH: &str = "check that pods can reach its registry, or ask the platform owner for a mirror \
    (build.mirror of the chart)";

const FINAL: &str = "error: failed to solve: ";

/// How a build ended, as `BuildKit` reports it. Output of steps is only in `output`, so no step can pose as `BuildKit`.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    /// The last lines that buildctl itself printed.
    pub(super) said: Vec<String>,
    /// Name of the step that failed.
    pub(super) step: Option<String>,
    /// Its error.
    pub(super) error: Option<String>,
    /// The last lines that it printed.
    pub(super) output: Vec<String>,
    /// The file that COPY did not find is in the source.
    pub(super) left_out: bool,
    /// While it ran, the kernel killed a program of the pod because memory ran out.
    pub(super) out_of_memory: bool,
}

/// The error with which the whole build ended.
pub(super) fn last(said: &[String]) -> Option<&str> {
    said.iter().rev().find_map(|line| line.strip_prefix(FINAL))
}

/// The text below that error, where `BuildKit` writes the body of a registry's answer.
fn below(said: &[String]) -> String {
    let from = said.iter().rposition(|line| line.starts_with(FINAL)).map_or(said.len(), |at| at + 1);
    let lines = said[from..].iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// The part of an error that `BuildKit` itself wrote. The error of a step quotes the step's command, which may contain
/// any words.
fn own(error: &str) -> &str {
    match error.rsplit_once("\" did not complete successfully") {
        Some((command, own)) if command.contains("process \"") => own,
        _ => error,
    }
}

/// An error without its parts in double quotes. Those are names of files and commands, which may contain any words.
fn unquoted(error: &str) -> String {
    let (mut kept, mut rest) = (String::new(), error);
    while let Some((before, quoted)) = rest.split_once('"') {
        let mut escaped = false;
        let end = quoted.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        // Without a closing quote, nothing is quoted.
        let Some(end) = end else { break };
        kept.push_str(before);
        rest = &quoted[end + 1..];
    }
    kept + rest
}

/// The failure with which a build ended. `advice` says what to do when the registry rejects the image.
pub(super) fn classify(ending: &Ending, advice: &Advice) -> Failure {
    let Some(error) = last(&ending.said) else {
        if ending.out_of_memory {
            return memory("the kernel killed BuildKit");
        }
        let end = ending.said.last().map_or("it printed nothing", String::as_str);
        let message = format!(
            "BuildKit stopped before the end of the build: {}; if it happens again, find out on its node what stopped \
             it",
            short(end)
        );
        return Failure::new(Stage::Build, FailureReason::BuilderUnavailable, message);
    };
    let own = own(error);
    let words = unquoted(own);
    if words.contains("failed to push") || words.contains("exporting to image: push") {
        return push(error, &below(&ending.said), advice);
    }
    let metadata = "failed to resolve source metadata for ";
    let base = own.split_once(metadata).filter(|_| words.contains(metadata));
    if let Some((_, rest)) = base.filter(|(_, rest)| !disk::is_full(rest)) {
        return base_image(rest);
    }
    if is_network(&words) && (words.contains("failed to copy") || words.contains("failed to do request")) {
        let message = format!("a base image could not be pulled: {}; {REACH}", short(error));
        return Failure::new(Stage::Build, FailureReason::BaseImageUnreachable, message);
    }
    if ending.out_of_memory && (is_daemon(&words) || was_killed(ending, &words)) {
        return memory(&step(ending, error));
    }
    if is_daemon(&words) || printed(ending, is_runtime) {
        let message =
            format!("the build daemon stopped, or could not run a step on this node: {}", short(error));
        return Failure::new(Stage::Build, FailureReason::BuilderUnavailable, message);
    }
    if disk::is_full(&words) || printed(ending, disk::is_full) {
        return disk::full(Stage::Build, &step(ending, error));
    }
    Failure::new(Stage::Build, FailureReason::BuildFailed, step(ending, error))
}

fn memory(what: &str) -> Failure {
    let message = format!(
        "{what}; the build needs more memory than its pod may use. Raise spec.build.resources.limits.memory, which \
         applies from the next attempt, or build.resources of the chart"
    );
    Failure::new(Stage::Build, FailureReason::OutOfMemory, message)
}

/// Whether a signal ended the step, or the step says that a signal ended one of its programs. A kill after which the
/// step went on did not cause its failure.
fn was_killed(ending: &Ending, error: &str) -> bool {
    let words = ["Killed", "SIGKILL", "signal 9", "signal: 9", "signal: killed"];
    let says = |line: &str| words.iter().any(|word| line.contains(word));
    error.contains("exit code: 137") || printed(ending, says)
}

/// Whether one of the last lines that the step printed is like this.
fn printed(ending: &Ending, is: impl Fn(&str) -> bool) -> bool {
    ending.output.iter().rev().take(20).any(|line| is(line))
}

/// The failure of a push. `words` are the registry's own.
fn push(error: &str, words: &str, advice: &Advice) -> Failure {
    let status = status(error);
    let said = if words.is_empty() { String::new() } else { format!(": {}", short(words)) };
    let why = format!("{}{said}", short(error));
    if quota::is_full(status, words) {
        let message = format!("the image is built, but the registry is full: {why}; {}", advice.full);
        return Failure::new(Stage::Push, FailureReason::RegistryFull, message);
    }
    let denied = ["denied", "insufficient_scope", "authorization failed"];
    if matches!(status, 401 | 403) || denied.iter().any(|word| error.contains(word)) {
        let message = format!("the registry rejected the image: {why}; {}", advice.refused);
        return Failure::new(Stage::Push, FailureReason::RegistryDenied, message);
    }
    let message = format!(
        "the image is built, but the registry did not accept it: {why}; check that pods can reach it and that it has \
         space"
    );
    Failure::new(Stage::Push, FailureReason::RegistryUnavailable, message)
}

/// The HTTP status at the end of an error, `…: 403 Forbidden`; 0 without one.
fn status(error: &str) -> u16 {
    let number = |part: &str| part.split_once(' ').filter(|(code, _)| code.len() == 3)?.0.parse().ok();
    error.rsplit(": ").find_map(number).unwrap_or(0)
}

/// The failure of a base image; `rest` is `image: why`.
fn base_image(rest: &str) -> Failure {
    let (image, why) = rest.split_once(": ").unwrap_or((rest, ""));
    // BuildKit reports this as "not found", too.
    if why.contains("no match for platform") {
        let message = format!(
            "the base image {image} does not exist for the platform of the build: {}; set FROM to an image for this platform",
            short(why)
        );
        return Failure::new(Stage::Build, FailureReason::BuildFailed, message);
    }
    let missing =
        ["not found", "pull access denied", "repository does not exist", "insufficient_scope", "401", "403"];
    if missing.iter().any(|word| why.contains(word)) && !is_network(why) {
        let message = format!(
            "the base image {image} does not exist or is private; correct FROM, or add its registry to the Secret in \
             spec.build.output.pushSecretRef: {}",
            short(why)
        );
        return Failure::new(Stage::Build, FailureReason::BaseImageNotFound, message);
    }
    if why.contains("invalid reference format") {
        let message = format!("the base image {image} cannot be used: {}", short(why));
        return Failure::new(Stage::Build, FailureReason::BuildFailed, message);
    }
    let message = format!("the base image {image} could not be pulled: {}; {REACH}", short(why));
    Failure::new(Stage::Build, FailureReason::BaseImageUnreachable, message)
}

/// An error in the source: the step, the line, the exit code, and what the well-known codes mean.
fn step(ending: &Ending, error: &str) -> String {
    // The step's own error says the same and is shorter.
    let error = ending.error.as_deref().unwrap_or(error);
    let place = ending.said.iter().rev().find_map(|line| dockerfile_line(line));
    let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
    let code = error.rsplit_once("exit code: ").map(|(_, code)| code.trim());
    let step = ending.step.as_deref().filter(|step| step.starts_with('['));
    let step = step.map(|step| format!("step {}{place}", short(step)));
    if let Some(copy) = copy(ending, error) {
        return format!("{copy}{place}");
    }
    let lines = || ending.output.iter().map(String::as_str);
    let named = |what: &str, ends: &[&str], how: &str| match not_found::command(lines(), ends) {
        Some(name) => format!("; the command {name:?} {how}"),
        None => format!("; {what} {how}"),
    };
    let hint = match code {
        Some(code) if code.starts_with("137") && !ending.out_of_memory => {
            "; it was killed, most likely because it ran out of memory".to_owned()
        }
        Some("127") if let Some(library) = not_found::library(lines()) => {
            format!("; the shared library {library:?} is missing: install the package that contains it")
        }
        Some("127") => named("a command", not_found::NOT_FOUND, "was not found"),
        Some("126") => named("a command", not_found::NOT_RUN, "is not executable"),
        _ => String::new(),
    };
    match (step, code) {
        (Some(step), Some(code)) => format!("{step} ended with exit code {code}{hint}"),
        (Some(step), None) => format!("{step} failed: {}{hint}", short(error)),
        (None, _) => format!("{}{place}{hint}", short(error)),
    }
}

/// Reads `Dockerfile:5`, which BuildKit prints above the lines of the Dockerfile that failed.
fn dockerfile_line(line: &str) -> Option<String> {
    let (name, number) = line.rsplit_once(':')?;
    let fits = !name.is_empty()
        && !name.contains(' ')
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| format!("{name}, line {number}"))
}

fn is_network(error: &str) -> bool {
    let words = [
        "no such host",
        "connection refused",
        "connection reset",
        "i/o timeout",
        "TLS handshake",
        "x509:",
        "no route to host",
        "network is unreachable",
        "unexpected EOF",
        "context deadline exceeded",
        "429 Too Many",
        "500 Internal",
        "502 Bad",
        "503 Service",
        "504 Gateway",
        "server misbehaving",
        "server gave HTTP response",
    ];
    words.iter().any(|word| error.contains(word))
}

/// Whether the pod could not run a step at all. A program that the image lacks is an error in the source.
fn is_runtime(line: &str) -> bool {
    line.contains(" runc run failed: ")
        && !line.contains(": exec: ")
        && !line.contains("unable to start container process")
}

fn is_daemon(error: &str) -> bool {
    [
        "rpc error: code = Unavailable",
        "error reading from server",
        "connection error: desc",
        "closing transport",
    ]
    .iter()
    .any(|word| error.contains(word))
}

fn short(text: &str) -> String {
    shortened(text.trim(), 400)
}

#[cfg(test)]
mod tests;
