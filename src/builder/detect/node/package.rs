//! A package.json, as far as it matters. Fields with an unexpected type count as absent where possible.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::no_builder;
use super::super::tree::Tree;
use crate::builder::outcome::Failure;
use crate::protocol::order::Settings;

/// The fields that are read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Package {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub(super) scripts: BTreeMap<String, String>,
    pub(super) main: Option<String>,
    /// The address that its pages are made for.
    pub(super) homepage: Option<String>,
    /// Where bundlers begin, and Bun.
    pub(super) module: Option<String>,
    #[serde(rename = "packageManager")]
    pub(super) manager: Option<String>,
    engines: Value,
    dev_engines: Value,
    volta: Value,
    prisma: Value,
    pnpm: Value,
    dependencies: BTreeMap<String, Value>,
    dev_dependencies: BTreeMap<String, Value>,
    optional_dependencies: BTreeMap<String, Value>,
    peer_dependencies: BTreeMap<String, Value>,
    workspaces: Option<Value>,
}

/// Only texts: some tools keep objects among the scripts.
fn texts<'de, D: serde::Deserializer<'de>>(input: D) -> Result<BTreeMap<String, String>, D::Error> {
    let all = BTreeMap::<String, Value>::deserialize(input)?;
    Ok(all.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect())
}

/// Scripts that run while packages are installed; they may need any file of the source.
const INSTALL_SCRIPTS: [&str; 5] = ["preinstall", "install", "postinstall", "prepublish", "prepare"];

impl Package {
    /// The package.json of the source; pnpm knows it in two more forms.
    pub(super) fn read(tree: Tree<'_>) -> Result<Option<Self>, Failure> {
        let file = tree.first(&FILES).unwrap_or(FILES[0]);
        if file == "package.json" {
            return tree.json(file);
        }
        let text = tree.text(file)?.unwrap_or_default();
        let wrong =
            |error: &dyn std::fmt::Display| no_builder(format!("{file} cannot be read: {error}; correct it"));
        if file == "package.yaml" {
            return serde_yaml::from_str(&text).map(Some).map_err(|error| wrong(&error));
        }
        json5::from_str(&text).map(Some).map_err(|error| wrong(&error))
    }

    /// Whether it requires a package, at run time or for the build.
    pub(super) fn has(&self, name: &str) -> bool {
        self.keeps(name) || self.dev_dependencies.contains_key(name)
    }

    /// Whether it requires a package at run time.
    pub(super) fn keeps(&self, name: &str) -> bool {
        self.dependencies.contains_key(name) || self.optional_dependencies.contains_key(name)
    }

    /// The names of the packages that it requires: at run time, and only for the build.
    pub(super) fn names(&self) -> (impl Iterator<Item = &str>, impl Iterator<Item = &str>) {
        let kept = self.dependencies.keys().chain(self.optional_dependencies.keys());
        let dev = self.dev_dependencies.keys().filter(|name| !self.keeps(name));
        (kept.map(String::as_str), dev.map(String::as_str))
    }

    /// The packages as the lock file of npm repeats them.
    pub(super) fn locked(&self) -> [(&'static str, &BTreeMap<String, Value>); 3] {
        [
            ("dependencies", &self.dependencies),
            ("devDependencies", &self.dev_dependencies),
            ("optionalDependencies", &self.optional_dependencies),
        ]
    }

    /// All of its requirements, peer dependencies included, with the version as written.
    pub(super) fn asked(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.locked().into_iter().flat_map(|(_, packages)| packages).chain(&self.peer_dependencies)
    }

    /// Whether there is a build: its script, or the command that takes its place.
    pub(super) fn is_built(&self, settings: &Settings) -> bool {
        self.scripts.contains_key("build") || settings.command.is_some()
    }

    /// What `engines` says of a tool.
    pub(super) fn engine(&self, tool: &str) -> Option<&str> {
        self.engines.get(tool)?.as_str()
    }

    /// What `volta` pins.
    pub(super) fn volta(&self, tool: &str) -> Option<&str> {
        self.volta.get(tool)?.as_str()
    }

    /// The version of a runtime in `devEngines`.
    pub(super) fn runtime(&self, name: &str) -> Option<&str> {
        self.dev_engine("runtime").find(|(known, _)| *known == name)?.1
    }

    /// The package manager that is named, `packageManager` before `devEngines`, and its version without its hash.
    pub(super) fn package_manager(&self) -> Option<(&str, Option<&str>)> {
        let named = self.manager.as_deref().map(|text| match text.split_once('@') {
            Some((name, version)) => (name, version.split('+').next()),
            None => (text, None),
        });
        named.or_else(|| self.dev_engine("packageManager").next())
    }

    /// The entries of a field of `devEngines`, which is an object or a list of them.
    fn dev_engine(&self, field: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
        let value = self.dev_engines.get(field);
        let list = value.and_then(Value::as_array).map(Vec::as_slice);
        let entries = list.unwrap_or_else(|| value.map(std::slice::from_ref).unwrap_or_default());
        entries.iter().filter_map(|entry| {
            Some((entry.get("name")?.as_str()?, entry.get("version").and_then(Value::as_str)))
        })
    }

    /// Whether one of its packages is a Git repository.
    pub(super) fn asks_for_git(&self) -> bool {
        let is_git = |version: &str| version.starts_with("git") || version.contains(".git");
        self.locked().iter().flat_map(|(_, packages)| packages.values()).filter_map(Value::as_str).any(is_git)
    }

    /// Whether it requires any package.
    pub(super) fn asks_for_packages(&self) -> bool {
        !self.peer_dependencies.is_empty() || self.locked().iter().any(|(_, packages)| !packages.is_empty())
    }

    /// The file of Prisma's schema that `prisma` names.
    pub(super) fn prisma_schema(&self) -> Option<&str> {
        self.prisma.get("schema")?.as_str()
    }

    /// Whether it says which packages may run scripts, as only pnpm 10 and later ask.
    pub(super) fn allows_builds(&self) -> bool {
        self.pnpm.get("onlyBuiltDependencies").is_some()
    }

    /// The patterns of `workspaces`.
    pub(super) fn workspaces(&self) -> Vec<String> {
        let value = self.workspaces.as_ref();
        let list = value.and_then(|value| value.get("packages").or(Some(value))).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Whether scripts of its own run while packages are installed.
    pub(super) fn has_install_scripts(&self) -> bool {
        INSTALL_SCRIPTS.iter().any(|script| self.scripts.contains_key(*script))
    }

    /// Whether installing needs more than the package files: install scripts, packages of the source itself.
    pub(super) fn needs_source(&self) -> bool {
        let local = |version: &Value| {
            version.as_str().is_some_and(|version| {
                ["file:", "link:", "portal:", "."].iter().any(|start| version.starts_with(start))
            })
        };
        self.has_install_scripts()
            || self.locked().iter().flat_map(|(_, packages)| packages.values()).any(local)
    }
}

/// The forms of it.
pub(super) const FILES: [&str; 3] = ["package.json", "package.json5", "package.yaml"];
