//! Programs and sites that Node or Bun builds, with npm, pnpm, Yarn or Bun.

use std::fmt::Write as _;

use super::debian::SLIM;
use super::site::{self, Site};
use super::{CA_SECRET, Step, Trust, arguments, exec, header, no_start, run, shell};

pub(in crate::builder) use package_manager::Manager;

mod package_manager;
pub(in crate::builder) mod releases;

/// A source with a package.json.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Plan {
    /// Its description in the first line.
    pub(in crate::builder) what: &'static str,
    /// Tag of the image of Node.
    pub(in crate::builder) tag: String,
    pub(in crate::builder) install: Install,
    pub(in crate::builder) needs: Needs,
    /// The build, where there is one.
    pub(in crate::builder) build: Option<Step>,
    /// What the usual build runs, one line for the shell.
    pub(in crate::builder) usual: String,
    /// Directory that is cached between builds.
    pub(in crate::builder) cache: Option<&'static str>,
    /// Variables that the build needs, name and value.
    pub(in crate::builder) build_variables: &'static [(&'static str, &'static str)],
    /// Names of build arguments.
    pub(in crate::builder) arguments: Vec<String>,
    /// The package that is built, below the root of its workspace; empty: the root.
    pub(in crate::builder) directory: String,
    /// Directories below the root whose packages' programs the command finds.
    pub(in crate::builder) programs: Vec<String>,
    /// Variables of the package manager that a program may read, name and value.
    pub(in crate::builder) variables: Vec<(&'static str, String)>,
    pub(in crate::builder) serve: Serve,
}

/// How packages are installed.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Install {
    pub(in crate::builder) manager: Manager,
    /// The version of Bun, if it is installed besides another package manager.
    pub(in crate::builder) bun: Option<String>,
    /// The lock file exists and matches.
    pub(in crate::builder) locked: bool,
    /// The files that installing needs.
    pub(in crate::builder) files: Vec<String>,
    /// The directories that installing needs.
    pub(in crate::builder) directories: Vec<String>,
    pub(in crate::builder) extent: Extent,
    pub(in crate::builder) development: Development,
    /// Installing needs the whole source.
    pub(in crate::builder) whole_source: bool,
}

/// Where packages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Extent {
    /// There are none.
    Nothing,
    /// All in one place.
    Root,
    /// In the directories of a workspace, too.
    Workspace,
}

/// What happens to the packages that only the build needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Development {
    /// Installed if there is a build, then pruned.
    Build,
    /// Always installed, then pruned: an install script may use them.
    Install,
    /// Kept in the image: the program starts with one of them, or the source is a workspace.
    Keep,
}

/// What packages need besides themselves.
#[derive(Clone, Debug, Default)]
pub(in crate::builder) struct Needs {
    /// Packages of Debian in the build stage.
    pub(in crate::builder) build: Vec<&'static str>,
    /// Packages of Debian in the image.
    pub(in crate::builder) run: Vec<&'static str>,
    /// The schema that Prisma's client is generated from before the build.
    pub(in crate::builder) generate: Option<String>,
    pub(in crate::builder) tool: Option<Tool>,
}

/// A package that drives a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Tool {
    Puppeteer,
    Playwright,
}

/// How the result is served.
#[derive(Clone, Debug)]
pub(in crate::builder) enum Serve {
    /// A program that needs its packages.
    Program {
        /// None: unknown.
        command: Option<Vec<String>>,
    },
    /// A standalone Next.js server.
    Standalone {
        /// There is a directory `public`.
        public: bool,
    },
    /// A directory of files that the build makes.
    Site(Site),
}

/// The Dockerfile.
pub(in crate::builder) fn text(plan: &Plan) -> String {
    let mut text = header(&format!("{} with {}", plan.what, plan.install.manager.name()));
    text.push_str(&tools(plan));
    if !is_only_copied(plan) {
        text.push_str(&build_stage(plan));
        text.push('\n');
    }
    text.push_str(&match &plan.serve {
        Serve::Program { command } => program(plan, command.as_deref()),
        Serve::Standalone { public } => standalone(plan, *public),
        Serve::Site(site) => {
            let output = below(&plan.directory, &site.output);
            site::serve(&format!("--from=build /app/{output}/"), site)
        }
    });
    text
}

