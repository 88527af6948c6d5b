//! How an image starts a program that is one file: directly, or by a shell that it replaces.

use super::{exec, start};

/// The last instructions of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// ENTRYPOINT and CMD, each a line.
    pub(super) text: String,
    /// A shell starts the program, so the image must have one.
    pub(super) shell: bool,
}

/// Starts the program at `path` with `arguments`. Variables need a shell.
pub(super) fn entry(path: &str, arguments: &str) -> Entry {
    let words = start::command(format!("{path} {arguments}").trim());
    match words.split_first() {
        Some((program, [])) if program == path => {
            Entry { text: format!("ENTRYPOINT {}\n", exec(&[path])), shell: false }
        }
        Some((program, rest)) if program == path => {
            Entry { text: format!("ENTRYPOINT {}\nCMD {}\n", exec(&[path]), exec(rest)), shell: false }
        }
        _ => Entry { text: format!("CMD {}\n", exec(&words)), shell: true },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_is_used_only_for_variables() {
        assert_eq!(entry("/app", "").text, "ENTRYPOINT [\"/app\"]\n");
        let words = entry("/app", "serve --all");
        assert_eq!(
            (words.text.as_str(), words.shell),
            ("ENTRYPOINT [\"/app\"]\nCMD [\"serve\", \"--all\"]\n", false)
        );
        let shell = entry("/app", "--port $PORT");
        assert_eq!(
            (shell.text.as_str(), shell.shell),
            ("CMD [\"/bin/sh\", \"-c\", \"exec /app --port $PORT\"]\n", true)
        );
    }
}
