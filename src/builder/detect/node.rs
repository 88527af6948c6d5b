//! Node: framework, package manager and what is served, from package.json and the files next to it.

use super::findings::Findings;
use super::names::is_path;
use super::tree::Tree;
use super::{Context, Generated, missing, procfile, static_site};
use crate::builder::dockerfile::Step;
use crate::builder::dockerfile::node::{self, Development, Extent, Install, Manager, Plan, Serve};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;
pub(super) use members::Members;
use package::Package;
use package_manager::Chosen;
pub(super) use package_manager::is_range;
use scripts::Scripts;
use workspace::Workspace;

mod angular;
mod astro;
mod config;
mod configurations;
mod expo;
mod frameworks;
mod gatsby;
mod imports;
mod invocation;
mod javascript;
mod lock;
mod members;
mod monorepo;
mod needs;
mod nest;
mod next;
mod nuxt;
mod package;
mod package_manager;
pub(super) mod paths;
mod programs;
mod qwik;
mod react_router;
mod react_scripts;
mod scripts;
mod server;
mod site;
mod solid;
mod svelte;
mod tanstack;
mod tokens;
mod version;
mod vite;
mod vitepress;
mod workspace;

/// Most packages of a workspace whose package.json is copied separately before packages are installed.
const MAX_FILES: usize = 100;

/// A source as the frameworks see it.
struct Source<'a> {
    tree: Tree<'a>,
    package: Package,
    settings: &'a Settings,
    /// The workspace that it is a member or the root of.
    workspace: Option<&'a Workspace>,
    /// The package.json of the root, if this is a member.
    root: Option<Package>,
}

/// How a framework is built and served.
struct Way {
    what: &'static str,
    build: Option<Step>,
    cache: Option<&'static str>,
    serve: Serve,
    /// Variables of the build.
    variables: &'static [(&'static str, &'static str)],
}