fn image(plan: &Plan) -> String {
    format!("docker.io/library/node:{}", plan.tag)
}

fn is_program(plan: &Plan) -> bool {
    matches!(plan.serve, Serve::Program { .. })
}

/// A path below a directory of the source; both may be empty.
fn below(directory: &str, path: &str) -> String {
    [directory, path].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// The step that installs the package manager and Bun with npm, which trusts what `variables` say. None if Node's own
/// npm is enough.
fn installed(plan: &Plan, variables: &str) -> Option<String> {
    let bun = plan.install.bun.as_ref().and_then(|version| Manager::Bun(version.clone()).package());
    let manager = &plan.install.manager;
    let exact = manager.package();
    if exact.is_none() && bun.is_none() {
        return None;
    }
    let fallback = manager.package_of_major();
    let choices = std::iter::once(exact).chain(fallback.map(Some)).map(|package| {
        let packages: Vec<String> = package.into_iter().chain(bun.clone()).collect();
        // --force replaces the yarn of the image.
        format!("{variables}npm install --global --force {}", packages.join(" "))
    });
    Some(choices.collect::<Vec<_>>().join(" || "))
}

/// A stage with the tools of both the build and the image: the user's command may call them.
fn tools(plan: &Plan) -> String {
    let trusted = format!("NODE_EXTRA_CA_CERTS=/run/secrets/{CA_SECRET} ");
    match installed(plan, &trusted).filter(|_| is_program(plan) && !runs_on_bun_alone(plan)) {
        None => String::new(),
        Some(command) => {
            format!("FROM {} AS tools\n{}\n", image(plan), run(Trust::Beside, Some("/root/.npm"), &command))
        }
    }
}

/// The stage that the build and the image start from.
fn base(plan: &Plan) -> String {
    if tools(plan).is_empty() { image(plan) } else { "tools".to_owned() }
}

/// The build stage: its result is in `/app`; the packages are in `/node_modules` if they are all in one place.
fn build_stage(plan: &Plan) -> String {
    let manager = &plan.install.manager;
    let mut text = format!(
        "FROM {} AS build\n\
         WORKDIR /app\n\
         # The platform's extra CA certificates come as a secret: Node trusts them, and no layer contains them.\n\
         ENV NODE_EXTRA_CA_CERTS=/run/secrets/{CA_SECRET}{}{}{}\n",
        base(plan),
        manager.environment(),
        skipped_downloads(plan),
        headers(plan)
    );
    text.push_str(&debian(&plan.needs.build));
    if tools(plan).is_empty()
        && let Some(command) = installed(plan, "")
    {
        text.push_str(&run(Trust::Beside, Some("/root/.npm"), &command));
    }
    text.push_str(&packages(plan));
    text.push_str(&arguments(&plan.arguments));
    text.push_str(&build(plan));
    if let Serve::Site(site) = &plan.serve {
        text.push_str(&made(&below(&plan.directory, &site.output)));
    }
    if is_program(plan) {
        let all = plan.build.is_some() || plan.install.development != Development::Build;
        if let Some(prune) =
            manager.prune(plan.install.locked, all).filter(|_| plan.install.development != Development::Keep)
        {
            text.push_str(&run(Trust::Beside, Some(manager.cache()), &prune));
        }
        if plan.install.extent == Extent::Root {
            text.push_str("# Packages change less often than the program, so they get their own layer.\n");
            text.push_str("RUN mkdir -p node_modules && mv node_modules /node_modules\n");
        }
        if runs_vite(plan) {
            let packages = match plan.install.extent {
                Extent::Root => "/node_modules".to_owned(),
                _ => format!("/app/{}", below(&plan.directory, "node_modules")),
            };
            let directory = format!("{packages}/.vite-temp");
            text.push_str(
                "# Vite compiles its configuration into this directory when it starts, as any user.\n",
            );
            let _ = writeln!(text, "RUN mkdir -p {directory} && chmod 1777 {directory}");
        }
    }
    text
}

/// Whether Vite starts, such as its preview server.
fn runs_vite(plan: &Plan) -> bool {
    let Serve::Program { command: Some(words) } = &plan.serve else { return false };
    let mut words = words.iter().flat_map(|word| word.split_whitespace());
    words.any(|word| word == "vite" || word.ends_with("/.bin/vite"))
}

/// Points compiled packages to the Node headers of the image, so they need no download.
fn headers(plan: &Plan) -> &'static str {
    if plan.needs.build.contains(&"g++") { " npm_config_nodedir=/usr/local" } else { "" }
}

