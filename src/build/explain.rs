//! `build --explain`: what would be detected in a directory and written for it. No network, no cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::detect::{self, Recipe};
use super::order::{Framework, Settings, Strategy};
use super::outcome::Failure;
use super::reason::Reason;
use super::report::Stage;

/// The options of `build`; the names of those about a source are the fields of `spec.build`.
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Say how this directory would be built, and print the Dockerfile that would be written for it.
    #[arg(long, value_name = "DIR")]
    pub explain: Option<PathBuf>,
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
    /// The name of one of spec.build.args; may be repeated.
    #[arg(long, requires = "explain", value_name = "NAME")]
    build_arg: Vec<String>,
    /// The id of one of spec.build.secrets; may be repeated.
    #[arg(long, requires = "explain", value_name = "ID")]
    build_secret: Vec<String>,
}

impl Arguments {
    fn settings(&self) -> Settings {
        Settings {
            strategy: self.strategy.unwrap_or_default(),
            dockerfile: self.dockerfile.clone(),
            framework: self.framework,
            command: self.build_command.clone(),
            args: self.build_arg.iter().map(|name| (name.clone(), String::new())).collect::<BTreeMap<_, _>>(),
            secrets: self.build_secret.iter().cloned().collect(),
            ..Settings::default()
        }
    }
}

/// Prints what would be built of a directory: 0, or 1 with the failure that the build would report.
#[must_use]
pub fn print(directory: &Path, arguments: &Arguments) -> ExitCode {
    match explain(directory, &arguments.settings()) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("error: {}: {failure}", failure.reason);
            ExitCode::FAILURE
        }
    }
}

/// The explanation; all that is not the Dockerfile is a comment of it.
fn explain(directory: &Path, settings: &Settings) -> Result<String, Failure> {
    let context = directory.canonicalize().map_err(|error| {
        let message = format!("{} cannot be read: {error}", directory.display());
        Failure::new(Stage::Detect, Reason::PathNotFound, message)
    })?;
    Ok(match detect::detect(&context, settings)? {
        Recipe::Dockerfile(name) => format!("# {name} of the source is built as it is.\n"),
        Recipe::Generated(generated) => {
            let notes =
                generated.notes.iter().fold(String::new(), |text, note| text + &format!("# note: {note}\n"));
            format!("# framework: {}\n{notes}{}", generated.framework.name(), generated.text)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_written_is_a_dockerfile_with_comments() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("package.json"), r#"{"scripts":{"start":"node a"}}"#).unwrap();
        let text = explain(dir.path(), &Settings::default()).unwrap();
        assert!(
            text.starts_with("# framework: Node\n# note: ") && text.contains("\nFROM docker.io/"),
            "{text}"
        );
        std::fs::write(dir.path().join("Dockerfile"), "FROM x").unwrap();
        let text = explain(dir.path(), &Settings::default()).unwrap();
        assert_eq!(text, "# Dockerfile of the source is built as it is.\n");
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let failure = explain(Path::new("/nowhere/at-all"), &Settings::default()).unwrap_err();
        assert!(failure.message.contains("/nowhere/at-all"), "{}", failure.message);
    }
}
