//! What the end of a failed build means: whose fault it is and which step it was. It only reads text.

mod copy;

use super::super::disk;
use super::super::log::shortened;
use super::super::outcome::Failure;
use super::super::registry::{Advice, room};
use crate::protocol::reason::Reason;
use crate::protocol::report::Stage;
use crate::text::not_found;
use copy::copy;
pub(super) use copy::missing;

/// What to do when the registry of a base image does not answer.
const REACH: &str = "check that pods reach its registry, or ask the platform's owner for a mirror (build.mirror of the chart)";

const FINAL: &str = "error: failed to solve: ";

/// How a build ended, as `BuildKit` tells it. What steps print stands in `output` alone, so that none can speak for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    /// What buildctl said itself, the last lines.
    pub(super) said: Vec<String>,
    /// Name of the step that failed.
    pub(super) step: Option<String>,
    /// Its error.
    pub(super) error: Option<String>,
    /// The last lines that it printed.
    pub(super) output: Vec<String>,
    /// The file that COPY did not find is in the source all the same.
    pub(super) left_out: bool,
    /// While it ran, the kernel ended a program of the pod for want of memory.
    pub(super) out_of_memory: bool,
}

/// The error that the build as a whole ended with.
pub(super) fn last(said: &[String]) -> Option<&str> {
    said.iter().rev().find_map(|line| line.strip_prefix(FINAL))
}

