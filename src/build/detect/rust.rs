//! What Cargo.toml says, and which program of the workspace is meant.

use super::findings::Findings;
use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Value;

use super::names::{is_crate, is_path, leading};
use super::tree::Tree;
use super::{ASSETS, Context, Generated, missing, no_builder, step};
use crate::build::dockerfile::Step;
use crate::build::dockerfile::rust::{self, Program};
use crate::build::order::{Framework, Settings};
use crate::build::outcome::Failure;

/// Most packages of a workspace that are looked at.
const MAX_MEMBERS: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Manifest {
    package: Option<Package>,
    workspace: Option<Workspace>,
    bin: Vec<Target>,
    lib: Option<Value>,
    bench: Vec<Value>,
    example: Vec<Value>,
    test: Vec<Value>,
    dependencies: BTreeMap<String, Value>,
    build_dependencies: BTreeMap<String, Value>,
    dev_dependencies: BTreeMap<String, Value>,
    patch: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Package {
    name: String,
    default_run: Option<String>,
    build: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Workspace {
    members: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Target {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToolchainFile {
    toolchain: Toolchain,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Toolchain {
    channel: Option<String>,
}

/// The recipe for a Cargo.toml.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let manifest: Manifest =
        tree.toml("Cargo.toml")?.ok_or_else(|| missing("Cargo.toml", Framework::Rust))?;
    let mut findings = Findings::default();
    let locked = tree.has("Cargo.lock");
    if !locked {
        findings
            .assume("Cargo.lock is missing: other versions may be taken every time; commit it".to_owned());
    }
    let build = step(settings);
    let plan = rust::Plan {
        version: version(tree)?,
        program: if build.is_some() { Program::default() } else { program(tree, &manifest)? },
        locked,
        simple: is_simple(tree, &manifest),
        openssl: links_openssl(tree),
        build: build.unwrap_or(Step::Usual),
        arguments: super::arguments(settings),
        assets: ASSETS.into_iter().filter(|name| tree.has_directory(name)).collect(),
    };
    if !plan.assets.is_empty() {
        findings.assume(format!("copied beside the program, in /srv: {}", plan.assets.join(", ")));
    }
    Ok(Generated {
        framework: Framework::Rust,
        text: rust::text(&plan),
        context: Context::Directory,
        findings,
    })
}

/// The version that rust-toolchain.toml asks for; the newest Rust 1 without one.
fn version(tree: Tree<'_>) -> Result<String, Failure> {
    let channel = match tree.toml::<ToolchainFile>("rust-toolchain.toml")? {
        Some(file) => file.toolchain.channel,
        // The older form of the file is the channel alone.
        None => tree.text("rust-toolchain")?.filter(|text| !text.contains('[')),
    };
    match channel.as_deref().map(str::trim) {
        None | Some("stable") => Ok("1".to_owned()),
        Some(channel) => leading(channel, 2).ok_or_else(|| {
            no_builder(
                "rust-toolchain.toml asks for another channel than stable or a version, which the image of Rust does not \
                 have; write a version, or add a Dockerfile",
            )
        }),
    }
}

/// The only program, else the one that `default-run` or the package's own name says.
fn program(tree: Tree<'_>, manifest: &Manifest) -> Result<Program, Failure> {
    let mut found = programs(tree, "", manifest)?;
    let root = found.len();
    for member in members(tree, manifest)? {
        if let Some(inner) = tree.toml::<Manifest>(&format!("{member}/Cargo.toml"))? {
            found.extend(programs(tree, &format!("{member}/"), &inner)?);
        }
    }
    let chosen = manifest.package.as_ref().and_then(|package| {
        let name = package.default_run.as_ref().unwrap_or(&package.name);
        found[..root].iter().find(|program| program.name == *name)
    });
    match (chosen, found.as_slice()) {
        (Some(program), _) | (None, [program]) => Ok(program.clone()),
        (None, []) => Err(no_builder(
            "Cargo.toml is there, but no program: no src/main.rs, no [[bin]], and none in a member of the workspace; set \
             the path of the source, or spec.build.command (it must leave the program at /out/app)",
        )),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|program| program.name.as_str()).collect();
            Err(no_builder(format!(
                "there are several programs: {}; set default-run in Cargo.toml, or say which one with \
                 spec.build.command, such as cargo build --release --bin {} && cp target/release/{} /out/app",
                names.join(", "),
                names[0],
                names[0]
            )))
        }
    }
}

/// The programs of one package, below `directory` (empty, or with a slash at its end).
fn programs(tree: Tree<'_>, directory: &str, manifest: &Manifest) -> Result<Vec<Program>, Failure> {
    let Some(package) = manifest.package.as_ref() else { return Ok(vec![]) };
    let mut names: Vec<String> = manifest.bin.iter().map(|target| target.name.clone()).collect();
    if tree.has(&format!("{directory}src/main.rs")) && names.is_empty() {
        names.push(package.name.clone());
    }
    for entry in tree.names(&format!("{directory}src/bin"))? {
        let single = entry.strip_suffix(".rs").map(str::to_owned);
        let nested = || tree.has(&format!("{directory}src/bin/{entry}/main.rs")).then(|| entry.clone());
        names.extend(single.or_else(nested));
    }
    names.sort();
    names.dedup();
    let plain = names.iter().chain([&package.name]).all(|name| is_crate(name));
    if !plain {
        return Err(no_builder(format!(
            "{directory}Cargo.toml names a package or program with other characters than letters, digits, '-' and '_'"
        )));
    }
    Ok(names.into_iter().map(|name| Program { package: package.name.clone(), name }).collect())
}

/// The directories of the workspace's members; a name may end in `/*`.
fn members(tree: Tree<'_>, manifest: &Manifest) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for member in manifest.workspace.iter().flat_map(|workspace| &workspace.members) {
        match member.strip_suffix("/*") {
            Some(parent) if is_path(parent) => {
                let names = tree.names(parent)?;
                found
                    .extend(names.iter().filter(|name| is_path(name)).map(|name| format!("{parent}/{name}")));
            }
            None if is_path(member) => found.push(member.clone()),
            _ => {}
        }
    }
    found.truncate(MAX_MEMBERS);
    Ok(found)
}

/// Whether an empty src/main.rs is enough to compile the dependencies.
fn is_simple(tree: Tree<'_>, manifest: &Manifest) -> bool {
    let Some(package) = &manifest.package else { return false };
    let local = |value: &Value| value.get("path").is_some();
    let dependencies = [&manifest.dependencies, &manifest.build_dependencies, &manifest.dev_dependencies];
    tree.has("src/main.rs")
        && manifest.workspace.is_none()
        && manifest.lib.is_none()
        && manifest.patch.is_none()
        && package.build.is_none()
        && !tree.has("build.rs")
        && !tree.has_directory(".cargo")
        && manifest.bin.is_empty()
        && [&manifest.bench, &manifest.example, &manifest.test].into_iter().all(Vec::is_empty)
        && !dependencies.into_iter().flat_map(BTreeMap::values).any(local)
}

/// Whether the lock file has OpenSSL's bindings and no OpenSSL to compile.
fn links_openssl(tree: Tree<'_>) -> bool {
    // A lock file that is too large to read is none to fail for.
    let lock = tree.text("Cargo.lock").ok().flatten().unwrap_or_default();
    let has = |name: &str| lock.lines().any(|line| line == format!("name = \"{name}\""));
    has("openssl-sys") && !has("openssl-src")
}

#[cfg(test)]
mod tests;
