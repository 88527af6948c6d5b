//! `build --explain`: prints what would be detected in a directory and generated for it. No network, no cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::detect::{self, Context, Generated, Recipe};
use super::outcome::Failure;
use super::{source, unpack};
use crate::protocol::framework::Framework;
use crate::protocol::order::{Settings, Strategy};
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// Most bytes of the files of a source.
pub const MOST_BYTES: u64 = source::MAX_BYTES;
/// Most files and directories of a source in an archive.
pub const MOST_ENTRIES: u64 = unpack::MAX_ENTRIES;

/// The options of `build`. Options about a source are named like the fields of `spec.build`.
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Print how the operator would build this directory, with the Dockerfile that it would generate.
    #[arg(long, value_name = "DIR")]
    pub explain: Option<PathBuf>,
    /// Print JSON instead: framework, versions, start command, assumptions, warnings and the Dockerfile; after a
    /// failure, its reason and message.
    #[arg(long, requires = "explain")]
    json: bool,
    /// The directory in DIR to build, like `path` of a source; DIR is then the root of the source.
    #[arg(long, requires = "explain", value_name = "PATH")]
    path: Option<String>,
    /// spec.build.strategy.
    #[arg(long, requires = "explain")]
    strategy: Option<Strategy>,
    /// spec.build.dockerfile.
    #[arg(long, requires = "explain")]
    dockerfile: Option<String>,
    /// spec.build.framework.
    #[arg(long, requires = "explain")]
    framework: Option<Framework>,
    /// spec.build.command.
    #[arg(long, requires = "explain")]
    build_command: Option<String>,
    /// spec.build.outputDirectory.
    #[arg(long, requires = "explain", value_name = "DIRECTORY")]
    output_directory: Option<String>,
    /// Name of an entry in spec.build.args; may be repeated.
    #[arg(long, requires = "explain", value_name = "NAME")]
    build_arg: Vec<String>,
    /// Id of an entry in spec.build.secrets; may be repeated.
    #[arg(long, requires = "explain", value_name = "ID")]
    build_secret: Vec<String>,
}

impl Arguments {
    fn settings(&self) -> Settings {
        Settings {
            path: self.path.clone(),
            strategy: self.strategy.unwrap_or_default(),
            dockerfile: self.dockerfile.clone(),
            framework: self.framework,
            command: self.build_command.clone(),
            output_directory: self.output_directory.clone(),
            args: self.build_arg.iter().map(|name| (name.clone(), String::new())).collect::<BTreeMap<_, _>>(),
            secrets: self.build_secret.iter().cloned().collect(),
            ..Settings::default()
        }
    }
}

/// Prints how a directory would be built. Exits with 0, or with 1 and the failure that the build would report.
#[must_use]
pub fn print(directory: &Path, arguments: &Arguments) -> ExitCode {
    let recipe = recipe(directory, &arguments.settings());
    if arguments.json {
        println!("{:#}", json(&recipe));
    } else {
        match &recipe {
            Ok(recipe) => print!("{}", text(recipe)),
            Err(failure) => eprintln!("error: {}: {failure}", failure.reason),
        }
    }
    if recipe.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How a directory would be built, in sentences; or why not, in the words of the build that would fail.
pub fn sentences(directory: &Path, settings: &Settings) -> Result<Vec<String>, String> {
    let recipe = source::verify(directory).and_then(|_| recipe(directory, settings));
    Ok(match recipe.map_err(|failure| failure.to_string())? {
        Recipe::Dockerfile(name) => vec![format!("builds its {name}")],
        Recipe::Generated(generated) => remarks(&generated).collect(),
    })
}

/// What there is to say about a generated Dockerfile, line by line.
fn remarks(generated: &Generated) -> impl Iterator<Item = String> + use<> {
    let framework = format!("framework: {}", generated.framework.name());
    let starts = generated.starts().map(|command| format!("starts: {command}"));
    std::iter::once(framework).chain(generated.findings.lines()).chain(starts)
}

fn recipe(directory: &Path, settings: &Settings) -> Result<Recipe, Failure> {
    let root = directory.canonicalize().map_err(|error| {
        let message = format!("cannot read {}: {error}", directory.display());
        Failure::new(Stage::Detect, FailureReason::PathNotFound, message)
    })?;
    let context = source::context(&root, settings.path.as_deref())?;
    detect::detect(&root, &context, settings)
}

/// The explanation: the Dockerfile, with everything else as comments in it.
fn text(recipe: &Recipe) -> String {
    match recipe {
        Recipe::Dockerfile(name) => format!("# The build uses {name} of the source unchanged.\n"),
        Recipe::Generated(generated) => {
            let head = remarks(generated).fold(String::new(), |text, line| text + &format!("# {line}\n"));
            head + &generated.text
        }
    }
}

/// The explanation as JSON. The keys do not change between releases.
fn json(recipe: &Result<Recipe, Failure>) -> Value {
    match recipe {
        Ok(Recipe::Dockerfile(name)) => json!({ "dockerfile": name, "generated": false }),
        Ok(Recipe::Generated(generated)) => {
            let Generated { framework, text, context, findings } = generated;
            json!({
                "generated": true,
                "framework": framework.name(),
                "context": match context { Context::Directory => "Path", Context::Source => "Root" },
                "versions": findings.versions,
                "starts": generated.starts(),
                "assumed": findings.assumed,
                "warnings": findings.warnings,
                "text": text,
            })
        }
        Err(failure) => json!({ "reason": failure.reason.to_string(), "message": failure.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explain_prints_a_dockerfile_with_comments() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("package.json"), r#"{"scripts":{"start":"node a"}}"#).unwrap();
        let explain = || text(&recipe(dir.path(), &Settings::default()).unwrap());
        let text = explain();
        assert!(
            text.starts_with("# framework: Node\n# Node 22: ")
                && text.contains("\n# note: ")
                && text.contains("\nFROM docker.io/"),
            "{text}"
        );
        std::fs::write(dir.path().join("Dockerfile"), "FROM x").unwrap();
        assert_eq!(explain(), "# The build uses Dockerfile of the source unchanged.\n");
    }

    #[test]
    fn a_missing_directory_is_named() {
        let failure = recipe(Path::new("/nowhere/at-all"), &Settings::default()).unwrap_err();
        assert!(failure.message.contains("/nowhere/at-all"), "{}", failure.message);
    }

    #[test]
    fn explain_prints_the_same_facts_as_json() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("index.html"), "x").unwrap();
        let explained = |path: Option<&str>| {
            let settings = Settings { path: path.map(str::to_owned), ..Settings::default() };
            json(&recipe(dir.path(), &settings))
        };
        let found = explained(None);
        assert_eq!((found["generated"].as_bool(), found["framework"].as_str()), (Some(true), Some("Static")));
        assert!(found["starts"].as_str().unwrap().contains("nginx"), "{found}");
        std::fs::create_dir(dir.path().join("empty")).unwrap();
        assert_eq!(explained(Some("empty"))["reason"], "NoBuilder");
        assert_eq!(explained(Some("absent"))["reason"], "PathNotFound");
    }
}
