//! .NET: which project is the program, and which version it targets.

use super::choice;
use super::findings::Findings;
use super::names::is_path;
use super::tree::Tree;
use super::{Context, Generated, no_builder, step};
use crate::builder::dockerfile::dotnet::{self, Plan};
use crate::builder::dockerfile::{Step, images};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;
use project::Project;

mod project;

/// The files that say that a directory holds a program for .NET.
pub(super) const FILES: [&str; 5] = ["*.csproj", "*.fsproj", "*.vbproj", "*.sln", "*.slnx"];

/// Limits of the search: projects, directories, depth.
const MAX_PROJECTS: usize = 200;
const MAX_DIRECTORIES: usize = 1000;
const DEPTH: usize = 4;

/// Files next to and above projects that `dotnet restore` reads.
const SHARED: [&str; 7] = [
    "Directory.Build.props",
    "Directory.Build.targets",
    "Directory.Packages.props",
    "NuGet.Config",
    "NuGet.config",
    "nuget.config",
    "packages.lock.json",
];

/// The recipe for a project file.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let mut findings = Findings::default();
    let chosen = choose(tree, &mut findings)?;
    if !is_path(&chosen.assembly) {
        return Err(no_builder(format!(
            "{:?} builds {:?}, a name with characters other than letters, digits and . _ - + @; set AssemblyName",
            chosen.file, chosen.assembly
        )));
    }
    // The project may also use files above or next to the directory that is built.
    let outside =
        !tree.path().is_empty() && (chosen.leaves() || SHARED.iter().any(|name| tree.source().has(name)));
    let (root, base) =
        if outside { (tree.source(), format!("{}/", tree.path())) } else { (tree, String::new()) };
    let file = format!("{base}{}", chosen.file);
    let target = target(root, &file, &chosen)?;
    let sdk = sdk(tree, target, &mut findings)?;
    choice::unused_procfile(tree, &mut findings)?;
    if chosen.blazor {
        return Err(no_builder(format!(
            "{} is a browser app (Blazor WebAssembly) without a server; add a server project that serves it, or a \
             Dockerfile",
            chosen.file
        )));
    }
    findings.assume(format!("the program is {file}"));
    let plan = Plan {
        sdk,
        runtime: target,
        web: chosen.web,
        framework: chosen.several.then(|| format!("net{target}.0")),
        manifests: manifests(root, &file)?,
        project: file,
        program: chosen.assembly.clone(),
        native: chosen.native,
        node: chosen.node,
        build: step(settings).unwrap_or(Step::Usual),
        arguments: super::arguments(settings),
    };
    let context = if outside { Context::Source } else { Context::Directory };
    Ok(Generated { framework: Framework::DotNet, text: dotnet::text(&plan), context, findings })
}

/// The only project that serves, else the only one that is a program.
fn choose(tree: Tree<'_>, findings: &mut Findings) -> Result<Project, Failure> {
    let mut projects = Vec::new();
    for file in files(tree)?.iter().filter(|file| file.ends_with("proj")) {
        projects.extend(Project::read(tree, file)?);
    }
    let mut found: Vec<Project> =
        projects.iter().filter(|project| project.web && !project.test).cloned().collect();
    if found.is_empty() {
        found = projects.into_iter().filter(|project| project.program && !project.test).collect();
    }
    if found.is_empty() {
        return Err(no_builder(
            "the .NET solution or project has no program: no project has the SDK Microsoft.NET.Sdk.Web or \
             <OutputType>Exe</OutputType>; set the path of the source, or add a Dockerfile",
        ));
    }
    let names: Vec<&str> = found.iter().map(|project| project.assembly.as_str()).collect();
    let solution = tree
        .names("")?
        .into_iter()
        .find_map(|name| name.strip_suffix(".sln").or_else(|| name.strip_suffix(".slnx")).map(str::to_owned));
    if let [_] = names.as_slice() {
        return Ok(found.remove(0));
    }
    let chosen = choice::by_name(&names, solution.as_deref(), findings).ok_or_else(|| {
        let files: Vec<&str> = found.iter().map(|project| project.file.as_str()).collect();
        let place = files[0].rsplit_once('/').map_or(".", |(place, _)| place);
        no_builder(format!(
            "there are several programs: {}; choose one with the path of the source, such as {place}",
            files.join(", ")
        ))
    })?;
    Ok(found.swap_remove(chosen))
}

