//! What a package of a workspace needs of the other packages and files of the source.

use serde_json::Value;

use super::super::names::{resolved, slashed};
use super::super::tree::Tree;
use super::super::workspace::Needs;
use super::imports::Imports;
use super::package::Package;
use super::package_manager;
use super::workspace::Workspace;
use super::{configurations, monorepo};
use crate::builder::outcome::Failure;

/// How a version names a directory.
const DIRECTORIES: [&str; 3] = ["file:", "link:", "portal:"];

/// The packages of the workspace at the root of a source, if there is one.
pub(in super::super) struct Members {
    workspace: Option<Workspace>,
    /// The package.json of the root.
    root: Option<Package>,
    imports: Imports,
}

impl Members {
    pub(in super::super) fn read(root: Tree<'_>) -> Result<Self, Failure> {
        let (workspace, package) = (Workspace::read(root)?, Package::read(root)?);
        let imports = if workspace.is_some() { Imports::read(root)? } else { Imports::default() };
        Ok(Self { workspace, root: package, imports })
    }

    /// What the package in a directory needs, if there is one.
    pub(in super::super) fn needs(&self, tree: Tree<'_>, needs: &mut Needs) -> Result<(), Failure> {
        configurations::needs(tree, needs)?;
        if let Some(workspace) = &self.workspace {
            self.imports.needs(tree, workspace, needs)?;
        }
        let Some(package) = Package::read(tree)? else { return Ok(()) };
        self.asked(&package, tree.path(), needs);
        for line in package.scripts.values() {
            scripts(tree, line, needs);
        }
        let Some(workspace) = self.workspace.as_ref().filter(|known| known.at(tree.path()).is_some()) else {
            return Ok(());
        };
        let root = tree.source();
        needs.root("");
        for directory in package_manager::directories(root) {
            needs.path(directory);
        }
        // Packages of the root are installed where every member finds them.
        if let Some(package) = &self.root {
            self.asked(package, "", needs);
        }
        monorepo::needs(tree, workspace, needs)
    }

    /// The packages of the source that a package requires, by name or by directory.
    fn asked(&self, package: &Package, directory: &str, needs: &mut Needs) {
        for (name, version) in package.asked() {
            let version = version.as_str().unwrap_or_default();
            let path = DIRECTORIES.iter().find_map(|start| version.strip_prefix(start));
            if let Some(path) = path.or(Some(version).filter(|version| version.starts_with('.'))) {
                needs.beside(directory, path);
            }
            let Some(workspace) = &self.workspace else { continue };
            // `workspace:../ui`, `workspace:packages/ui`, `workspace:@acme/ui@*` and `npm:@acme/ui@*` have another name.
            let other = ["workspace:", "npm:"].iter().find_map(|start| version.strip_prefix(start));
            let other = other.unwrap_or_default();
            let alias = other.rfind('@').filter(|at| *at > 0).map_or(other, |at| &other[..at]);
            let places = [resolved(directory, other), resolved("", other)].into_iter().flatten();
            let at = places.filter_map(|place| workspace.at(&place));
            let named = [name.as_str(), alias].into_iter().filter_map(|name| workspace.named(name));
            named.chain(at).for_each(|member| needs.path(member.path.clone()));
        }
    }
}

/// Files outside of its directory that a script of package.json names: `node ../../scripts/build.mjs`.
fn scripts(tree: Tree<'_>, line: &str, needs: &mut Needs) {
    let words = line.split(|char: char| char.is_whitespace() || "\"'=;&|()".contains(char));
    let named = words.filter(|word| word.starts_with("../") || word.starts_with("./../"));
    for path in named.filter_map(|word| resolved(tree.path(), fixed(word))) {
        // A script that changes to a parent directory to call a tool reads nothing else there.
        if !slashed(tree.path()).starts_with(&slashed(&path)) {
            needs.path(path);
        }
    }
}

/// The part of a path before its first wildcard, up to the last slash.
pub(super) fn fixed(pattern: &str) -> &str {
    match pattern.find(['*', '?', '[', '{', '$']) {
        Some(at) => &pattern[..pattern[..at].rfind('/').unwrap_or(0)],
        None => pattern,
    }
}

/// The texts of a value and of the lists in it.
pub(super) fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    }
}
