//! How a container ended, in words: the exit code, the cause, and what the code means.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus};

use super::last_output;
use crate::text::bounded;
use crate::text::not_found::{NOT_FOUND, NOT_RUN, command};

/// Maximum length of the kept output of a program, in bytes.
const LOG: usize = 2048;

/// The program of a container, as messages name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    called: &'static str,
    /// The field that holds its command.
    written: &'static str,
}

/// The app.
pub(super) const APP: Program =
    Program { called: "the app", written: "spec.run.command, or CMD and ENTRYPOINT of the image" };

/// The init command, which runs before the app.
pub(super) const INIT: Program =
    Program { called: "its init command", written: "spec.run.initCommand.command" };

/// How the container ended last; none if it never ended.
pub(super) fn last(status: &ContainerStatus) -> Option<ContainerStateTerminated> {
    let of = |state: &Option<ContainerState>| state.as_ref()?.terminated.clone();
    of(&status.state).or_else(|| of(&status.last_state))
}

/// Describes how it ended, with its cause.
pub(super) fn words(ended: &ContainerStateTerminated, program: Program) -> String {
    if let Some(why) = not_started(ended, program) {
        return why;
    }
    let said = ended.message.as_deref().unwrap_or_default();
    let cause = last_output::cause(said).map(|cause| format!(": {cause}")).unwrap_or_default();
    let reason = ended.reason.as_deref().filter(|reason| *reason != "Error");
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let meaning = meaning(ended).map(|meaning| format!("; {meaning}")).unwrap_or_default();
    format!("{} ended with exit code {}{reason}{cause}{meaning}", program.called, ended.exit_code)
}

/// The end of its output, for `status.failure.log`; empty if the program itself printed nothing.
pub(super) fn log(ended: &ContainerStateTerminated) -> String {
    let said = ended.message.as_deref().map(str::trim_end).unwrap_or_default();
    if never_ran(ended) {
        return String::new(); // This is the text of the container runtime, which is in the message already.
    }
    let from = (said.len().saturating_sub(LOG)..said.len()).find(|at| said.is_char_boundary(*at));
    bounded(&said[from.unwrap_or(said.len())..], LOG)
}

/// No start can ever succeed, because of the image or the command.
pub(super) fn is_certain(ended: &ContainerStateTerminated, restarts: i32) -> bool {
    // The exit code of a shell may depend on what it finds, so it counts only after several restarts.
    restarts >= 1 && never_ran(ended) || restarts >= 3 && matches!(ended.exit_code, 126 | 127)
}

/// What the exit code means, beside the output of the program.
fn meaning(ended: &ContainerStateTerminated) -> Option<String> {
    let said = ended.message.as_deref().unwrap_or_default();
    let killed = ended.reason.as_deref() == Some("OOMKilled");
    Some(match ended.exit_code {
        0 => "a server must not exit: does its command start it in the foreground?".to_owned(),
        137 if killed => "it exceeded its memory limit: raise spec.run.resources.limits.memory".to_owned(),
        _ if killed => {
            "one of its processes exceeded the memory limit: raise spec.run.resources.limits.memory"
                .to_owned()
        }
        126 => match command(said.lines(), NOT_RUN) {
            Some(name) => {
                format!("the command {name:?} cannot be run: not executable, or for another CPU architecture")
            }
            None => "the command cannot be run: not executable, or for another CPU architecture".to_owned(),
        },
        127 => match command(said.lines(), NOT_FOUND) {
            Some(name) => format!("the command {name:?} was not found in the image"),
            None => "a command was not found in the image".to_owned(),
        },
        137 => "it was killed (SIGKILL)".to_owned(),
        143 => "it was terminated (SIGTERM)".to_owned(),
        139 => "it crashed (SIGSEGV)".to_owned(),
        134 => "it aborted (SIGABRT)".to_owned(),
        132 => "it uses an instruction that this CPU does not support (SIGILL)".to_owned(),
        129..=165 => format!("signal {} terminated it", ended.exit_code - 128),
        _ => return None,
    })
}

/// The container runtime could not start the program, whichever it is.
fn never_ran(ended: &ContainerStateTerminated) -> bool {
    not_started(ended, APP).is_some()
}

/// Why the container runtime could not start the program and never can. Its message names the program.
fn not_started(ended: &ContainerStateTerminated, program: Program) -> Option<String> {
    let runtime = matches!(ended.reason.as_deref(), Some("StartError" | "ContainerCannotRun"));
    ended.message.as_deref().filter(|_| runtime).and_then(|said| unstartable(said, program))
}