/// What stands below that error: there `BuildKit` writes what a registry said beside the status of its answer.
fn below(said: &[String]) -> String {
    let from = said.iter().rposition(|line| line.starts_with(FINAL)).map_or(said.len(), |at| at + 1);
    let lines = said[from..].iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// What of an error `BuildKit` says itself: that of a step holds the step's command, quoted, and a command may speak of
/// anything.
fn own(error: &str) -> &str {
    match error.rsplit_once("\" did not complete successfully") {
        Some((command, own)) if command.contains("process \"") => own,
        _ => error,
    }
}

/// An error without what stands in it between double quotes: there it names files and commands, which may be called anything.
fn unquoted(error: &str) -> String {
    let (mut kept, mut rest) = (String::new(), error);
    while let Some((before, quoted)) = rest.split_once('"') {
        let mut escaped = false;
        let end = quoted.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        // Where the quotes do not end, nothing is quoted.
        let Some(end) = end else { break };
        kept.push_str(before);
        rest = &quoted[end + 1..];
    }
    kept + rest
}

/// The failure that a build ended with; `advice` is what to do when the registry does not take the image.
pub(super) fn classify(ending: &Ending, advice: &Advice) -> Failure {
    let Some(error) = last(&ending.said) else {
        if ending.out_of_memory {
            return memory("BuildKit was ended");
        }
        let end = ending.said.last().map_or("it said nothing", String::as_str);
        let message = format!(
            "BuildKit went away: {}; if it goes away again, see what ended it on its node",
            short(end)
        );
        return Failure::new(Stage::Build, Reason::BuilderUnavailable, message);
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
        return Failure::new(Stage::Build, Reason::BaseImageUnreachable, message);
    }
    if ending.out_of_memory && (is_daemon(&words) || was_killed(ending, &words)) {
        return memory(&step(ending, error));
    }
    if is_daemon(&words) || printed(ending, is_runtime) {
        let message =
            format!("the build daemon stopped, or could not run a step on this node: {}", short(error));
        return Failure::new(Stage::Build, Reason::BuilderUnavailable, message);
    }
    if disk::is_full(&words) || printed(ending, disk::is_full) {
        return disk::full(Stage::Build, &step(ending, error));
    }
    Failure::new(Stage::Build, Reason::BuildFailed, step(ending, error))
}

fn memory(what: &str) -> Failure {
    let message = format!(
        "{what}; the build needs more memory than its pod may have: raise spec.build.resources.limits.memory, which the next \
         attempt has then, or build.resources of the chart"
    );
    Failure::new(Stage::Build, Reason::OutOfMemory, message)
}

/// The step ended by a signal, or says that one of its own programs did: a kill that a step went on after is none of its
/// failure.
fn was_killed(ending: &Ending, error: &str) -> bool {
    let words = ["Killed", "SIGKILL", "signal 9", "signal: 9", "signal: killed"];
    let says = |line: &str| words.iter().any(|word| line.contains(word));
    error.contains("exit code: 137") || printed(ending, says)
}

/// Among the last lines that the step printed is one like this.
fn printed(ending: &Ending, is: impl Fn(&str) -> bool) -> bool {
    ending.output.iter().rev().take(20).any(|line| is(line))
}

/// `words` are the registry's own.
fn push(error: &str, words: &str, advice: &Advice) -> Failure {
    let status = status(error);
    let said = if words.is_empty() { String::new() } else { format!(": {}", short(words)) };
    let why = format!("{}{said}", short(error));
    if room::is_full(status, words) {
        let message =
            format!("the image is built, but the registry has no room for it: {why}; {}", advice.full);
        return Failure::new(Stage::Push, Reason::RegistryFull, message);
    }
    let denied = ["denied", "insufficient_scope", "authorization failed"];
    if matches!(status, 401 | 403) || denied.iter().any(|word| error.contains(word)) {
        let message = format!("the registry refused the image: {why}; {}", advice.refused);
        return Failure::new(Stage::Push, Reason::RegistryDenied, message);
    }
    let message = format!(
        "the image is built, but the registry did not take it: {why}; check that pods reach it and that it has room"
    );
    Failure::new(Stage::Push, Reason::RegistryUnavailable, message)
}

/// The status of the answer that an error ends with, `…: 403 Forbidden`; 0 where there was none.
fn status(error: &str) -> u16 {
    let number = |part: &str| part.split_once(' ').filter(|(code, _)| code.len() == 3)?.0.parse().ok();
    error.rsplit(": ").find_map(number).unwrap_or(0)
}

/// `rest` is `image: why`.
fn base_image(rest: &str) -> Failure {
    let (image, why) = rest.split_once(": ").unwrap_or((rest, ""));
    // BuildKit says of this, too, that something is not found.
    if why.contains("no match for platform") {
        let message = format!(
            "the base image {image} is not there for the platform of the build: {}; write one into FROM that is",
            short(why)
        );
        return Failure::new(Stage::Build, Reason::BuildFailed, message);
    }
    let missing =
        ["not found", "pull access denied", "repository does not exist", "insufficient_scope", "401", "403"];
    if missing.iter().any(|word| why.contains(word)) && !is_network(why) {
        let message = format!(
            "the base image {image} does not exist, or not for everyone; correct FROM, or add its registry to the Secret of \
             spec.build.output.pushSecretRef: {}",
            short(why)
        );
        return Failure::new(Stage::Build, Reason::BaseImageNotFound, message);
    }
    if why.contains("invalid reference format") {
        let message = format!("the base image {image} cannot be used: {}", short(why));
        return Failure::new(Stage::Build, Reason::BuildFailed, message);
    }
    let message = format!("the base image {image} could not be pulled: {}; {REACH}", short(why));
    Failure::new(Stage::Build, Reason::BaseImageUnreachable, message)
}

/// The user's error: which step, which line, which exit code, and what the well-known codes mean.
fn step(ending: &Ending, error: &str) -> String {
    // The step's own error says the same in fewer words.
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
            "; it was killed, most likely for want of memory".to_owned()
        }
        Some("127") if let Some(library) = not_found::library(lines()) => {
            format!("; the shared library {library:?} is missing: install the package that has it")
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

/// `Dockerfile:5`, as BuildKit prints above the lines of the Dockerfile that failed.
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

/// The pod could not run a step at all; a program that the image does not have is the user's error.
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
