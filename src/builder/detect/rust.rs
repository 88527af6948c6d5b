//! Rust: the workspace, the toolchain, and which program runs.

use super::assets::Assets;
use super::choice;
use super::findings::Findings;
use super::names::is_crate;
use super::tree::Tree;
use super::{Context, Generated, missing, no_builder, step};
use crate::builder::dockerfile::Step;
use crate::builder::dockerfile::rust::{self, Dependencies, Program};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;
use manifest::Manifest;
pub(super) use needs::needs;
use workspace::Workspace;

mod crates;
mod manifest;
mod needs;
mod toolchain;
mod workspace;

/// The recipe for a Cargo.toml.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let manifest: Manifest =
        tree.toml("Cargo.toml")?.ok_or_else(|| missing("Cargo.toml", Framework::Rust))?;
    let mut findings = Findings::default();
    let workspace = workspace::find(tree, &manifest)?;
    let Workspace { root, directory, .. } = &workspace;
    let locked = root.has(&format!("{directory}Cargo.lock"));
    if !locked {
        findings.assume("Cargo.lock is missing, so each build may install different versions; commit it");
    }
    let build = step(settings);
    let (program, arguments) = match build {
        Some(_) => (Program::default(), String::new()),
        None => program(tree, &manifest, &workspace, &mut findings)?,
    };
    let used = crates::used(*root, directory, &manifest);
    let framework = used.framework(&mut findings);
    let prefix = if root.path() == tree.path() { String::new() } else { format!("{}/", tree.path()) };
    let assets = Assets::find(tree, &prefix);
    assets.sentence().into_iter().for_each(|sentence| findings.assume(sentence));
    let plan = rust::Plan {
        toolchain: toolchain::choose(tree, &manifest, &mut findings)?,
        directory: directory.trim_end_matches('/').to_owned(),
        program,
        locked,
        dependencies: dependencies(tree, &manifest, workspace.context),
        packages: used.packages(),
        // The stored queries are already checked; the build has no database.
        offline: root.has_directory(&format!("{directory}.sqlx")) || tree.has_directory(".sqlx"),
        build: build.unwrap_or(Step::Usual),
        arguments: super::arguments(settings),
        assets,
        framework,
        start: arguments,
    };
    Ok(Generated {
        framework: Framework::Rust,
        text: rust::text(&plan),
        context: workspace.context,
        findings,
    })
}

fn dependencies(tree: Tree<'_>, manifest: &Manifest, context: Context) -> Dependencies {
    if context != Context::Directory || !manifest::is_simple(tree, manifest) {
        Dependencies::Together
    } else if tree.has("build.rs") {
        Dependencies::EmptyScript
    } else {
        Dependencies::EmptyProgram
    }
}

/// The program that `default-run` names, else the one that the Procfile or its name selects, and its arguments.
fn program(
    tree: Tree<'_>,
    manifest: &Manifest,
    workspace: &Workspace<'_>,
    findings: &mut Findings,
) -> Result<(Program, String), Failure> {
    let mut found = programs(tree, "", manifest)?;
    for member in &workspace.members {
        if let Some(inner) = tree.toml::<Manifest>(&format!("{member}/Cargo.toml"))? {
            found.extend(programs(tree, &format!("{member}/"), &inner)?);
        }
    }
    let prefix = if workspace.root.path() == tree.path() { "" } else { tree.path() };
    let prefix =
        prefix.strip_prefix(workspace.directory.trim_end_matches('/')).unwrap_or(prefix).trim_matches('/');
    if !prefix.is_empty() {
        for program in &mut found {
            program.directory = format!("{prefix}/{}", program.directory);
        }
    }
    let package = manifest.package.as_ref();
    let default = package.and_then(|package| package.default_run.as_ref());
    if let Some(program) = default.and_then(|name| found.iter().find(|program| program.name == *name)) {
        return Ok((program.clone(), String::new()));
    }
    let names: Vec<&str> = found.iter().map(|program| program.name.as_str()).collect();
    if names.is_empty() {
        return Err(no_builder(
            "Cargo.toml has no program: no src/main.rs, no [[bin]], and none in a member of the workspace; set the \
             path of the source, or spec.build.command (it must write the program to /out/app)",
        ));
    }
    let own = package.map(|package| package.name.as_str());
    let chosen = choice::choose(tree, &names, own, findings)?.ok_or_else(|| {
        no_builder(format!(
            "there are several programs: {}; set default-run in Cargo.toml, or choose one with spec.build.command, \
             such as cargo build --release --bin {} && cp target/release/{} /out/app, or with a line \"web: {}\" in a \
             Procfile",
            names.join(", "),
            names[0],
            names[0],
            names[0]
        ))
    })?;
    Ok((found[chosen.index].clone(), chosen.arguments))
}

/// The programs of one package, below `directory` (empty, or with a slash at its end).
fn programs(tree: Tree<'_>, directory: &str, manifest: &Manifest) -> Result<Vec<Program>, Failure> {
    let Some(package) = manifest.package.as_ref() else { return Ok(vec![]) };
    let claimed = |path: &str| manifest.bin.iter().any(|bin| bin.path.as_deref() == Some(path));
    let mut found: Vec<(String, Vec<String>)> =
        manifest.bin.iter().map(|bin| (bin.name.clone(), bin.required_features.clone())).collect();
    let mut add = |name: String| {
        if !found.iter().any(|(other, _)| *other == name) {
            found.push((name, vec![]));
        }
    };
    if package.autobins.unwrap_or(true) {
        if tree.has(&format!("{directory}src/main.rs")) && !claimed("src/main.rs") {
            add(package.name.clone());
        }
        for entry in tree.names(&format!("{directory}src/bin"))? {
            let nested = format!("src/bin/{entry}/main.rs");
            match entry.strip_suffix(".rs") {
                Some(name) if !claimed(&format!("src/bin/{entry}")) => add(name.to_owned()),
                None if tree.has(&format!("{directory}{nested}")) && !claimed(&nested) => add(entry),
                _ => {}
            }
        }
    }
    found.sort();
    let features = found.iter().flat_map(|(_, features)| features);
    let plain =
        found.iter().map(|(name, _)| name).chain([&package.name]).chain(features).all(|name| is_crate(name));
    if !plain {
        return Err(no_builder(format!(
            "{directory}Cargo.toml names a package, program or feature with characters other than letters, digits, '-' \
             and '_'; rename it, or add a Dockerfile"
        )));
    }
    let program = |(name, features)| Program { directory: directory.to_owned(), name, features };
    Ok(found.into_iter().map(program).collect())
}

#[cfg(test)]
mod tests;
