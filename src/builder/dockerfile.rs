//! The texts of generated Dockerfiles: several stages, no root at run time, layers ordered by how often they change.
//! Only values that `detect` has checked get into them from a source.
//!
//! Results that later steps need are kept in layers, because the cache of a build is its layers in the registry. A
//! cache mount only speeds up a step when the same builder runs again.

use std::fmt::Write as _;

pub(super) mod cpp;
mod debian;
pub(super) mod deno;
pub(super) mod dotnet;
pub(super) mod elixir;
pub(super) mod gleam;
pub(super) mod go;
pub(super) mod images;
pub(super) mod java;
pub(super) mod node;
pub(super) mod offer;
pub(super) mod php;
mod program;
pub(super) mod python;
pub(super) mod ruby;
pub(super) mod rust;
pub(super) mod script;
pub(super) mod site;
pub(super) mod start;

/// Id of the BuildKit secret with the platform's CA certificates. A step finds it at `/run/secrets/doce-ca`.
pub(super) const CA_SECRET: &str = "doce-ca";

/// The file with the trusted certificates in Debian's images.
const SYSTEM_CA: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The build step, after the dependencies are installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The usual build of the framework.
    Usual,
    /// One line for `sh -c`, as the user wrote it.
    Command(String),
}

/// Where a step finds the certificates of the platform.
#[derive(Clone, Copy)]
enum Trust {
    /// In a separate file, next to those of the image. Steps of the source get this one, because they may change the
    /// system's file.
    Beside,
    /// In place of the system's file, for tools that read no other.
    System,
}

/// The head of every generated Dockerfile. Its first line is not a parser directive.
fn header(what: &str) -> String {
    format!("# Generated for {what}. To change it, commit it as Dockerfile.\n")
}

/// A RUN instruction with the certificates and, optionally, a cache directory.
fn run(trust: Trust, cache: Option<&str>, command: &str) -> String {
    let target = match trust {
        Trust::Beside => String::new(),
        Trust::System => format!(",target={SYSTEM_CA}"),
    };
    let mut text = format!("RUN --mount=type=secret,id={CA_SECRET}{target},required=false");
    if let Some(cache) = cache {
        let _ = write!(text, " \\\n    --mount=type=cache,target={cache}");
    }
    let _ = writeln!(text, " \\\n    {command}");
    text
}

/// The exec form of `sh -c` for any line: no character of it has a meaning for the Dockerfile parser.
fn shell(line: &str) -> String {
    // JSON escapes quotes, backslashes and controls; `<` could begin a here-document and `$` a variable.
    let quoted = serde_json::Value::from(line).to_string().replace('<', "\\u003c").replace('$', "\\u0024");
    format!(r#"["/bin/sh", "-c", {quoted}]"#)
}

/// The exec form of a command.
fn exec<S: AsRef<str>>(words: &[S]) -> String {
    let quoted: Vec<String> =
        words.iter().map(|word| serde_json::Value::from(word.as_ref()).to_string()).collect();
    format!("[{}]", quoted.join(", "))
}

/// Build arguments, so that the steps below see them in their environment.
fn arguments(names: &[String]) -> String {
    names.iter().fold(String::new(), |text, name| text + &format!("ARG {name}\n"))
}

/// Files and directories (with a slash at their end) of the context, each into the same place below `target`.
fn copies(paths: &[String], target: &str) -> String {
    let place = |path: &str| path.rsplit_once('/').map_or(String::new(), |(place, _)| format!("{place}/"));
    let mut text = String::new();
    let mut done = Vec::new();
    for path in paths {
        let at = place(path);
        if path.ends_with('/') {
            let _ = writeln!(text, "COPY {path} {target}{path}");
        } else if !done.contains(&at) {
            let beside = paths.iter().filter(|other| !other.ends_with('/') && place(other) == at);
            let files: Vec<&str> = beside.map(String::as_str).collect();
            let _ = writeln!(text, "COPY {} {target}{at}", files.join(" "));
            done.push(at);
        }
    }
    text
}

/// Node and npm next to the tools of another language: the images use the same C library.
const NODE: &str = "COPY --link --from=docker.io/library/node:22-bookworm-slim /usr/local/ /usr/local/\n";

/// The command of an image without a known start command: it prints what to set and exits.
fn no_start() -> String {
    exec(&["/bin/sh", "-c", "echo 'no file says how the program starts: set spec.run.command' >&2; exit 64"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_command_is_one_quoted_word_on_one_line() {
        let text = shell("a \"b\" && c <<EOF $HOME \\");
        assert_eq!(text, r#"["/bin/sh", "-c", "a \"b\" && c \u003c\u003cEOF \u0024HOME \\"]"#);
        let back: Vec<String> = serde_json::from_str(&text).unwrap();
        assert_eq!(back[2], "a \"b\" && c <<EOF $HOME \\");
        assert!(!shell("a\nRUN b").contains('\n'));
    }

    #[test]
    fn certificates_are_mounted_as_a_secret_and_never_stored_in_a_layer() {
        let beside = run(Trust::Beside, None, "npm ci");
        assert_eq!(beside, "RUN --mount=type=secret,id=doce-ca,required=false \\\n    npm ci\n");
        let system = run(Trust::System, Some("/root/.cache/pip"), "pip install .");
        assert!(system.contains("target=/etc/ssl/certs/ca-certificates.crt,required=false"), "{system}");
        assert!(system.contains("--mount=type=cache,target=/root/.cache/pip"), "{system}");
    }
}
