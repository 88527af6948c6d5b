//! The web frameworks on Node: the package that identifies each, and the module that handles it.

use super::super::findings::Findings;
use super::super::names::is_path;
use super::super::{no_builder, step};
use super::invocation::{self, Invocation};
use super::package_manager::Chosen;
use super::version::Node;
use super::{
    Source, Way, angular, astro, gatsby, nest, next, nuxt, paths, qwik, react_router, server, site, solid,
    svelte, tanstack, vite,
};
use crate::builder::dockerfile::Step;
use crate::builder::dockerfile::node::Serve;
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;

/// A framework that is known by its package.
struct Known {
    framework: Framework,
    packages: &'static [&'static str],
    /// Programs whose call in the `start` script is the framework's own server, which the recipe replaces by a better
    /// command.
    own: &'static [&'static str],
    /// Parts of a `start` script that starts the output of the build.
    parts: &'static [&'static str],
    way: fn(&Source<'_>, &mut Findings) -> Result<Way, Failure>,
}

static KNOWN: [Known; 11] = [
    Known {
        framework: Framework::NextJs,
        packages: &["next"],
        own: &["next"],
        parts: &[".next/standalone/"],
        way: next::way,
    },
    Known {
        framework: Framework::Nuxt,
        packages: &["nuxt", "nuxt3", "nuxt-nightly"],
        own: &["nuxt", "nuxi"],
        parts: &[".output/server"],
        way: nuxt::way,
    },
    Known {
        framework: Framework::ReactRouter,
        packages: &["@react-router/dev", "@remix-run/dev"],
        own: &["react-router", "remix", "react-router-serve", "remix-serve"],
        parts: &[],
        way: react_router::way,
    },
    Known {
        framework: Framework::TanStackStart,
        packages: &["@tanstack/react-start", "@tanstack/solid-start", "@tanstack/start"],
        own: &["vite", "vinxi"],
        parts: &[".output/server"],
        way: tanstack::way,
    },
    Known {
        framework: Framework::SolidStart,
        packages: &["@solidjs/start"],
        own: &["vinxi", "vite"],
        parts: &[".output/server"],
        way: solid::way,
    },
    Known {
        framework: Framework::Qwik,
        packages: &["@builder.io/qwik-city", "@qwik.dev/router"],
        own: &["vite", "qwik"],
        parts: &["server/entry"],
        way: qwik::way,
    },
    Known {
        framework: Framework::SvelteKit,
        packages: &["@sveltejs/kit"],
        own: &["vite", "svelte-kit"],
        parts: &["node build", "node ./build"],
        way: svelte::way,
    },
    Known {
        framework: Framework::Astro,
        packages: &["astro"],
        own: &["astro"],
        parts: &["dist/server/entry.mjs"],
        way: astro::way,
    },
    Known {
        framework: Framework::Angular,
        packages: &["@angular/core"],
        own: &["ng"],
        parts: &["server/server.mjs"],
        way: angular::way,
    },
    Known {
        framework: Framework::Gatsby,
        packages: &["gatsby"],
        own: &["gatsby"],
        parts: &[],
        way: gatsby::way,
    },
    Known {
        framework: Framework::NestJs,
        packages: &["@nestjs/core"],
        own: &["nest"],
        parts: &[],
        way: nest::way,
    },
];

/// The framework of a package.json, unless the `start` script starts another program.
pub(super) fn framework(source: &Source<'_>) -> Framework {
    let package = &source.package;
    let asks = |known: &&Known| known.packages.iter().any(|name| package.has(name));
    let line = package.scripts.get("start").map(String::as_str);
    if let Some(known) = KNOWN.iter().find(asks) {
        let own = line.is_none_or(|line| {
            invocation::of(package, line, known.own).is_some()
                || known.parts.iter().any(|part| line.contains(part))
        });
        // With NestJS, every script starts the same program.
        return if own || known.framework == Framework::NestJs { known.framework } else { Framework::Node };
    }
    let Some(builder) = site::builder(package) else { return Framework::Node };
    let built = source.has_build()
        || source.settings.command.is_some()
        || package.scripts.values().any(|line| builder.is_built_by(package, line));
    let own = line.is_none_or(|line| {
        let serves = ["serve", "http-server", "sirv", "live-server"];
        invocation::of(package, line, builder.tools).is_some()
            || invocation::of(package, line, &serves).is_some()
    });
    match builder.package {
        _ if !own || !built || server_is_main(source) => Framework::Node,
        "vite" => Framework::Vite,
        "vitepress" => Framework::VitePress,
        _ => Framework::Static,
    }
}