/// The project files, and those that `dotnet restore` reads, below a directory.
fn files(tree: Tree<'_>) -> Result<Vec<String>, Failure> {
    let mut level = vec![String::new()];
    let mut found = Vec::new();
    let mut seen = 0;
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for directory in level {
            for name in tree.names(&directory)? {
                let path = format!("{directory}{name}");
                let is_project = [".csproj", ".fsproj", ".vbproj"].iter().any(|end| name.ends_with(end));
                if (is_project || SHARED.contains(&name.as_str()))
                    && tree.has(&path)
                    && found.len() < MAX_PROJECTS
                {
                    found.push(path);
                } else if !name.starts_with('.')
                    && !["bin", "obj", "node_modules"].contains(&name.as_str())
                    && tree.has_directory(&path)
                    && seen < MAX_DIRECTORIES
                {
                    seen += 1;
                    next.push(format!("{path}/"));
                }
            }
        }
        level = next;
    }
    Ok(found)
}

/// The files that `dotnet restore` reads. Empty if one of them has a name that is not safe in a Dockerfile; everything
/// is copied first then.
fn manifests(root: Tree<'_>, project: &str) -> Result<Vec<String>, Failure> {
    if !is_path(project) {
        return Err(no_builder(format!(
            "the name {project:?} has characters other than letters, digits and . _ - + @; rename it, or add a \
            Dockerfile"
        )));
    }
    let found = files(root)?;
    Ok(if found.iter().all(|file| is_path(file)) { found } else { vec![] })
}

/// The version that a project targets, from its own file or a Directory.Build.props above it.
fn target(root: Tree<'_>, file: &str, project: &Project) -> Result<u32, Failure> {
    let mut targets = project.targets.clone();
    let mut place = file;
    while let Some((above, _)) =
        place.rsplit_once('/').or((!place.is_empty() && targets.is_empty()).then_some(("", "")))
    {
        if !targets.is_empty() {
            break;
        }
        let props = if above.is_empty() { SHARED[0].to_owned() } else { format!("{above}/{}", SHARED[0]) };
        if let Some(read) = Project::read(root, &props)? {
            targets = read.targets;
        }
        place = above;
    }
    let newest = targets.iter().filter_map(|target| number(target)).max();
    let (first, last) = (images::DOTNET[0], images::DOTNET[images::DOTNET.len() - 1]);
    match newest {
        Some(version) if images::DOTNET.contains(&version) => Ok(version),
        Some(version) => Err(no_builder(format!(
            "{file} targets net{version}.0, but there are images only for net{first}.0 to net{last}.0; change \
             TargetFramework, or add a Dockerfile"
        ))),
        None => Err(no_builder(format!(
            "{file} targets {:?}, which is not one of net{first}.0 to net{last}.0: .NET Framework runs only on \
             Windows, and older versions are out of support; change TargetFramework, or add a Dockerfile",
            targets.join(", ")
        ))),
    }
}

/// `net8.0` → 8; None for `net8.0-windows`, which does not run on Linux.
fn number(target: &str) -> Option<u32> {
    target.strip_prefix("net")?.strip_suffix(".0")?.parse().ok()
}

/// The SDK version: that of the program, or a later one from global.json.
fn sdk(tree: Tree<'_>, target: u32, findings: &mut Findings) -> Result<u32, Failure> {
    findings.choose(".NET", format!("{target}.0"), "TargetFramework");
    let asked = [tree, tree.source()].into_iter().find_map(|tree| {
        let text = tree.text("global.json").ok().flatten()?;
        let asked: String = text.split("\"version\"").nth(1)?.split('"').nth(1)?.to_owned();
        Some(asked)
    });
    let Some(asked) = asked else { return Ok(target) };
    let major: u32 = asked.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(target);
    let newest = images::DOTNET[images::DOTNET.len() - 1];
    if major > newest {
        return Err(no_builder(format!(
            "global.json requires SDK {major}, but the newest that this operator knows is {newest}.0; lower it, or add \
             a Dockerfile"
        )));
    }
    let sdk = major.max(target);
    findings.choose(".NET SDK", format!("{sdk}.0"), "global.json; the newest SDK of this version");
    Ok(sdk)
}

#[cfg(test)]
mod tests;