/// The package.json, unless it only lists packages next to a finished page.
pub(super) fn sign(tree: Tree<'_>, settings: &Settings) -> Result<Option<&'static str>, Failure> {
    let Some(file) = tree.first(&package::FILES) else { return Ok(None) };
    let Some(page) = static_site::page(tree) else { return Ok(Some(file)) };
    let page = tree.text(page)?.unwrap_or_default();
    let package = Package::read(tree)?;
    // A file that the page names is a script of the page.
    let runs = |package: &Package| {
        package.is_built(settings)
            || package.scripts.contains_key("start")
            || server::file(tree, package).is_some_and(|file| !page.contains(&file))
            || site::builder(package).is_some()
    };
    Ok(package.as_ref().is_none_or(runs).then_some(file))
}

/// A file that is a program without a package.json.
pub(super) fn lone_file(tree: Tree<'_>) -> Option<&'static str> {
    tree.first(&[
        "server.js",
        "server.mjs",
        "server.ts",
        "index.js",
        "index.mjs",
        "index.ts",
        "app.js",
        "main.js",
    ])
}

/// Whether the package.json belongs to a static site that must be built.
pub(super) fn builds_site(tree: Tree<'_>, settings: &Settings) -> Result<bool, Failure> {
    let Some(package) = Package::read(tree)? else { return Ok(false) };
    let builds = |builder: site::Builder| {
        package.scripts.values().any(|line| builder.is_built_by(&package, line)) || package.is_built(settings)
    };
    Ok(site::builder(&package).is_some_and(builds)
        || settings.output_directory.is_some() && package.is_built(settings))
}

/// The recipe for a package.json: of the directory itself, as a member of a workspace, or of the only program in it.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let asked = settings.framework;
    let package = Package::read(tree)?.or_else(|| lone_file(tree).map(|_| Package::default()));
    let package = package.ok_or_else(|| missing("package.json", asked.unwrap_or(Framework::Node)))?;
    let mut findings = Findings::default();
    if !tree.path().is_empty()
        && let Some(workspace) = Workspace::read(tree.source())?
        && workspace.at(tree.path()).is_some()
    {
        let root = Package::read(tree.source())?;
        let source = Source { tree, package, settings, workspace: Some(&workspace), root };
        return generated(&source, findings);
    }
    let workspace = Workspace::read(tree)?;
    if let Some(workspace) = &workspace
        && tree.path().is_empty()
        && !starts_something(tree, &package)?
    {
        let member = workspace.program(tree, &mut findings)?;
        let source = Source {
            tree: Tree::member(tree.root(), &member.path),
            package: member.package.clone(),
            settings,
            workspace: Some(workspace),
            root: Some(package),
        };
        return generated(&source, findings);
    }
    generated(&Source { tree, package, settings, workspace: workspace.as_ref(), root: None }, findings)
}

/// Whether the root of a workspace is itself a program.
fn starts_something(tree: Tree<'_>, package: &Package) -> Result<bool, Failure> {
    let listed = procfile::main(&procfile::read(tree)?).is_some();
    Ok(listed || package.scripts.contains_key("start") || server::file(tree, package).is_some() || {
        let build = package.scripts.get("build").map_or("", String::as_str);
        let of_members = ["turbo", "nx ", "lerna", "workspace", "--filter", " -r", "--recursive", "-F "];
        !build.is_empty() && !of_members.iter().any(|word| build.contains(word))
    })
}

fn generated(source: &Source<'_>, mut findings: Findings) -> Result<Generated, Failure> {
    let node = version::choose(source, &mut findings)?;
    let chosen = package_manager::choose(source, &node, &mut findings)?;
    let framework = source.settings.framework.unwrap_or_else(|| frameworks::framework(source));
    let mut way = frameworks::way(source, framework, &node, &chosen, &mut findings)?;
    let runs_bun = command(&way).first().is_some_and(|word| word == "bun");
    let framework = if runs_bun && framework == Framework::Node { Framework::Bun } else { framework };
    if source.workspace.is_some() {
        hoisted(&mut way);
    }
    tokens::warn(source, &mut findings);
    let lock = chosen.lock.map(|file| source.root().long(file)).unwrap_or_default();
    let needs = needs::of(source, &lock, &mut findings);
    let plan = Plan {
        what: way.what,
        tag: node.tag.clone(),
        install: install(source, chosen, &way, &mut findings),
        needs,
        build: way.build.clone(),
        usual: String::new(),
        cache: way.cache,
        build_variables: way.variables,
        arguments: super::arguments(source.settings),
        directory: source.directory().to_owned(),
        programs: scripts::directories(command(&way), source.directory()),
        variables: source.variables(),
        serve: way.serve,
    };
    let plan = Plan { usual: source.usual_build(&plan.install.manager), ..plan };
    let context = if source.is_member() { Context::Source } else { Context::Directory };
    Ok(Generated { framework, text: node::text(&plan), context, findings })
}

/// The command of a program; empty if it has none.
fn command(way: &Way) -> &[String] {
    match &way.serve {
        Serve::Program { command: Some(command), .. } => command,
        _ => &[],
    }
}

/// Replaces a path to a package's program by its name: in a workspace, its files may be at the root.
fn hoisted(way: &mut Way) {
    if let Serve::Program { command: Some(command), .. } = &mut way.serve
        && command.first().is_some_and(|word| word == "node")
        && command.get(1).is_some_and(|word| word == "node_modules/next/dist/bin/next")
    {
        command.splice(0..2, ["next".to_owned()]);
    }
}

fn install(source: &Source<'_>, chosen: Chosen, way: &Way, findings: &mut Findings) -> Install {
    let root = source.root();
    let Chosen { manager, lock, locked } = chosen;
    let workspace = source.workspace.is_some_and(|workspace| !workspace.members.is_empty());
    let members = source.workspace.iter().flat_map(|workspace| &workspace.members);
    let packages = || {
        source.packages().chain(
            source.workspace.iter().flat_map(|known| known.members.iter().map(|member| &member.package)),
        )
    };
    let listed = source.workspace.map(|workspace| workspace.members.len());
    let whole_source = packages().any(Package::needs_source)
        || listed.is_some_and(|members| members == 0 || members > MAX_FILES);
    let mut files: Vec<String> =
        package_manager::files(root, &manager, lock).into_iter().map(str::to_owned).collect();
    files.extend(members.map(|member| format!("{}/package.json", member.path)));
    let pruned = programs::pruned(source, command(way)).filter(|_| !workspace);
    if let Some((word, package)) = &pruned {
        let plain = |text: &str| text.chars().filter(|char| !char.is_control()).take(80).collect::<String>();
        findings.assume(format!(
            "devDependencies stay in the image, because the start command names {}, which needs {}",
            plain(word),
            plain(package)
        ));
    }
    let calls_bun =
        command(way).iter().any(|part| part.split_whitespace().any(|word| word == "bun" || word == "bunx"));
    let bun = (calls_bun && !matches!(manager, Manager::Bun(_))).then(|| "1".to_owned());
    Install {
        bun,
        locked,
        files,
        directories: package_manager::directories(root).into_iter().map(str::to_owned).collect(),
        whole_source,
        development: if workspace || pruned.is_some() {
            Development::Keep
        } else if packages().any(Package::has_install_scripts) {
            Development::Install
        } else {
            Development::Build
        },
        extent: if workspace {
            Extent::Workspace
        } else if lock.is_none() && !source.asks_for_packages() && !source.package.has_install_scripts() {
            Extent::Nothing
        } else {
            Extent::Root
        },
        manager,
    }
}

impl<'a> Source<'a> {
    /// Whether it is below the root of its workspace.
    fn is_member(&self) -> bool {
        self.root.is_some()
    }

    /// Where packages are installed.
    fn root(&self) -> Tree<'a> {
        if self.is_member() { self.tree.source() } else { self.tree }
    }

    /// Where it is below the root of its workspace.
    fn directory(&self) -> &'a str {
        if self.is_member() { self.tree.path() } else { "" }
    }

    /// Its package.json, and that of the root of its workspace.
    fn packages(&self) -> impl Iterator<Item = &Package> {
        std::iter::once(&self.package).chain(&self.root)
    }

    /// Whether there is any package to install.
    fn asks_for_packages(&self) -> bool {
        self.workspace.is_some() || self.packages().any(Package::asks_for_packages)
    }

    fn scripts(&self) -> Scripts<'_> {
        Scripts { root: self.root(), workspace: self.workspace, before: true }
    }

    /// Whether it has a build. Nx may define one without a script.
    fn has_build(&self) -> bool {
        self.package.scripts.contains_key("build") || self.is_member() && self.is_of_nx()
    }

    /// Whether a member of the workspace that this one needs has a build.
    fn needs_a_build(&self) -> bool {
        let Some(workspace) = self.workspace else { return false };
        let needed = workspace.at(self.directory()).map(|member| workspace.needed_by(member));
        needed.into_iter().flatten().any(|needed| needed.package.scripts.contains_key("build"))
    }

    fn is_of_nx(&self) -> bool {
        self.root().has("nx.json") && self.packages().any(|package| package.has("nx"))
    }

    /// The build command. For a member, it runs after the builds of the members that it needs.
    fn usual_build(&self, manager: &Manager) -> String {
        let alone = format!("{} run build", manager.name());
        let Some(member) = self.workspace.and_then(|workspace| workspace.at(self.directory())) else {
            return alone;
        };
        let name = member.package.name.as_deref().filter(|name| is_path(name));
        if let Some(name) = name {
            if self.root().has("turbo.json") && self.packages().any(|package| package.has("turbo")) {
                return format!("/app/node_modules/.bin/turbo run build --filter={name}");
            }
            if self.is_of_nx() {
                return format!("NX_DAEMON=false /app/node_modules/.bin/nx run {name}:build");
            }
        }
        let needed = self.workspace.map(|workspace| workspace.needed_by(member)).unwrap_or_default();
        let built = needed.iter().filter(|needed| needed.package.scripts.contains_key("build"));
        let steps: Vec<String> = built.map(|needed| format!("cd /app/{} && {alone}", needed.path)).collect();
        if steps.is_empty() { alone } else { steps.join(" && ") }
    }

    /// Variables that package managers set for the programs that they start.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let plain = |text: &&str| {
            (1..=100).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@/._+-".contains(&byte))
        };
        let named =
            |name, text: &Option<String>| text.as_deref().filter(plain).map(|text| (name, text.to_owned()));
        let (name, version) = (&self.package.name, &self.package.version);
        named("npm_package_name", name).into_iter().chain(named("npm_package_version", version)).collect()
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod web_tests;
