//! What a package.json says about how to build and start a program. It knows npm only and reads no other file.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::dockerfile::{self, Install, Start};
use super::super::outcome::Failure;
use super::{Recipe, no_builder};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Package {
    scripts: BTreeMap<String, String>,
    main: Option<String>,
    dependencies: BTreeMap<String, serde_json::Value>,
    dev_dependencies: BTreeMap<String, serde_json::Value>,
    workspaces: Option<serde_json::Value>,
}

/// Builders of static sites, the directory they write, and how their development server is started: a `start` script
/// that says this is none for production.
const STATIC: [(&str, &str, &str); 8] = [
    ("vite", "dist", "vite"),
    ("astro", "dist", "astro dev"),
    ("react-scripts", "build", "react-scripts start"),
    ("@vue/cli-service", "dist", "vue-cli-service serve"),
    ("parcel", "dist", "parcel"),
    ("gatsby", "public", "gatsby develop"),
    ("@11ty/eleventy", "_site", "eleventy --serve"),
    ("vitepress", ".vitepress/dist", "vitepress dev"),
];

/// Scripts that npm runs while it installs; they may need any file of the source.
const INSTALL_SCRIPTS: [&str; 4] = ["preinstall", "install", "postinstall", "prepare"];

/// The recipe for a package.json and the names of the files beside it.
pub(super) fn recipe(package: &str, files: &BTreeSet<String>) -> Result<Recipe, Failure> {
    let package: Package = serde_json::from_str(package.trim_start_matches('\u{feff}'))
        .map_err(|error| no_builder(format!("package.json cannot be read: {error}; correct it")))?;
    let build = package.scripts.contains_key("build");
    let install = Install {
        locked: files.contains("package-lock.json"),
        npmrc: files.contains(".npmrc"),
        whole_source: needs_source(&package),
        build,
    };
    let mut notes = Vec::new();
    if !install.locked {
        notes.push("package-lock.json is missing: npm install may take other versions every time; commit the lock file");
    }
    let (framework, text) = match (start(&package, files), static_output(&package)) {
        (Some(start), _) => ("Node", dockerfile::node(install, &start)),
        (None, Some(output)) => ("Static", dockerfile::static_build(install, output)),
        (None, None) => {
            let message = "package.json is there, but it has no \"start\" script, its \"main\" is no file, there is no \
                           server.js and no index.js, and its \"build\" script is of no builder of static sites that is \
                           known; add a \"start\" script or a Dockerfile";
            return Err(no_builder(message));
        }
    };
    Ok(Recipe::Generated { framework, text, notes })
}

/// Whether installing needs more than the package files: install scripts, workspaces, packages of the source itself.
fn needs_source(package: &Package) -> bool {
    let local = |version: &serde_json::Value| {
        version
            .as_str()
            .is_some_and(|version| ["file:", "link:", "."].iter().any(|start| version.starts_with(start)))
    };
    package.workspaces.is_some()
        || INSTALL_SCRIPTS.iter().any(|script| package.scripts.contains_key(*script))
        || package.dependencies.values().chain(package.dev_dependencies.values()).any(local)
}

fn start(package: &Package, files: &BTreeSet<String>) -> Option<Start> {
    match package.scripts.get("start") {
        Some(script) if !is_development_server(package, script) => return Some(Start::Script),
        _ => {}
    }
    // What `npm run build` would only make can not be seen here; without a build, `main` must be there.
    let main = package.main.as_deref().map(|main| main.trim_start_matches("./"));
    let main = main.filter(|main| files.contains(*main) && is_program(main));
    main.or_else(|| ["server.js", "index.js"].into_iter().find(|name| files.contains(*name)))
        .filter(|_| static_output(package).is_none())
        .map(|name| Start::File(name.to_owned()))
}

fn is_program(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte)) && !name.starts_with('-')
}

fn is_development_server(package: &Package, script: &str) -> bool {
    let script = script.trim().trim_start_matches("npx ");
    static_builder(package)
        .is_some_and(|(_, _, server)| script == server || script.starts_with(&format!("{server} ")))
        && !["preview", "build"].iter().any(|word| script.split_whitespace().nth(1) == Some(*word))
}

/// The directory that `npm run build` fills with a static site.
fn static_output(package: &Package) -> Option<&'static str> {
    package.scripts.get("build")?;
    static_builder(package).map(|(_, output, _)| output)
}

fn static_builder(package: &Package) -> Option<(&'static str, &'static str, &'static str)> {
    let has =
        |name: &str| package.dependencies.contains_key(name) || package.dev_dependencies.contains_key(name);
    STATIC.into_iter().find(|(name, ..)| has(name))
}
