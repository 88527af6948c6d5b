//! Deno: the task `start`, else a file with a usual name.

use serde::Deserialize;
use std::collections::BTreeMap;

use super::findings::Findings;
use super::names::is_path;
use super::node::is_range;
use super::tree::Tree;
use super::{Context, Generated, arguments, no_builder, procfile, step, tools};
use crate::builder::dockerfile::deno::{self, Plan};
use crate::builder::dockerfile::{Step, start};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

/// Files that only Deno has.
const SIGNS: [&str; 5] = ["deno.json", "deno.jsonc", "deno.lock", ".deno-version", ".dvmrc"];

/// Usual main files of a program.
const FILES: [&str; 12] = [
    "main.ts",
    "main.tsx",
    "main.js",
    "mod.ts",
    "server.ts",
    "server.js",
    "app.ts",
    "index.ts",
    "src/main.ts",
    "src/mod.ts",
    "src/server.ts",
    "src/index.ts",
];

/// The fields of deno.json that are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Configuration {
    tasks: BTreeMap<String, Task>,
}

/// A task is a line, or an object with one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Task {
    Line(String),
    Described {
        #[serde(default)]
        command: String,
    },
}

impl Task {
    fn line(&self) -> &str {
        match self {
            Self::Line(line) | Self::Described { command: line } => line.trim(),
        }
    }
}

/// The file that identifies a Deno program: one that only Deno has, or one with Deno's imports.
pub(super) fn sign(tree: Tree<'_>) -> Option<&'static str> {
    if let Some(file) = tree.first(&SIGNS) {
        return Some(file);
    }
    let marks = ["Deno.", "\"jsr:", "'jsr:", "https://deno.land/", "\"npm:", "'npm:"];
    tree.first(&FILES).filter(|file| {
        let head = tree.head(file);
        marks.iter().any(|mark| head.contains(mark))
    })
}

/// How it is built and started.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let mut findings = Findings::default();
    let version = version(tree, &mut findings)?;
    let tasks = configuration(tree)?.tasks;
    let line = line(tree, &tasks)?;
    let file = tree.first(&FILES);
    let (command, entry) = match (&line, file) {
        (Some(line), _) => (Some(start::command(&on_port(line))), first_file(line, tree)),
        (None, Some(file)) => {
            findings.assume(format!(
                "{file} runs with all permissions (deno run --allow-all); only its container limits it"
            ));
            (Some(program(file, tree)), Some(file.to_owned()))
        }
        (None, None) if settings.framework.is_some() => {
            findings.assume(
                "no file says how the program starts: set spec.run.command, such as [deno, run, -A, app.ts]",
            );
            (None, None)
        }
        (None, None) => {
            return Err(no_builder(
                "deno.json has no task \"start\", and there is no main.ts, server.ts, mod.ts or index.ts at the root \
                 or in src/; add a task, such as \"start\": \"deno run --allow-net main.ts\", or a Dockerfile",
            ));
        }
    };
    let usual = tasks.get("build").is_some_and(|task| !task.line().is_empty()).then_some(Step::Usual);
    let plan =
        Plan { version, entry, build: step(settings).or(usual), arguments: arguments(settings), command };
    Ok(Generated {
        framework: Framework::Deno,
        text: deno::text(&plan),
        context: Context::Directory,
        findings,
    })
}

fn configuration(tree: Tree<'_>) -> Result<Configuration, Failure> {
    let Some(file) = tree.first(&["deno.json", "deno.jsonc"]) else { return Ok(Configuration::default()) };
    let text = tree.text(file)?.unwrap_or_default();
    // Both may contain comments.
    json5::from_str(&text).map_err(|error| no_builder(format!("{file} cannot be read: {error}; correct it")))
}

/// The version that the source names. npm's registry has every version since 1.46.
fn version(tree: Tree<'_>, findings: &mut Findings) -> Result<String, Failure> {
    for file in [".deno-version", ".dvmrc"] {
        if let Some(text) = tree.text(file)? {
            return checked(&text, file, findings);
        }
    }
    if let Some(wanted) = tools::wanted(tree, &["deno"])? {
        return checked(&wanted.version, &wanted.file, findings);
    }
    findings.choose("Deno", "2", "no file names a version");
    Ok("2".to_owned())
}

