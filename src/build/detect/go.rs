//! What go.mod says, and which package of the module is the program.

use super::findings::Findings;
use super::names::{is_path, leading};
use super::tree::Tree;
use super::{ASSETS, Context, Generated, missing, no_builder, step};
use crate::build::dockerfile::{Step, go};
use crate::build::order::{Framework, Settings};
use crate::build::outcome::Failure;

/// Most files of a directory that are read to see whether it holds a program.
const MAX_FILES: usize = 200;

/// The recipe for a go.mod.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let Some(module) = tree.text("go.mod")? else { return Err(missing("go.mod", Framework::Go)) };
    let mut findings = Findings::default();
    let mut files = vec!["go.mod"];
    let vendored = tree.has("vendor/modules.txt");
    if vendored {
        files.clear();
    } else if tree.has("go.sum") {
        files.push("go.sum");
    } else if module.contains("require") {
        return Err(no_builder("go.sum is missing beside go.mod: run go mod tidy and commit it"));
    }
    let build = step(settings);
    let plan = go::Plan {
        version: version(&module)?,
        package: if build.is_some() { String::new() } else { program(tree, &module)? },
        files,
        whole_source: tree.has("go.work") || module.lines().any(is_local),
        build: build.unwrap_or(Step::Usual),
        arguments: super::arguments(settings),
        assets: ASSETS.into_iter().filter(|name| tree.has_directory(name)).collect(),
    };
    if !plan.assets.is_empty() {
        findings.assume(format!("copied beside the program, in /srv: {}", plan.assets.join(", ")));
    }
    Ok(Generated { framework: Framework::Go, text: go::text(&plan), context: Context::Directory, findings })
}

/// The minor version of Go: the toolchain's where one is named, else the language's.
fn version(module: &str) -> Result<String, Failure> {
    let directive = |word: &str| {
        module.lines().find_map(|line| line.trim().strip_prefix(word)?.strip_prefix(' ').map(str::trim))
    };
    let toolchain = directive("toolchain").and_then(|name| leading(name.strip_prefix("go")?, 2));
    let language = directive("go").and_then(|version| leading(version, 2));
    toolchain.or(language).ok_or_else(|| {
        no_builder("go.mod names no version of Go; add a line such as \"go 1.24\" (go mod edit -go=1.24)")
    })
}

/// A replacement by a directory of the source.
fn is_local(line: &str) -> bool {
    line.split_once("=>").is_some_and(|(_, target)| {
        let target = target.trim_start();
        target.starts_with("./") || target.starts_with("../")
    })
}

/// The package with the program: the root, else the only one below `cmd`, else the one there named as the module.
fn program(tree: Tree<'_>, module: &str) -> Result<String, Failure> {
    if is_main(tree, "")? {
        return Ok(".".to_owned());
    }
    let mut found = Vec::new();
    for name in tree.names("cmd")? {
        if is_path(&name) && is_main(tree, &format!("cmd/{name}/"))? {
            found.push(name);
        }
    }
    let own = module.lines().find_map(|line| line.trim().strip_prefix("module "));
    let own = own.and_then(|path| path.trim().rsplit('/').next());
    match found.as_slice() {
        [one] => Ok(format!("./cmd/{one}")),
        [] if is_main(tree, "cmd/")? => Ok("./cmd".to_owned()),
        [] => Err(no_builder(
            "go.mod is there, but no program: no file of the directory that is built or of a directory below cmd/ says \
             \"package main\"; set the path of the source, or spec.build.command (it must leave the program at /out/app)",
        )),
        several if several.iter().any(|name| Some(name.as_str()) == own) => {
            Ok(format!("./cmd/{}", own.unwrap_or_default()))
        }
        several => Err(no_builder(format!(
            "there are several programs: cmd/{}; say which one with spec.build.command, such as \
             go build -o /out/app ./cmd/{}",
            several.join(", cmd/"),
            several[0]
        ))),
    }
}

/// Whether a directory (empty, or with a slash at its end) holds a `package main`.
fn is_main(tree: Tree<'_>, directory: &str) -> Result<bool, Failure> {
    let files = tree.names(directory)?;
    let programs = files.iter().filter(|name| {
        std::path::Path::new(name).extension().is_some_and(|extension| extension == "go")
            && !name.ends_with("_test.go")
    });
    for name in programs.take(MAX_FILES) {
        let text = tree.text(&format!("{directory}{name}"))?.unwrap_or_default();
        // A file that is left out of builds says so before its package.
        let ignored = text.lines().any(|line| line.trim() == "//go:build ignore");
        if !ignored
            && text.lines().any(|line| line.trim_end() == "package main" || line.starts_with("package main "))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