/// A package without a `start` script whose `main` exists is a program that only uses a builder.
fn server_is_main(source: &Source<'_>) -> bool {
    let main = source.package.main.as_deref().map(|main| main.trim_start_matches("./"));
    !source.package.scripts.contains_key("start")
        && main.is_some_and(|main| {
            ["server", "app"].iter().any(|name| main.starts_with(name)) && source.tree.has(main)
        })
}

/// How a framework is built and served.
pub(super) fn way(
    source: &Source<'_>,
    framework: Framework,
    node: &Node,
    chosen: &Chosen,
    findings: &mut Findings,
) -> Result<Way, Failure> {
    let named = source.settings.output_directory.as_deref();
    let mut way = match (KNOWN.iter().find(|known| known.framework == framework), framework, named) {
        (Some(known), ..) => (known.way)(source, findings)?,
        (None, Framework::Vite, _) => vite::way(source, findings)?,
        (None, Framework::Static | Framework::VitePress, _) => site::way(source, findings)?,
        // The directory of its pages is set, whatever builds it.
        (None, _, Some(directory)) => any_site(source, directory, findings)?,
        (None, _, None) => return server::way(source, node, &chosen.manager, findings),
    };
    if let Serve::Site(site) = &mut way.serve {
        paths::hosted(source.tree, site, findings)?;
    }
    if let Some(directory) = named {
        let output = paths::output(source, "", directory, "spec.build.outputDirectory")?;
        way.serve = match way.serve {
            Serve::Site(site) => Serve::Site(Site { output, ..site }),
            _ => Serve::Site(Site::new(output, Otherwise::NotFound)),
        };
    }
    // A script that starts the project's own program wins.
    if let Serve::Program { command: None, .. } = &way.serve {
        let started = server::way(source, node, &chosen.manager, findings)?;
        way.serve = started.serve;
    }
    Ok(way)
}

/// A site from any `build` script.
fn any_site(source: &Source<'_>, directory: &str, findings: &mut Findings) -> Result<Way, Failure> {
    let (build, _) = build(source, &[], "build", "", findings)?;
    Ok(Way::site("a static site", build, Site::new(directory, Otherwise::NotFound)))
}

/// The build, and how it calls the tool: the user's command, the script `build`, another script that builds with the
/// tool, or the usual call of the tool.
pub(super) fn build(
    source: &Source<'_>,
    tools: &[&str],
    verb: &str,
    usual: &str,
    findings: &mut Findings,
) -> Result<(Step, Option<Invocation>), Failure> {
    let package = &source.package;
    if let Some(step) = step(source.settings) {
        let line = source.settings.command.as_deref().unwrap_or_default();
        return Ok((step, invocation::of(package, line, tools)));
    }
    if source.has_build() {
        let line = package.scripts.get("build").map_or("", String::as_str);
        return Ok((Step::Usual, invocation::of(package, line, tools)));
    }
    let builds =
        |line: &str| invocation::of(package, line, tools).filter(|call| verb.is_empty() || call.has(verb));
    let mut other =
        package.scripts.iter().filter(|(name, _)| is_script(name) && *name != "start" && *name != "dev");
    if let Some((name, call)) = other.find_map(|(name, line)| Some((name, builds(line)?))) {
        findings.assume(format!("package.json has no \"build\" script, so the script {name} builds it"));
        return Ok((Step::Command(format!("npm run {name}")), Some(call)));
    }
    if usual.is_empty() {
        return Err(no_builder(
            "package.json has no \"build\" script; add one, or set spec.build.command to the command that builds it",
        ));
    }
    findings.assume(format!("package.json has no \"build\" script, so {usual} builds it"));
    Ok((Step::Command(format!("npx --no -- {usual}")), None))
}

/// A script name that is safe in a shell line.
fn is_script(name: &str) -> bool {
    is_path(&name.replace(':', "-"))
}

impl Way {
    /// A program with its packages next to it. `command` is None if a script of the project starts it.
    pub(super) fn program(what: &'static str, build: Step, command: Option<&[&str]>) -> Self {
        let command = command.map(|words| words.iter().map(|word| (*word).to_owned()).collect());
        Self { what, build: Some(build), cache: None, serve: Serve::Program { command }, variables: &[] }
    }
}