fn checked(text: &str, file: &str, findings: &mut Findings) -> Result<String, Failure> {
    let version = text.lines().next().unwrap_or_default().trim().trim_start_matches('v');
    if !is_range(version) {
        return Err(no_builder(format!(
            "{file} does not contain a version of Deno such as 2.2.2; write one, or remove the file"
        )));
    }
    findings.choose("Deno", version, file);
    Ok(version.to_owned())
}

/// The start command, with its tasks resolved.
fn line(tree: Tree<'_>, tasks: &BTreeMap<String, Task>) -> Result<Option<String>, Failure> {
    let processes = procfile::read(tree)?;
    let mut line = match procfile::main(&processes) {
        Some(process) => process.command.clone(),
        None => match tasks.get("start") {
            Some(task) => task.line().to_owned(),
            None => return Ok(None),
        },
    };
    for _ in 0..8 {
        let Some(task) = line.strip_prefix("deno task ").and_then(|name| tasks.get(name.trim())) else {
            break;
        };
        task.line().clone_into(&mut line);
    }
    let plain = !line.is_empty() && line.len() <= 4000 && !line.chars().any(char::is_control);
    Ok(plain.then_some(line))
}

/// Adds the port: `deno serve` does not read PORT.
fn on_port(line: &str) -> String {
    if line.contains("deno serve ") && !line.contains("--port") {
        return line.replacen("deno serve ", "deno serve --port ${PORT:-3000} ", 1);
    }
    line.to_owned()
}

/// The command for a file. A server without a port would listen on 8000, whatever PORT is.
fn program(file: &str, tree: Tree<'_>) -> Vec<String> {
    let head = tree.head(file);
    let usual_port = head.contains("Deno.serve(") && !["port", "PORT"].iter().any(|word| head.contains(word));
    if usual_port {
        return start::command(&format!(
            "DENO_SERVE_ADDRESS=tcp:0.0.0.0:${{PORT:-3000}} deno run --allow-all {file}"
        ));
    }
    ["deno", "run", "--allow-all", file].map(str::to_owned).into()
}

/// The file of the source that a line starts.
fn first_file(line: &str, tree: Tree<'_>) -> Option<String> {
    let words = line.split_whitespace().map(|word| word.trim_start_matches("./"));
    words.into_iter().find(|word| is_path(word) && word.contains('.') && tree.has(word)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::Recipe;
    use super::super::tests::auto;

    fn made(files: &[(&str, &str)]) -> (String, String) {
        match auto(files) {
            Ok(Recipe::Generated(made)) => (made.starts().unwrap(), made.text),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_start_task_or_a_conventional_file_starts_the_program() {
        let jsonc = "{\n  // ours\n  \"tasks\": {\"start\": \"deno task run\", \"run\": {\"command\": \"deno run -A app/main.ts\"}, \"build\": \"deno run -A build.ts\",},\n}";
        let (starts, text) =
            made(&[("deno.jsonc", jsonc), ("app/main.ts", ""), (".deno-version", "2.2.2\n")]);
        assert_eq!(starts, "deno run -A app/main.ts");
        for part in ["deno@2.2.2", "deno cache app/main.ts", "deno task build"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let (starts, text) = made(&[("deno.json", "{}"), ("main.ts", "console.log(1)")]);
        assert_eq!(starts, "deno run --allow-all main.ts");
        assert!(text.contains("'deno@2' ") && !text.contains("deno task"), "{text}");
    }

    #[test]
    fn a_server_without_a_port_listens_on_the_port_variable() {
        let (starts, _) = made(&[("main.ts", "Deno.serve(() => new Response('hi'))")]);
        assert_eq!(
            starts,
            "/bin/sh -c DENO_SERVE_ADDRESS=tcp:0.0.0.0:${PORT:-3000} exec deno run --allow-all main.ts"
        );
        let (starts, _) =
            made(&[("deno.json", r#"{"tasks":{"start":"deno serve -A main.ts"}}"#), ("main.ts", "")]);
        assert_eq!(starts, "/bin/sh -c exec deno serve --port ${PORT:-3000} -A main.ts");
    }

    #[test]
    fn a_bad_version_or_a_missing_start_command_is_rejected() {
        let message = |files: &[(&str, &str)]| auto(files).unwrap_err().message;
        assert!(message(&[("deno.json", "{}")]).contains("has no task \"start\""));
        let hostile = message(&[("deno.json", "{}"), ("main.ts", ""), (".deno-version", "2; RUN evil")]);
        assert!(hostile.contains(".deno-version does not contain a version"), "{hostile}");
    }
}
