//! A shell script, or a Procfile without any known language.

use super::findings::Findings;
use super::tree::Tree;
use super::{Context, Generated, missing, procfile};
use crate::builder::dockerfile::script::{self, Plan};
use crate::builder::dockerfile::start;
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

/// Script names that are programs, by preference.
pub(super) const PROGRAMS: [&str; 6] =
    ["start.sh", "run.sh", "main.sh", "app.sh", "entrypoint.sh", "Procfile"];

/// Commands that a script may call, and the package of Debian that has them.
const COMMANDS: [(&str, &str); 24] = [
    ("busybox", "busybox"),
    ("curl", "curl"),
    ("wget", "wget"),
    ("jq", "jq"),
    ("git", "git"),
    ("zip", "zip"),
    ("unzip", "unzip"),
    ("nc", "netcat-openbsd"),
    ("socat", "socat"),
    ("python3", "python3"),
    ("ffmpeg", "ffmpeg"),
    ("sqlite3", "sqlite3"),
    ("node", "nodejs"),
    ("psql", "postgresql-client"),
    ("pg_dump", "postgresql-client"),
    ("mysql", "default-mysql-client"),
    ("redis-cli", "redis-tools"),
    ("rsync", "rsync"),
    ("ssh", "openssh-client"),
    ("bc", "bc"),
    ("envsubst", "gettext-base"),
    ("ps", "procps"),
    ("openssl", "openssl"),
    ("xz", "xz-utils"),
];

/// The recipe for a shell script.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let mut findings = Findings::default();
    let said = procfile::start(tree, &mut findings)?;
    let script = tree.first(&PROGRAMS[..5]);
    let text = script.map(|file| tree.text(file)).transpose()?.flatten().unwrap_or_default();
    let shell = shell(&text);
    let start = match (said, script) {
        (Some(words), _) => words,
        (None, Some(file)) => start::forwarding(&format!("{shell} {file}")),
        (None, None) => return Err(missing("start.sh", Framework::Shell)),
    };
    findings.assume(
        "the build cannot tell whether the script listens on a port; if it does not, set spec.run.health.type: None, \
         or its version never becomes ready",
    );
    let mut packages = packages(&format!("{text} {}", start.join(" ")));
    if !["bash", "sh", "dash"].contains(&shell) {
        packages.push(shell);
    }
    let plan =
        Plan { packages, command: settings.command.clone(), arguments: super::arguments(settings), start };
    Ok(Generated {
        framework: Framework::Shell,
        text: script::text(&plan),
        context: Context::Directory,
        findings,
    })
}

/// The shell that the first line of a script names; bash where it names none.
fn shell(text: &str) -> &'static str {
    let first = text.lines().next().filter(|line| line.starts_with("#!")).unwrap_or_default();
    let name = first.split_whitespace().last().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    ["bash", "sh", "dash", "zsh", "fish", "ksh"].into_iter().find(|shell| *shell == name).unwrap_or("bash")
}

/// The packages of the commands among the words of a script.
fn packages(text: &str) -> Vec<&'static str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let words: std::collections::BTreeSet<&str> = code
        .flat_map(|line| line.split(|char: char| !char.is_ascii_alphanumeric() && !"_-".contains(char)))
        .collect();
    let mut found: Vec<&str> =
        COMMANDS.iter().filter(|(command, _)| words.contains(command)).map(|(_, package)| *package).collect();
    if ["curl", "wget", "git"].iter().any(|name| found.contains(name)) {
        found.push("ca-certificates");
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::auto;
    use crate::builder::detect::Recipe;

    fn text(files: &[(&str, &str)]) -> String {
        match auto(files).unwrap() {
            Recipe::Generated(made) => made.text,
            Recipe::Dockerfile(_) => panic!(),
        }
    }

    #[test]
    fn a_script_runs_in_its_shell_and_stops_on_sigterm() {
        let bash = text(&[("start.sh", "#!/bin/bash\nx=(a b)\ncurl https://x | jq .\n")]);
        assert!(bash.contains("bash start.sh") && bash.contains("trap 'kill -TERM -1'"), "{bash}");
        assert!(bash.contains("ca-certificates curl jq") && bash.contains("USER 1000"), "{bash}");
        assert!(text(&[("start.sh", "#!/usr/bin/env zsh\n")]).contains("--no-install-recommends zsh"));
        let served = text(&[("run.sh", "exec busybox httpd -f -p $PORT\n")]);
        assert!(served.contains("--no-install-recommends busybox &&"), "{served}");
        assert!(text(&[("run.sh", "echo 1\n# curl\n")]).contains("bash run.sh"));
        assert!(!text(&[("run.sh", "echo 1\n# curl\n")]).contains("apt-get"));
    }

    #[test]
    fn a_procfile_alone_is_a_program() {
        let made = text(&[("Procfile", "web: ./bin/shop --port $PORT\n"), ("bin/shop", "x")]);
        assert!(made.contains(r#"CMD ["/bin/sh", "-c", "exec ./bin/shop --port $PORT"]"#), "{made}");
    }
}
