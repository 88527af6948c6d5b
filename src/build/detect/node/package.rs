//! A package.json, as far as it matters. Fields of another shape than usual count as absent where they can.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::tree::Tree;
use crate::build::order::Settings;
use crate::build::outcome::Failure;

/// What is read of it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Package {
    pub(super) scripts: BTreeMap<String, String>,
    pub(super) main: Option<String>,
    #[serde(rename = "packageManager")]
    pub(super) manager: Option<String>,
    engines: Value,
    dependencies: BTreeMap<String, Value>,
    dev_dependencies: BTreeMap<String, Value>,
    workspaces: Option<Value>,
}

/// Scripts that run while packages are installed; they may need any file of the source.
const INSTALL_SCRIPTS: [&str; 4] = ["preinstall", "install", "postinstall", "prepare"];

/// The words that start a framework's own server, and the parts of a script that start what its adapter wrote.
const OWN: [(&str, &[&str], &[&str]); 10] = [
    ("next", &["next"], &[".next/standalone/"]),
    ("astro", &["astro"], &["dist/server/entry.mjs"]),
    ("@sveltejs/kit", &["vite", "svelte-kit"], &["node build", "node ./build"]),
    ("vite", &["vite"], &[]),
    ("react-scripts", &["react-scripts"], &[]),
    ("@vue/cli-service", &["vue-cli-service"], &[]),
    ("parcel", &["parcel"], &[]),
    ("gatsby", &["gatsby"], &[]),
    ("@11ty/eleventy", &["eleventy"], &[]),
    ("vitepress", &["vitepress"], &[]),
];

impl Package {
    /// The package.json of the source.
    pub(super) fn read(tree: Tree<'_>) -> Result<Option<Self>, Failure> {
        tree.json("package.json")
    }

    /// Whether it asks for a package, at run time or for the build.
    pub(super) fn has(&self, name: &str) -> bool {
        self.dependencies.contains_key(name) || self.dev_dependencies.contains_key(name)
    }

    /// Whether there is a build: its script, or the command that takes its place.
    pub(super) fn is_built(&self, settings: &Settings) -> bool {
        self.scripts.contains_key("build") || settings.command.is_some()
    }

    /// The range of Node that it is made for.
    pub(super) fn node(&self) -> Option<&str> {
        self.engines.get("node")?.as_str()
    }

    /// Whether the `start` script is of a framework's own server, or there is none.
    pub(super) fn starts_itself(&self, framework: &str) -> bool {
        let Some(script) = self.scripts.get("start") else { return true };
        let Some((_, words, parts)) = OWN.iter().find(|(name, ..)| *name == framework) else { return false };
        let runners = ["npx", "pnpm", "yarn", "exec", "cross-env", "env"];
        let mut command =
            script.split_whitespace().filter(|word| !runners.contains(word) && !word.contains('='));
        command.next().is_some_and(|word| words.contains(&word))
            || parts.iter().any(|part| script.contains(part))
    }

    /// Whether installing needs more than the package files: install scripts, workspaces, packages of the source itself.
    pub(super) fn needs_source(&self) -> bool {
        let local = |version: &Value| {
            version.as_str().is_some_and(|version| {
                ["file:", "link:", "portal:", "workspace:", "."]
                    .iter()
                    .any(|start| version.starts_with(start))
            })
        };
        self.workspaces.is_some()
            || INSTALL_SCRIPTS.iter().any(|script| self.scripts.contains_key(*script))
            || self.dependencies.values().chain(self.dev_dependencies.values()).any(local)
    }
}
