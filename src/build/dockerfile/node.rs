//! Programs and sites that Node builds, with npm, pnpm or yarn.

use std::fmt::Write as _;

use super::site::{self, Otherwise};
use super::{CA_SECRET, Step, Trust, arguments, exec, header, no_start, run, shell};

pub(in crate::build) use package_manager::Manager;

mod package_manager;

/// A source with a package.json.
#[derive(Clone, Debug)]
pub(in crate::build) struct Plan {
    /// What the first line calls it.
    pub(in crate::build) what: &'static str,
    /// Major version of Node.
    pub(in crate::build) major: String,
    pub(in crate::build) install: Install,
    /// The build, where there is one.
    pub(in crate::build) build: Option<Step>,
    /// Directory that the build keeps from one time to the next.
    pub(in crate::build) cache: Option<&'static str>,
    /// Names of build arguments.
    pub(in crate::build) arguments: Vec<String>,
    pub(in crate::build) serve: Serve,
}

/// How packages are installed.
#[derive(Clone, Debug)]
pub(in crate::build) struct Install {
    pub(in crate::build) manager: Manager,
    /// There is a lock file.
    pub(in crate::build) locked: bool,
    /// The files that installing needs.
    pub(in crate::build) files: Vec<&'static str>,
    /// The directories that installing needs.
    pub(in crate::build) directories: Vec<&'static str>,
    /// Installing needs the whole source.
    pub(in crate::build) whole_source: bool,
}

/// What serves the result.
#[derive(Clone, Debug)]
pub(in crate::build) enum Serve {
    /// A program that needs its packages.
    Program {
        /// None: nobody said.
        command: Option<Vec<String>>,
        /// It writes beside its own files.
        writes: bool,
    },
    /// A Next.js server that brings its packages with it.
    Standalone {
        /// There is a directory `public`.
        public: bool,
    },
    /// A directory of files.
    Site { output: String, otherwise: Otherwise },
}

/// The Dockerfile.
pub(in crate::build) fn text(plan: &Plan) -> String {
    let modules = matches!(plan.serve, Serve::Program { .. });
    let mut text = header(&format!("{} with {}", plan.what, plan.install.manager.name()));
    text.push_str(&build_stage(plan, modules));
    text.push('\n');
    text.push_str(&match &plan.serve {
        Serve::Program { command, writes } => program(plan, command.as_deref(), *writes),
        Serve::Standalone { public } => standalone(plan, *public),
        Serve::Site { output, otherwise } => {
            site::serve(&format!("COPY --link --from=build /app/{output}/ /srv/www/"), otherwise)
        }
    });
    text
}

fn image(plan: &Plan) -> String {
    format!("docker.io/library/node:{}-bookworm-slim", plan.major)
}

/// The stage `build`: the result in `/app` and, when asked for, what it needs at run time in `/node_modules`.
fn build_stage(plan: &Plan, keep_modules: bool) -> String {
    let manager = &plan.install.manager;
    let mut text = format!(
        "FROM {} AS build\n\
         WORKDIR /app\n\
         # Extra CA certificates of the platform come as a secret: Node trusts them, no layer holds them.\n\
         ENV NODE_EXTRA_CA_CERTS=/run/secrets/{CA_SECRET}{}\n",
        image(plan),
        manager.environment()
    );
    text.push_str(&packages(&plan.install, plan.build.is_some(), !is_as_it_is(plan)));
    text.push_str(&arguments(&plan.arguments));
    if let Some(step) = &plan.build {
        let command = match step {
            Step::Usual => format!("{} run build", manager.name()),
            Step::Command(line) => shell(line),
        };
        text.push_str(&run(Trust::Beside, plan.cache, &command));
    }
    if keep_modules {
        if let Some(prune) = manager.prune(plan.install.locked, plan.build.is_some()) {
            text.push_str(&run(Trust::Beside, Some(manager.cache()), &prune));
        }
        text.push_str("# Packages change less often than the program: a layer of their own.\n");
        text.push_str("RUN mkdir -p node_modules && mv node_modules /node_modules\n");
    }
    text
}

/// The source runs as it is: only its packages are made.
fn is_as_it_is(plan: &Plan) -> bool {
    plan.build.is_none() && !plan.install.whole_source && matches!(plan.serve, Serve::Program { .. })
}

/// The steps up to the packages, `all` or those that are needed at run time, and, where it is needed, the whole `source`.
fn packages(install: &Install, all: bool, source: bool) -> String {
    let manager = &install.manager;
    let mut text = String::new();
    if let Some(package) = manager.package() {
        // The image has a yarn of its own, which this one replaces.
        text.push_str(&run(Trust::Beside, None, &format!("npm install --global --force {package}")));
    }
    if install.whole_source {
        text.push_str("COPY . .\n");
    } else {
        let _ = writeln!(text, "COPY {} ./", install.files.join(" "));
        for directory in &install.directories {
            let _ = writeln!(text, "COPY {directory}/ ./{directory}/");
        }
    }
    text.push_str(&run(Trust::Beside, Some(manager.cache()), &manager.install(install.locked, all)));
    if source && !install.whole_source {
        text.push_str("COPY . .\n");
    }
    text
}

fn program(plan: &Plan, command: Option<&[String]>, writes: bool) -> String {
    let owner = if writes { " --chown=1000:1000" } else { "" };
    let source = if is_as_it_is(plan) { ". ./" } else { "--from=build /app ./" };
    format!(
        "FROM {}\n\
         ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 NPM_CONFIG_CACHE=/tmp/npm NPM_CONFIG_UPDATE_NOTIFIER=false\n\
         WORKDIR /app\n\
         COPY --link --from=build /node_modules ./node_modules\n\
         COPY --link{owner} {source}\n\
         USER 1000\n\
         EXPOSE 3000\n\
         CMD {}\n",
        image(plan),
        command.map_or_else(no_start, exec)
    )
}

fn standalone(plan: &Plan, public: bool) -> String {
    let public = if public { "COPY --link --from=build /app/public ./public\n" } else { "" };
    format!(
        "FROM {}\n\
         ENV NODE_ENV=production PORT=3000 NEXT_TELEMETRY_DISABLED=1\n\
         WORKDIR /app\n\
         COPY --link --from=build --chown=1000:1000 /app/.next/standalone ./\n\
         COPY --link --from=build --chown=1000:1000 /app/.next/static ./.next/static\n\
         {public}\
         USER 1000\n\
         EXPOSE 3000\n\
         # HOSTNAME is the pod's name otherwise, and the server would listen on that address alone.\n\
         CMD [\"env\", \"HOSTNAME=0.0.0.0\", \"node\", \"server.js\"]\n",
        image(plan)
    )
}
