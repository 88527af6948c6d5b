//! Go: the modules, the version of Go, and which package is the program.

use super::assets::Assets;
use super::choice::{self, Chosen};
use super::findings::Findings;
use super::names::{is_path, resolved};
use super::tree::Tree;
use super::{Generated, missing, no_builder, step};
use crate::builder::dockerfile::{Step, go};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;
use layout::Layout;
pub(super) use needs::needs;

mod cgo;
mod constraint;
mod layout;
mod module;
mod needs;
mod programs;
mod version;

/// The recipe for a go.mod, a go.work, or a main.go without either.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    if tree.first(&["go.mod", "go.work", "main.go"]).is_none() {
        return Err(missing("go.mod", Framework::Go));
    }
    let mut findings = Findings::default();
    let layout = layout::read(tree, &mut findings)?;
    let build = step(settings);
    let (package, chosen) = match build {
        Some(_) => (String::new(), Chosen::default()),
        None => program(tree, &layout, &mut findings)?,
    };
    let version = version::choose(tree, &layout, &mut findings)?;
    let c = cgo::needed(layout.tree, &layout.modules)?;
    if let Some(c) = &c {
        findings.assume(format!(
            "the program is linked to C, because {}: CGO_ENABLED=1, and the last stage is Debian",
            c.because
        ));
    }
    let prefix = if tree.path() == layout.tree.path() { String::new() } else { format!("{}/", tree.path()) };
    let assets = Assets::find(tree, &prefix);
    assets.sentence().into_iter().for_each(|sentence| findings.assume(sentence));
    let gin = layout.modules.iter().any(|(_, module)| module.has("github.com/gin-gonic/gin"));
    let plan = go::Plan {
        version,
        directory: layout.directory,
        package,
        manifests: layout.manifests,
        init: layout.init,
        build: build.unwrap_or(Step::Usual),
        arguments: super::arguments(settings),
        c: c.map(|c| c.packages),
        environment: if gin { vec!["GIN_MODE=release"] } else { vec![] },
        assets,
        start: chosen.arguments,
    };
    Ok(Generated { framework: Framework::Go, text: go::text(&plan), context: layout.context, findings })
}

/// The package with the program, as `go build` takes it, and how it starts.
fn program(
    tree: Tree<'_>,
    layout: &Layout<'_>,
    findings: &mut Findings,
) -> Result<(String, Chosen), Failure> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (base, module) in layout.modules.iter().filter(|(base, _)| layout.is_searched(base)) {
        for directory in programs::programs(layout.tree, base)? {
            let last = directory.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let own = || module.name().unwrap_or("app").to_owned();
            let name = if directory == *base { own() } else { last.to_owned() };
            found.push((layout.package(&directory), name));
        }
    }
    let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
    let own = layout.modules.iter().find(|(base, _)| layout.is_searched(base));
    let own = own.and_then(|(_, module)| module.name());
    if found.is_empty() {
        return Err(no_builder(
            "the source has no Go program: no file for Linux in the build context says \"package main\"; set the path \
             of the source, or spec.build.command (it must write the program to /out/app)",
        ));
    }
    let Some(chosen) = choice::choose(tree, &names, own, findings)? else {
        let packages: Vec<&str> = found.iter().map(|(package, _)| package.as_str()).collect();
        return Err(no_builder(format!(
            "there are several programs: {}; choose one with spec.build.command, such as go build -o /out/app {}, or \
             with a line \"web: {}\" in a Procfile",
            packages.join(", "),
            packages[0],
            names[0]
        )));
    };
    let package = found[chosen.index].0.clone();
    let place = package.trim_start_matches(['.', '/']);
    let place = if place.is_empty() { String::new() } else { format!("{place}/") };
    let base = if layout.directory.is_empty() { place } else { format!("{}/{place}", layout.directory) };
    for path in programs::missing_embeds(layout.tree, &base)? {
        findings.warn(format!(
            "the program embeds {path}, which is not in the source; commit it, or generate it in spec.build.command \
             before go build -o /out/app {package}"
        ));
    }
    if package != "." {
        findings.assume(format!("the program is the package {package}"));
    }
    Ok((package, chosen))
}

/// Resolves a path from a directory of the source (empty: the root) to one from the root. None if it leaves the source
/// or is not plain.
fn resolve(directory: &str, path: &str) -> Option<String> {
    resolved(directory, path).filter(|path| path.is_empty() || is_path(path))
}

#[cfg(test)]
mod tests;