/// The same, from the message of the container runtime: `exec: "foo": executable file not found in $PATH`.
pub(super) fn unstartable(said: &str, of: Program) -> Option<String> {
    let program = said.rsplit_once("exec: \"").and_then(|(_, rest)| Some(rest.split_once('"')?.0));
    let (program, why) = (program.map(|name| bounded(name, 100)), said);
    let correct = format!("correct {}", of.written);
    let named =
        program.as_ref().map_or_else(|| "the command".to_owned(), |name| format!("the command {name:?}"));
    if why.contains("exec format error") {
        return Some(format!(
            "{named} cannot be run on this node: it is built for another CPU architecture, or a script without #! in line 1"
        ));
    }
    program.as_ref()?;
    if why.contains("executable file not found") {
        return Some(format!("{named} was not found in the image: {correct}"));
    }
    if why.contains("no such file or directory") {
        return Some(format!(
            "{named} was not found in the image, or the interpreter in its first line was not: {correct}"
        ));
    }
    if why.contains("permission denied") {
        return Some(format!(
            "{named} is not executable for the user of the image: make it so with chmod +x, or {correct}"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: i32, reason: &str, said: &str) -> ContainerStateTerminated {
        ContainerStateTerminated {
            exit_code: code,
            reason: Some(reason.to_owned()),
            message: Some(said.to_owned()).filter(|said| !said.is_empty()),
            ..ContainerStateTerminated::default()
        }
    }

    const CREATE: &str = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: \
                          unable to start container process: error during container init: ";

    #[test]
    fn exit_codes_are_explained_with_the_name_of_the_command() {
        for (code, reason, said, words) in [
            (
                1,
                "Error",
                "Error: no\n    at x\n\nNode.js v22.1.0",
                "the app ended with exit code 1: Error: no",
            ),
            (127, "Error", "sh: 1: foo: not found", "the command \"foo\" was not found in the image"),
            (
                127,
                "Error",
                "bash: line 1: bar: command not found",
                "the command \"bar\" was not found in the image",
            ),
            (127, "Error", "", "a command was not found in the image"),
            (126, "Error", "/run.sh: 3: ./app: Permission denied", "the command \"./app\" cannot be run"),
            (137, "OOMKilled", "", "raise spec.run.resources.limits.memory"),
            (1, "OOMKilled", "Killed", "raise spec.run.resources.limits.memory"),
            (137, "Error", "", "it was killed (SIGKILL)"),
            (143, "Error", "", "it was terminated (SIGTERM)"),
            (139, "Error", "", "it crashed (SIGSEGV)"),
            (0, "Completed", "", "exit code 0 (Completed); a server must not exit"),
        ] {
            let made = super::words(&ended(code, reason, said), APP);
            assert!(made.contains(words), "{code}: {made}");
        }
    }

    #[test]
    fn a_program_that_the_runtime_cannot_start_is_named_and_a_certain_failure() {
        for (said, words) in [
            (
                "exec: \"foo\": executable file not found in $PATH: unknown",
                "\"foo\" was not found in the image",
            ),
            ("exec: \"/app\": permission denied: unknown", "\"/app\" is not executable"),
            ("exec: \"/run.sh\": stat /run.sh: no such file or directory", "\"/run.sh\" was not found"),
            ("exec /app: exec format error", "another CPU architecture"),
        ] {
            let ended = ended(128, "StartError", &format!("{CREATE}{said}"));
            assert!(super::words(&ended, APP).contains(words), "{}", super::words(&ended, APP));
            assert!(is_certain(&ended, 1) && !is_certain(&ended, 0));
            assert_eq!(log(&ended), "");
        }
        let other = ended(
            128,
            "StartError",
            &format!("{CREATE}error setting cgroup config: device or resource busy"),
        );
        assert!(!is_certain(&other, 9), "it may be temporary");
    }

    #[test]
    fn a_crash_is_certain_only_if_a_shell_repeatedly_does_not_find_the_program() {
        assert!(!is_certain(&ended(1, "Error", "connect ECONNREFUSED"), 50), "its database may start later");
        assert!(!is_certain(&ended(0, "Completed", ""), 50));
        assert!(!is_certain(&ended(127, "Error", ""), 2) && is_certain(&ended(127, "Error", ""), 3));
    }

    #[test]
    fn the_log_keeps_the_end_of_the_output() {
        let long = format!("{}é\nlast", "x".repeat(3000));
        let kept = log(&ended(1, "Error", &long));
        assert!(kept.len() <= LOG && kept.ends_with("é\nlast"));
        assert_eq!(log(&ended(1, "Error", "")), "");
    }
}
