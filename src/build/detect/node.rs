//! What a package.json and the files beside it say: which framework, which package manager, what is served.

use super::findings::Findings;
use super::tree::Tree;
use super::{Context, Generated, missing, no_builder, static_site, step};
use crate::build::dockerfile::Step;
use crate::build::dockerfile::node::{self, Install, Plan, Serve};
use crate::build::order::{Framework, Settings};
use crate::build::outcome::Failure;
use package::Package;

mod astro;
mod next;
mod package;
mod package_manager;
mod server;
mod site;
mod svelte;
mod version;

/// A source as the frameworks look at it.
struct Source<'a> {
    tree: Tree<'a>,
    package: Package,
    settings: &'a Settings,
}

/// How a framework is built and served.
struct Way {
    what: &'static str,
    build: Option<Step>,
    cache: Option<&'static str>,
    serve: Serve,
}

/// The package.json, unless all that it has beside a page is a list of packages.
pub(super) fn sign(tree: Tree<'_>, settings: &Settings) -> Result<Option<&'static str>, Failure> {
    if !tree.has("package.json") {
        return Ok(None);
    }
    let Some(page) = static_site::sign(tree) else { return Ok(Some("package.json")) };
    let page = tree.text(page)?.unwrap_or_default();
    let package = Package::read(tree)?;
    // A file that the page names is a script of the page.
    let runs = |package: &Package| {
        package.is_built(settings)
            || package.scripts.contains_key("start")
            || server::file(tree, package).is_some_and(|file| !page.contains(&file))
            || site::builder(package).is_some()
    };
    Ok(package.as_ref().is_none_or(runs).then_some("package.json"))
}

/// Whether the package.json is that of a static site which must be built.
pub(super) fn builds_site(tree: Tree<'_>, settings: &Settings) -> Result<bool, Failure> {
    let package = Package::read(tree)?;
    Ok(package.is_some_and(|package| package.is_built(settings) && site::builder(&package).is_some()))
}

/// The recipe for a package.json.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let asked = settings.framework;
    let package =
        Package::read(tree)?.ok_or_else(|| missing("package.json", asked.unwrap_or(Framework::Node)))?;
    let source = Source { tree, package, settings };
    let mut findings = Findings::default();
    let framework = match asked {
        Some(framework) => framework,
        None => source.framework(),
    };
    let way = match framework {
        Framework::NextJs => next::way(&source, &mut findings)?,
        Framework::Astro => astro::way(&source)?,
        Framework::SvelteKit => svelte::way(&source, &mut findings)?,
        Framework::Vite | Framework::Static => site::way(&source)?,
        _ => server::way(&source, &mut findings)?,
    };
    let (manager, lock) = package_manager::choose(&source, &mut findings)?;
    let plan = Plan {
        what: way.what,
        major: version::major(&source, &mut findings)?,
        install: Install {
            locked: lock.is_some(),
            files: package_manager::files(tree, &manager, lock),
            directories: package_manager::directories(tree),
            whole_source: source.package.needs_source() || package_manager::has_members(tree),
            manager,
        },
        build: way.build,
        cache: way.cache,
        arguments: super::arguments(settings),
        serve: way.serve,
    };
    Ok(Generated { framework, text: node::text(&plan), context: Context::Directory, findings })
}

impl Source<'_> {
    /// A framework counts unless the `start` script is of another program.
    fn framework(&self) -> Framework {
        let known = [
            ("next", Framework::NextJs),
            ("astro", Framework::Astro),
            ("@sveltejs/kit", Framework::SvelteKit),
        ];
        for (name, framework) in known {
            if self.package.has(name) && self.package.starts_itself(name) {
                return framework;
            }
        }
        let Some(builder) = site::builder(&self.package) else { return Framework::Node };
        if !self.package.starts_itself(builder.package) || !self.package.is_built(self.settings) {
            return Framework::Node;
        }
        if builder.package == "vite" { Framework::Vite } else { Framework::Static }
    }

    /// The build of a framework that cannot do without one; `usual` is what its script usually is.
    fn build(&self, usual: &str) -> Result<Step, Failure> {
        if let Some(step) = step(self.settings) {
            return Ok(step);
        }
        if self.package.scripts.contains_key("build") {
            return Ok(Step::Usual);
        }
        Err(no_builder(format!(
            "package.json has no \"build\" script; add one, such as \"build\": \"{usual}\", or set spec.build.command"
        )))
    }

    /// The text of the configuration of a framework, without comments of whole lines.
    fn configuration(&self, name: &str) -> Result<String, Failure> {
        for extension in ["js", "mjs", "ts", "cjs", "mts"] {
            if let Some(text) = self.tree.text(&format!("{name}.config.{extension}"))? {
                let lines: Vec<&str> = text
                    .lines()
                    .filter(|line| {
                        !["//", "*", "/*"].iter().any(|start| line.trim_start().starts_with(start))
                    })
                    .collect();
                return Ok(lines.join("\n"));
            }
        }
        Ok(String::new())
    }
}

/// The text that a configuration gives to a key in quotes: `output: "export"`.
fn quoted<'t>(configuration: &'t str, key: &str) -> Option<&'t str> {
    configuration.match_indices(key).find_map(|(at, _)| {
        let before = configuration[..at].chars().next_back();
        if before.is_some_and(|char| char.is_ascii_alphanumeric() || char == '_') {
            return None;
        }
        let rest = configuration[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
        let rest = rest.strip_prefix([':', '='])?.trim_start();
        let quote = rest.chars().next().filter(|char| "\"'`".contains(*char))?;
        rest[1..].split(quote).next()
    })
}

#[cfg(test)]
mod tests;