/// The browsers that packages would download while they are installed.
fn skipped_downloads(plan: &Plan) -> &'static str {
    match plan.needs.tool {
        Some(Tool::Puppeteer) => " PUPPETEER_SKIP_DOWNLOAD=true",
        Some(Tool::Playwright) => " PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1",
        None => "",
    }
}

/// Packages of Debian.
fn debian(packages: &[&str]) -> String {
    if packages.is_empty() {
        return String::new();
    }
    let mut names: Vec<&str> = packages.to_vec();
    names.sort_unstable();
    names.dedup();
    format!(
        "RUN apt-get update && apt-get install --yes --no-install-recommends {} && rm -rf /var/lib/apt/lists/*\n",
        names.join(" ")
    )
}

/// The steps from the packages to the result.
fn build(plan: &Plan) -> String {
    let mut text = String::new();
    if !plan.directory.is_empty() && (plan.build.is_some() || plan.needs.generate.is_some()) {
        let _ = writeln!(text, "WORKDIR /app/{}", plan.directory);
    }
    let programs = path(plan);
    if let Some(schema) = &plan.needs.generate {
        text.push_str(&run(
            Trust::Beside,
            None,
            &format!("PATH={programs} prisma generate --schema={schema}"),
        ));
    }
    let cache = plan.cache.map(|cache| match (cache.strip_prefix("/app/"), plan.directory.as_str()) {
        (Some(rest), directory) if !directory.is_empty() => format!("/app/{directory}/{rest}"),
        _ => cache.to_owned(),
    });
    for (name, value) in plan.build_variables {
        let _ = writeln!(text, "ENV {name}={value}");
    }
    match &plan.build {
        Some(Step::Usual) => text.push_str(&run(Trust::Beside, cache.as_deref(), &plan.usual)),
        Some(Step::Command(line)) => text.push_str(&run(Trust::Beside, cache.as_deref(), &shell(line))),
        None => {}
    }
    if text.contains("WORKDIR") {
        text.push_str("WORKDIR /app\n");
    }
    text
}

/// Fails the build with a message if it did not write the served directory.
fn made(output: &str) -> String {
    format!(
        "RUN test -d {output} || {{ echo \"the build did not create the directory {output}. Set spec.build.outputDirectory to the one that \
         it creates. Directories: $(ls -d */ | tr '\\n' ' ')\" >&2; exit 1; }}\n"
    )
}

/// The directories that programs of packages are found in.
fn path(plan: &Plan) -> String {
    let own = plan.programs.iter().map(|directory| format!("/app/{}", below(directory, "node_modules/.bin")));
    own.chain(["$PATH".to_owned()]).collect::<Vec<_>>().join(":")
}

/// The source runs without a build; only its packages are installed.
fn is_as_it_is(plan: &Plan) -> bool {
    plan.build.is_none()
        && plan.needs.generate.is_none()
        && !plan.install.whole_source
        && plan.install.extent != Extent::Workspace
        && is_program(plan)
}

/// Nothing is built or installed.
fn is_only_copied(plan: &Plan) -> bool {
    is_as_it_is(plan) && plan.install.extent == Extent::Nothing && !runs_on_bun_alone(plan)
}

/// The steps up to the packages and, if needed, the whole source.
fn packages(plan: &Plan) -> String {
    let install = &plan.install;
    let manager = &install.manager;
    let mut text = String::new();
    if install.extent == Extent::Nothing {
        return if is_as_it_is(plan) { text } else { "COPY . .\n".to_owned() };
    }
    if install.whole_source {
        text.push_str("COPY . .\n");
    } else {
        let (own, members): (Vec<&String>, Vec<&String>) =
            install.files.iter().partition(|file| !file.contains('/'));
        let own: Vec<&str> = own.into_iter().map(String::as_str).collect();
        let _ = writeln!(text, "COPY {} ./", own.join(" "));
        for file in members {
            let _ = writeln!(text, "COPY {file} ./{file}");
        }
        for directory in &install.directories {
            let _ = writeln!(text, "COPY {directory}/ ./{directory}/");
        }
    }
    let all = plan.build.is_some() || install.development != Development::Build;
    text.push_str(&run(Trust::Beside, Some(manager.cache()), &manager.install(install.locked, all)));
    if !install.whole_source && !is_as_it_is(plan) {
        text.push_str("COPY . .\n");
    }
    text
}

