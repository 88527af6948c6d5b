//! Which way leads from a source to an image: its own Dockerfile, or one that is written for what is there. It looks at
//! files and runs nothing.

use std::collections::BTreeSet;
use std::path::Path;

use super::dockerfile;
use super::order::{Settings, Strategy};
use super::outcome::Failure;
use super::reason::Reason;
use super::report::Stage;

mod node;

/// Largest Dockerfile and package.json that are read.
const MAX_TEXT: u64 = 1 << 20;

/// How the image is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recipe {
    /// By a Dockerfile of the source, named relative to the context.
    Dockerfile(String),
    /// By a Dockerfile that was written here.
    Generated { framework: &'static str, text: String, notes: Vec<&'static str> },
}

impl Recipe {
    /// What the report calls it.
    pub(super) fn framework(&self) -> &'static str {
        match self {
            Self::Dockerfile(_) => "Dockerfile",
            Self::Generated { framework, .. } => framework,
        }
    }
}

/// Chooses the recipe for the files of the context.
pub(super) fn detect(context: &Path, settings: &Settings) -> Result<Recipe, Failure> {
    if settings.strategy != Strategy::Generated {
        let named: Vec<&str> = match &settings.dockerfile {
            Some(name) => vec![name],
            None => vec!["Dockerfile.prod", "Dockerfile"],
        };
        if let Some(name) = named.iter().find(|name| context.join(name).symlink_metadata().is_ok()) {
            check_dockerfile(context, name)?;
            return Ok(Recipe::Dockerfile((*name).to_owned()));
        }
        if settings.strategy == Strategy::Dockerfile || settings.dockerfile.is_some() {
            let message =
                format!("there is no {}; add it, or correct spec.build.dockerfile", named.join(" and no "));
            return Err(no_builder(message));
        }
    }
    generate(context, &listing(context)?)
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

/// The files that a recipe may be recognised by: names in the context and in its `public` directory.
fn listing(context: &Path) -> Result<BTreeSet<String>, Failure> {
    let mut files = BTreeSet::new();
    for prefix in ["", "public/"] {
        let Ok(entries) = std::fs::read_dir(context.join(prefix)) else { continue };
        for entry in entries {
            let failed = |error| Failure::workspace(Stage::Detect, "the source could not be read", &error);
            let entry = entry.map_err(failed)?;
            if entry.path().is_file() {
                files.insert(format!("{prefix}{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    Ok(files)
}

fn generate(context: &Path, files: &BTreeSet<String>) -> Result<Recipe, Failure> {
    if files.contains("package.json") {
        return node::recipe(&read_text(&context.join("package.json"))?, files);
    }
    let directory = ["index.html", "public/index.html"].into_iter().find(|name| files.contains(*name));
    let Some(index) = directory else {
        let message = "there is no Dockerfile.prod, no Dockerfile, no package.json and no index.html (nor public/index.html) \
                       in the directory that is built; add one of them, or set the path of the source";
        return Err(no_builder(message));
    };
    let directory = index.strip_suffix("index.html").unwrap_or_default();
    Ok(Recipe::Generated { framework: "Static", text: dockerfile::static_site(directory), notes: Vec::new() })
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if path.metadata().is_ok_and(|data| data.len() > MAX_TEXT) {
        return Err(no_builder(format!("{name} is larger than 1 MiB; correct it")));
    }
    std::fs::read_to_string(path)
        .map_err(|error| no_builder(format!("{name} cannot be read as text: {error}")))
}

fn no_builder(message: impl Into<String>) -> Failure {
    Failure::new(Stage::Detect, Reason::NoBuilder, message)
}

#[cfg(test)]
mod tests;
