//! What a package needs according to Turborepo and Nx, besides its package.json.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::tree::Tree;
use super::super::workspace::Needs;
use super::configurations::read;
use super::members::{fixed, texts};
use super::workspace::{Member, Workspace};
use crate::builder::outcome::Failure;

/// What the configurations of both, at the root and beside the package, say.
pub(super) fn needs(tree: Tree<'_>, workspace: &Workspace, needs: &mut Needs) -> Result<(), Failure> {
    let Some(member) = workspace.at(tree.path()) else { return Ok(()) };
    for place in [tree.source(), tree] {
        for file in ["turbo.json", "turbo.jsonc"] {
            if let Some(configuration) = read(place, file)? {
                turbo(&configuration, member, workspace, needs);
            }
        }
    }
    let root = tree.source();
    if let Some(configuration) = read(root, "nx.json")? {
        inputs(&configuration, needs);
        let package: Option<Value> = tree.json("package.json")?;
        let package = package.and_then(|package| package.get("nx").cloned());
        for project in package.into_iter().chain(read(tree, "project.json")?) {
            inputs(&project, needs);
            implicit(root, &project, workspace, needs)?;
        }
    }
    Ok(())
}

/// The tasks that a build of the package depends on, and the files that its tasks are about.
fn turbo(configuration: &Value, member: &Member, workspace: &Workspace, needs: &mut Needs) {
    for pattern in
        texts(configuration.get("globalDependencies")).into_iter().filter(|text| text.contains('/'))
    {
        below(pattern, needs);
    }
    let own = member.package.name.as_deref().unwrap_or_default();
    let tasks = configuration.get("tasks").or_else(|| configuration.get("pipeline"));
    let (mut open, mut seen) = (vec!["build".to_owned()], BTreeSet::new());
    while let Some(task) = open.pop() {
        if !seen.insert(task.clone()) {
            continue;
        }
        for key in [format!("{own}#{task}"), task] {
            let Some(task) = tasks.and_then(|tasks| tasks.get(&key)) else { continue };
            for input in texts(task.get("inputs")) {
                match input.strip_prefix("$TURBO_ROOT$/") {
                    Some(pattern) => below(pattern, needs),
                    None if input.starts_with("../") => needs.beside(&member.path, fixed(input)),
                    None => {}
                }
            }
            for other in texts(task.get("dependsOn")) {
                let (package, task) = other.split_once('#').unwrap_or(("", other));
                if package == "//" {
                    needs.everything(format!("turbo.json runs the script {task} of the root for {own}"));
                }
                needs.path(workspace.named(package).map_or(member.path.clone(), |other| other.path.clone()));
                open.push(task.trim_start_matches('^').to_owned());
            }
        }
    }
}

/// The files of the root that targets and named inputs of Nx are about.
fn inputs(configuration: &Value, needs: &mut Needs) {
    let tables =
        ["namedInputs", "targetDefaults", "targets"].iter().filter_map(|key| configuration.get(*key));
    let mut open: Vec<&Value> = tables.collect();
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => {
                text.strip_prefix("{workspaceRoot}/").into_iter().for_each(|pattern| below(pattern, needs));
            }
            Value::Array(list) => open.extend(list),
            // The outputs of a target are not its inputs.
            Value::Object(table) => {
                open.extend(table.iter().filter(|(key, _)| *key != "outputs").map(|(_, value)| value));
            }
            _ => {}
        }
    }
}

/// Adds a pattern of the root. A pattern for any directory applies only to the needed ones.
fn below(pattern: &str, needs: &mut Needs) {
    let path = fixed(pattern);
    if !path.is_empty() {
        needs.beside("", path);
    } else if ["**", "**/*"].contains(&pattern) {
        needs.everything(format!("its tools take all files of the repository as inputs ({pattern})"));
    }
}

/// The projects that an Nx project needs without importing them.
fn implicit(
    root: Tree<'_>,
    project: &Value,
    workspace: &Workspace,
    needs: &mut Needs,
) -> Result<(), Failure> {
    for name in texts(project.get("implicitDependencies")) {
        if name.starts_with('!') {
            continue;
        }
        match named(root, name, workspace)? {
            Some(path) => needs.path(path),
            None => needs.everything(format!(
                "implicitDependencies of Nx names {name:?}, which is not a package of the \
                    repository"
            )),
        }
    }
    Ok(())
}

/// The directory of a project: its name is in project.json, or is that of the package, or of the directory.
fn named(root: Tree<'_>, name: &str, workspace: &Workspace) -> Result<Option<String>, Failure> {
    if let Some(member) = workspace.named(name) {
        return Ok(Some(member.path.clone()));
    }
    for member in &workspace.members {
        let project = read(Tree::member(root.root(), &member.path), "project.json")?;
        let own = project.as_ref().and_then(|project| project.get("name")?.as_str());
        if own.or(member.path.rsplit('/').next()) == Some(name) {
            return Ok(Some(member.path.clone()));
        }
    }
    Ok(None)
}