/// Whether the last image has Bun and no Node, because nothing else is needed.
fn runs_on_bun_alone(plan: &Plan) -> bool {
    let bun = matches!(plan.install.manager, Manager::Bun(_)) && plan.install.extent == Extent::Nothing;
    bun && matches!(&plan.serve, Serve::Program { command: Some(command) } if command.first().is_some_and(|word| word == "bun"))
}

fn program(plan: &Plan, command: Option<&[String]>) -> String {
    let source = if is_as_it_is(plan) { ". ./" } else { "--from=build /app ./" };
    let mut text = if runs_on_bun_alone(plan) {
        format!(
            "FROM {SLIM}\n\
             COPY --link --from=build /usr/local/lib/node_modules/bun/bin/bun.exe /usr/local/bin/bun\n"
        )
    } else {
        format!("FROM {}\n", base(plan))
    };
    text.push_str(&debian(&plan.needs.run));
    let _ = writeln!(
        text,
        "ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 NPM_CONFIG_CACHE=/tmp/npm NPM_CONFIG_UPDATE_NOTIFIER=false \\\n    \
         PATH={}{}",
        path(plan),
        variables(plan)
    );
    let _ = writeln!(text, "WORKDIR /app");
    if plan.install.extent == Extent::Root {
        text.push_str("COPY --link --from=build /node_modules ./node_modules\n");
    }
    if plan.needs.tool == Some(Tool::Playwright) {
        text.push_str(&run(
            Trust::Beside,
            None,
            "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD= playwright install --with-deps chromium",
        ));
    }
    // Many programs write next to their own files: a cache, a key, a small database.
    let _ = writeln!(text, "COPY --link --chown=1000:1000 {source}");
    if !plan.directory.is_empty() {
        let _ = writeln!(text, "WORKDIR /app/{}", plan.directory);
    }
    let _ = write!(text, "USER 1000\nEXPOSE 3000\nCMD {}\n", command.map_or_else(no_start, exec));
    text
}

/// More variables of the image.
fn variables(plan: &Plan) -> String {
    let mut text = String::new();
    let agent = plan.install.manager.user_agent().map(|agent| ("npm_config_user_agent", agent));
    for (name, value) in plan.variables.iter().cloned().chain(agent) {
        let _ = write!(text, " \\\n    {name}={value}");
    }
    match plan.needs.tool {
        Some(Tool::Puppeteer) => text.push_str(" \\\n    PUPPETEER_EXECUTABLE_PATH=/usr/bin/chromium"),
        Some(Tool::Playwright) => text.push_str(" \\\n    PLAYWRIGHT_BROWSERS_PATH=/ms-playwright"),
        None => {}
    }
    text
}

fn standalone(plan: &Plan, public: bool) -> String {
    let directory = &plan.directory;
    let (public_from, static_to) = (below(directory, "public"), below(directory, ".next/static"));
    let next = below(directory, ".next");
    let public = if public {
        format!("COPY --link --from=build /app/{public_from} ./{public_from}\n")
    } else {
        String::new()
    };
    let server = below(directory, "server.js");
    format!(
        "FROM {}\n\
         {}ENV NODE_ENV=production PORT=3000 NEXT_TELEMETRY_DISABLED=1\n\
         WORKDIR /app\n\
         COPY --link --from=build --chown=1000:1000 /app/{next}/standalone ./\n\
         COPY --link --from=build --chown=1000:1000 /app/{next}/static ./{static_to}\n\
         {public}\
         USER 1000\n\
         EXPOSE 3000\n\
         # Otherwise HOSTNAME is the pod's name, and the server listens only on that address.\n\
         CMD [\"env\", \"HOSTNAME=0.0.0.0\", \"node\", \"{server}\"]\n",
        image(plan),
        debian(&plan.needs.run)
    )
}
