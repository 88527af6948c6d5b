//! Decides how a source becomes an image: by its own Dockerfile, or by a generated one. Detection reads files and runs
//! nothing. docs/frameworks.md describes the order and the criteria.

use std::collections::BTreeSet;
use std::path::Path;

use super::dockerfile::{Step, images, offer};
use super::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::{Settings, Strategy};
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;
pub(super) use assets::Assets;
use findings::Findings;
use tree::{MAX_TEXT, Tree};
pub(super) use workspace::{Needed, needed};

mod assets;
mod choice;
mod cpp;
mod debian;
mod deno;
mod dotnet;
mod elixir;
mod family;
mod findings;
mod gleam;
mod glob;
mod go;
mod ignore;
mod init_command;
mod installs;
mod java;
mod links;
mod names;
mod node;
mod php;
mod procfile;
mod python;
mod ruby;
mod rust;
mod shell;
mod static_site;
mod tools;
mod tree;
mod workspace;
mod xml;

/// How the image is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recipe {
    /// By a Dockerfile of the source, named relative to the context.
    Dockerfile(String),
    /// By a generated Dockerfile.
    Generated(Generated),
}

/// A Dockerfile that was generated for a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Generated {
    pub(super) framework: Framework,
    pub(super) text: String,
    /// The directory that its COPY instructions refer to.
    pub(super) context: Context,
    /// What the user should know about it.
    pub(super) findings: Findings,
}

/// The build context of a generated Dockerfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    /// The directory that the source's `path` names.
    Directory,
    /// The root of the source: a member of a workspace needs files above it.
    Source,
}

impl Generated {
    /// The start command of its image, as a person would type it; None if the Dockerfile sets none.
    pub(super) fn starts(&self) -> Option<String> {
        let last = |word: &str| {
            let line = self.text.lines().rev().find_map(|line| line.strip_prefix(word))?;
            serde_json::from_str::<Vec<String>>(line.trim()).ok()
        };
        let words: Vec<String> = [last("ENTRYPOINT"), last("CMD")].into_iter().flatten().flatten().collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}

impl Generated {
    /// Adds the arguments that its installation needs, and the secrets of its steps.
    fn with(self, early: &BTreeSet<String>, secrets: &BTreeSet<String>) -> Self {
        let text = offer::secrets(&offer::early_arguments(&self.text, early), secrets);
        Self { text, ..self }
    }
}

impl Generated {
    /// The files that its COPY instructions refer to.
    fn seen<'t>(&self, tree: Tree<'t>) -> Tree<'t> {
        if self.context == Context::Source { tree.source() } else { tree }
    }

    /// The text of its `.dockerignore`; `directory` is its build context.
    pub(super) fn ignore(&self, directory: &Path) -> Result<String, Failure> {
        Ok(ignore::of(Tree::new(directory), self)?.text)
    }
}

impl Recipe {
    /// Its name in the report.
    pub(super) fn framework(&self) -> &'static str {
        match self {
            Self::Dockerfile(_) => "Dockerfile",
            Self::Generated(generated) => generated.framework.name(),
        }
    }
}

/// Chooses the recipe for the files of `context`, the source's root or a directory in it. Neither path may contain
/// links.
pub(super) fn detect(source: &Path, context: &Path, settings: &Settings) -> Result<Recipe, Failure> {
    if settings.strategy != Strategy::Generated {
        let named: Vec<&str> = match &settings.dockerfile {
            Some(name) => vec![name],
            None => vec!["Dockerfile.prod", "Dockerfile"],
        };
        if let Some(name) = named.iter().find(|name| context.join(name).symlink_metadata().is_ok()) {
            check_dockerfile(context, name)?;
            check_unused(name, settings)?;
            return Ok(Recipe::Dockerfile((*name).to_owned()));
        }
        if settings.strategy == Strategy::Dockerfile || settings.dockerfile.is_some() {
            let message =
                format!("there is no {}; add it, or correct spec.build.dockerfile", named.join(" and no "));
            return Err(no_builder(message));
        }
    }
    let path = context.strip_prefix(source).ok().and_then(Path::to_str).unwrap_or_default();
    let tree = Tree::member(source, path);
    let mut generated = family::generate(tree, settings)?;
    check_images(&generated.text)?;
    let ignore = ignore::of(generated.seen(tree), &generated)?;
    ignore.said.into_iter().for_each(|sentence| generated.findings.warn(sentence));
    let early = installs::arguments_of(tree, settings);
    Ok(Recipe::Generated(generated.with(&early, &settings.secrets)))
}

/// Rejects unknown base images here: the build would fail minutes later, with an error about a registry.
fn check_images(dockerfile: &str) -> Result<(), Failure> {
    match images::named(dockerfile).into_iter().find(|image| !images::is_known(image)) {
        Some(image) => Err(no_builder(format!(
            "the version that the source names needs the base image {image}, which this operator does not know; name \
             another version, or add a Dockerfile"
        ))),
        None => Ok(()),
    }
}

/// The Dockerfile must be a regular file inside the context, neither empty nor too large.
fn check_dockerfile(context: &Path, name: &str) -> Result<(), Failure> {
    let inside = context.join(name).canonicalize().ok().filter(|real| real.starts_with(context));
    let data = inside.and_then(|real| real.metadata().ok()).filter(std::fs::Metadata::is_file);
    let why = match data.map(|data| data.len()) {
        None => "is not a file inside the build context",
        Some(0) => "is empty",
        Some(size) if size > MAX_TEXT => "is larger than 1 MiB, too large for a Dockerfile",
        Some(_) => return Ok(()),
    };
    Err(no_builder(format!("{name:?} {why}; correct it, or set spec.build.strategy: Generated")))
}

/// Rejects settings that only a generated Dockerfile uses, instead of ignoring them.
fn check_unused(dockerfile: &str, settings: &Settings) -> Result<(), Failure> {
    let field = match settings {
        Settings { framework: Some(_), .. } => "framework",
        Settings { command: Some(_), .. } => "command",
        Settings { output_directory: Some(_), .. } => "outputDirectory",
        _ => return Ok(()),
    };
    Err(no_builder(format!(
        "spec.build.{field} works only with a generated Dockerfile, but the source has {dockerfile:?}; remove the \
         field, or set spec.build.strategy: Generated"
    )))
}

/// The build command that replaces the usual one, if the user sets one.
fn step(settings: &Settings) -> Option<Step> {
    settings.command.clone().map(Step::Command)
}

/// The build arguments whose names are valid in a Dockerfile. The API server accepts no others.
fn arguments(settings: &Settings) -> Vec<String> {
    settings.args.keys().filter(|name| names::is_identifier(name)).cloned().collect()
}

fn missing(file: &str, framework: Framework) -> Failure {
    no_builder(format!(
        "the build context has no {file}, which spec.build.framework: {} needs; correct the field, or set the path of \
         the source",
        framework.name()
    ))
}

fn no_builder(message: impl Into<String>) -> Failure {
    Failure::new(Stage::Detect, FailureReason::NoBuilder, message)
}

#[cfg(test)]
mod tests;
