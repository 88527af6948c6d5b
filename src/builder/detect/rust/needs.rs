//! Which other crates of the source a crate needs: those that it, or its workspace, names by path.

use super::super::Context;
use super::super::names::slashed;
use super::super::tree::Tree;
use super::super::workspace::Needs;
use super::manifest::Manifest;
use super::workspace;
use crate::builder::outcome::Failure;

/// Directories next to a workspace's Cargo.toml that Cargo or its crates read.
const DIRECTORIES: [&str; 3] = [".cargo", ".sqlx", "vendor"];

/// What the crate of a directory needs, if there is one.
pub(in super::super) fn needs(tree: Tree<'_>, needs: &mut Needs) -> Result<(), Failure> {
    let Some(manifest) = tree.toml::<Manifest>("Cargo.toml")? else { return Ok(()) };
    let found = workspace::find(tree, &manifest)?;
    let directory = found.directory.trim_end_matches('/');
    let mut outer = None;
    if found.context == Context::Source {
        needs.root(directory);
        needs.path(".cargo");
        for name in DIRECTORIES {
            needs.path(format!("{}{name}", slashed(directory)));
        }
        outer = found.root.toml::<Manifest>(&format!("{}Cargo.toml", slashed(directory)))?;
    }
    let shared = outer.as_ref().and_then(|outer| outer.workspace.as_ref());
    for (name, asked) in manifest.asked() {
        if let Some(path) = asked.get("path").and_then(toml::Value::as_str) {
            needs.beside(tree.path(), path);
        }
        let of_workspace = asked.get("workspace").and_then(toml::Value::as_bool) == Some(true);
        let shared = shared.filter(|_| of_workspace).and_then(|shared| shared.dependencies.get(name));
        if let Some(path) = shared.and_then(|shared| shared.get("path")?.as_str()) {
            needs.beside(directory, path);
        }
    }
    outer.iter().flat_map(Manifest::replacements).for_each(|path| needs.beside(directory, path));
    manifest.replacements().for_each(|path| needs.beside(tree.path(), path));
    Ok(())
}
