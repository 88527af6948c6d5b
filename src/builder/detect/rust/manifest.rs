//! Cargo.toml, as far as a build needs it.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Value;

use super::super::tree::Tree;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Manifest {
    pub(super) package: Option<Package>,
    pub(super) workspace: Option<Members>,
    pub(super) bin: Vec<Target>,
    lib: Option<Value>,
    bench: Vec<Value>,
    example: Vec<Value>,
    test: Vec<Value>,
    dependencies: BTreeMap<String, Value>,
    build_dependencies: BTreeMap<String, Value>,
    dev_dependencies: BTreeMap<String, Value>,
    /// Dependencies of some platforms only.
    target: Option<Value>,
    patch: Option<Value>,
    replace: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) default_run: Option<String>,
    pub(super) autobins: Option<bool>,
    /// A version, or that the workspace has it.
    pub(super) rust_version: Option<Value>,
    build: Option<Value>,
    metadata: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
#[expect(clippy::struct_field_names, reason = "the names are those of the file")]
pub(super) struct Members {
    pub(super) members: Vec<String>,
    pub(super) exclude: Vec<String>,
    pub(super) default_members: Vec<String>,
    /// What members take from here by name.
    pub(super) dependencies: BTreeMap<String, Value>,
    metadata: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) path: Option<String>,
    pub(super) required_features: Vec<String>,
}

impl Manifest {
    /// The crates that the package itself names, for running and for building.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        self.dependencies.keys().chain(self.build_dependencies.keys()).map(String::as_str)
    }

    /// The directories that dependencies are in, as they are written.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let tables = [&self.dependencies, &self.build_dependencies, &self.dev_dependencies];
        tables.into_iter().flat_map(BTreeMap::values).filter_map(|value| value.get("path")?.as_str())
    }

    /// All of its dependencies, of every kind and platform, with their entries.
    pub(super) fn asked(&self) -> impl Iterator<Item = (&String, &Value)> {
        let tables =
            [&self.dependencies, &self.build_dependencies, &self.dev_dependencies].into_iter().flatten();
        let kinds = ["dependencies", "build-dependencies", "dev-dependencies"];
        let targets = entries(self.target.as_ref()).map(|(_, target)| target);
        tables.chain(
            targets.flat_map(move |target| kinds.into_iter().flat_map(|kind| entries(target.get(kind)))),
        )
    }

    /// The directories of crates that replace others, as written.
    pub(super) fn replacements(&self) -> impl Iterator<Item = &str> {
        let patched = entries(self.patch.as_ref()).flat_map(|(_, of_registry)| entries(Some(of_registry)));
        patched.chain(entries(self.replace.as_ref())).filter_map(|(_, crate_)| crate_.get("path")?.as_str())
    }

    /// Whether another tool of this name has settings here.
    pub(super) fn has_metadata(&self, tool: &str) -> bool {
        self.package.as_ref().is_some_and(|package| package.metadata.contains_key(tool))
            || self.workspace.as_ref().is_some_and(|workspace| workspace.metadata.contains_key(tool))
    }
}

/// The entries of a table; empty for any other value.
fn entries(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_table).into_iter().flatten()
}

/// Whether an empty src/main.rs is enough to compile the dependencies.
pub(super) fn is_simple(tree: Tree<'_>, manifest: &Manifest) -> bool {
    let Some(package) = &manifest.package else { return false };
    tree.has("src/main.rs")
        && manifest.workspace.is_none()
        && manifest.lib.is_none()
        && manifest.patch.is_none()
        && package.build.is_none()
        && package.autobins != Some(false)
        // Cargo rejects a manifest whose `default-run` does not exist.
        && package.default_run.as_ref().is_none_or(|name| *name == package.name)
        && !tree.has_directory(".cargo")
        && manifest.bin.is_empty()
        && [&manifest.bench, &manifest.example, &manifest.test].into_iter().all(Vec::is_empty)
        && manifest.paths().next().is_none()
}
