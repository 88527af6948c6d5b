//! Which way leads from a source to an image: its own Dockerfile, or one that is written for what is there. It looks at
//! files and runs nothing. The order and what decides stand in docs/frameworks.md.

use std::collections::BTreeSet;
use std::path::Path;

use super::dockerfile::{Step, images, offer};
use super::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::{Settings, Strategy};
use crate::protocol::reason::Reason;
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

/// How the image is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recipe {
    /// By a Dockerfile of the source, named relative to the context.
    Dockerfile(String),
    /// By a Dockerfile that was written here.
    Generated(Generated),
}

/// A Dockerfile that was written for a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Generated {
    pub(super) framework: Framework,
    pub(super) text: String,
    /// Which directory its COPY instructions are about.
    pub(super) context: Context,
    /// What a person should know about it.
    pub(super) findings: Findings,
}

/// The directory that a generated Dockerfile is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    /// The one that the source's path names.
    Directory,
    /// The root of the source: a member of a workspace needs what lies above it.
    Source,
}

impl Generated {
    /// The command that its image starts with, as a person would type it; none where the Dockerfile sets none.
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
    /// The same, with the arguments that its installation needs and the secrets of its steps.
    fn with(self, early: &BTreeSet<String>, secrets: &BTreeSet<String>) -> Self {
        let text = offer::secrets(&offer::early_arguments(&self.text, early), secrets);
        Self { text, ..self }
    }
}

impl Generated {
    /// The files that its COPY instructions are about.
    fn seen<'t>(&self, tree: Tree<'t>) -> Tree<'t> {
        if self.context == Context::Source { tree.source() } else { tree }
    }

    /// The text of the `.dockerignore` that belongs to it; `directory`: the one that it is built in.
    pub(super) fn ignore(&self, directory: &Path) -> Result<String, Failure> {
        Ok(ignore::of(Tree::new(directory), self)?.text)
    }
}

impl Recipe {
    /// What the report calls it.
    pub(super) fn framework(&self) -> &'static str {
        match self {
            Self::Dockerfile(_) => "Dockerfile",
            Self::Generated(generated) => generated.framework.name(),
        }
    }
}

/// Chooses the recipe for the files of the context, a directory of the source or its root; both without links in them.
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

/// A tag that is not known to exist would fail minutes later, in words about a registry.
fn check_images(dockerfile: &str) -> Result<(), Failure> {
    match images::named(dockerfile).into_iter().find(|image| !images::is_known(image)) {
        Some(image) => Err(no_builder(format!(
            "the version that the source asks for leads to the base image {image}, which is not known to exist; ask for \
             another version, or add a Dockerfile"
        ))),
        None => Ok(()),
    }
}

/// A regular file inside the context, not empty and not too large to be one.
fn check_dockerfile(context: &Path, name: &str) -> Result<(), Failure> {
    let inside = context.join(name).canonicalize().ok().filter(|real| real.starts_with(context));
    let data = inside.and_then(|real| real.metadata().ok()).filter(std::fs::Metadata::is_file);
    let why = match data.map(|data| data.len()) {
        None => "is no file inside the directory that is built",
        Some(0) => "is empty",
        Some(size) if size > MAX_TEXT => "is larger than 1 MiB, which no Dockerfile is",
        Some(_) => return Ok(()),
    };
    Err(no_builder(format!("{name:?} {why}; correct it, or set spec.build.strategy: Generated")))
}

/// What is asked of a generated Dockerfile is not passed over in silence.
fn check_unused(dockerfile: &str, settings: &Settings) -> Result<(), Failure> {
    let field = match settings {
        Settings { framework: Some(_), .. } => "framework",
        Settings { command: Some(_), .. } => "command",
        Settings { output_directory: Some(_), .. } => "outputDirectory",
        _ => return Ok(()),
    };
    Err(no_builder(format!(
        "spec.build.{field} is for a Dockerfile that is written here, but the source has {dockerfile:?}; leave the field \
         out, or set spec.build.strategy: Generated"
    )))
}

/// The build that the user asks for in place of the usual one.
fn step(settings: &Settings) -> Option<Step> {
    settings.command.clone().map(Step::Command)
}

/// The names of build arguments that can stand in a Dockerfile, which are all that the API server takes.
fn arguments(settings: &Settings) -> Vec<String> {
    settings.args.keys().filter(|name| names::is_identifier(name)).cloned().collect()
}

fn missing(file: &str, framework: Framework) -> Failure {
    no_builder(format!(
        "there is no {file}, which spec.build.framework: {} needs, in the directory that is built; correct the field, or \
         set the path of the source",
        framework.name()
    ))
}

fn no_builder(message: impl Into<String>) -> Failure {
    Failure::new(Stage::Detect, Reason::NoBuilder, message)
}

#[cfg(test)]
mod tests;
