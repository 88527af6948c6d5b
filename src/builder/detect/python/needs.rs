//! Which other packages of the source a package needs: members of its uv workspace that it requires by name, and those
//! that it names by path.

use std::collections::BTreeSet;

use toml::Value;

use super::super::glob;
use super::super::tree::Tree;
use super::super::workspace::Needs;
use super::packages::{Pyproject, names, workspace};
use crate::builder::outcome::Failure;

/// What the package of a directory needs, if there is one.
pub(in super::super) fn needs(tree: Tree<'_>, needs: &mut Needs) -> Result<(), Failure> {
    let Some(own) = tree.toml::<Pyproject>("pyproject.toml")? else { return Ok(()) };
    paths(&own, None, tree.path(), needs);
    if workspace(tree)?.is_none() {
        return Ok(());
    }
    let root = tree.source();
    let outer: Pyproject = root.toml("pyproject.toml")?.unwrap_or_default();
    let asked = asked(&own);
    needs.root("");
    // The package sources of the root apply to every member.
    paths(&outer, Some(&asked), "", needs);
    if name(&outer).is_some_and(|name| asked.contains(&name)) {
        needs.everything(format!("{} needs the package at the root of its workspace", tree.path()));
    }
    for member in members(root, &outer, needs)? {
        let package: Option<Pyproject> = root.toml(&format!("{member}/pyproject.toml"))?;
        if package.as_ref().and_then(name).is_some_and(|name| asked.contains(&name)) {
            needs.path(member);
        }
    }
    Ok(())
}

/// The directories of the members of the workspace at the root.
fn members(root: Tree<'_>, outer: &Pyproject, needs: &mut Needs) -> Result<Vec<String>, Failure> {
    let workspace = outer.tool.uv.as_ref().and_then(|uv| uv.workspace.as_ref());
    let list =
        |key: &str| workspace.and_then(|workspace| workspace.get(key)?.as_array()).into_iter().flatten();
    let mut found = Vec::new();
    for pattern in list("members").filter_map(Value::as_str) {
        if pattern.contains("**") || pattern.contains('[') {
            needs.everything(format!(
                "the members of the workspace cannot be listed: {pattern:?} in pyproject.toml"
            ));
        }
        found.extend(glob::directories(root, "", pattern, "pyproject.toml")?);
    }
    Ok(found)
}

/// The names of all requirements of a package, also those for its build and in groups.
fn asked(own: &Pyproject) -> BTreeSet<String> {
    let project = own.project.as_ref();
    let mut found: BTreeSet<String> =
        project.iter().flat_map(|project| &project.dependencies).flat_map(|line| names(line)).collect();
    let optional = project.and_then(|project| project.optional.as_ref());
    let mut open: Vec<&Value> =
        [optional, own.groups.as_ref(), own.build_system.as_ref()].into_iter().flatten().collect();
    while let Some(value) = open.pop() {
        match value {
            Value::String(line) => found.extend(names(line)),
            Value::Array(list) => open.extend(list),
            Value::Table(table) => open.extend(table.values()),
            _ => {}
        }
    }
    let uv = own.tool.uv.as_ref();
    let sources = uv.and_then(|uv| uv.sources.as_ref()?.as_table()).into_iter().flatten();
    found.extend(sources.flat_map(|(name, _)| names(name)));
    found
}

/// The directories and files of `tool.uv.sources`, as written in a pyproject.toml of `directory`. With `of`, only those
/// of these packages.
fn paths(pyproject: &Pyproject, of: Option<&BTreeSet<String>>, directory: &str, needs: &mut Needs) {
    let uv = pyproject.tool.uv.as_ref();
    let sources = uv.and_then(|uv| uv.sources.as_ref()?.as_table()).into_iter().flatten();
    for (name, source) in sources {
        if of.is_some_and(|asked| !names(name).iter().any(|name| asked.contains(name))) {
            continue;
        }
        // One for every machine, or a list of them.
        let one = std::slice::from_ref(source);
        for source in source.as_array().map_or(one, Vec::as_slice) {
            if let Some(path) = source.get("path").and_then(Value::as_str) {
                needs.beside(directory, path);
            }
        }
    }
}

fn name(pyproject: &Pyproject) -> Option<String> {
    names(pyproject.project.as_ref()?.name.as_deref()?).into_iter().next()
}
