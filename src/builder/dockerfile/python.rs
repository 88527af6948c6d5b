//! Programs for Python: their packages are in a virtual environment that the last stage copies.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{SYSTEM_CA, Trust, arguments, debian, exec, header, no_start, run, shell};
use packages::packages;

mod packages;

/// A program for Python.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Plan {
    /// Its description in the first line.
    pub(in crate::builder) what: &'static str,
    pub(in crate::builder) interpreter: Interpreter,
    pub(in crate::builder) install: Install,
    /// Installing needs the whole source.
    pub(in crate::builder) whole_source: bool,
    /// What runs once everything is installed.
    pub(in crate::builder) build: Option<Build>,
    /// Names of build arguments.
    pub(in crate::builder) arguments: Vec<String>,
    pub(in crate::builder) start: Start,
    /// A server to add, if the program has none.
    pub(in crate::builder) server: Option<Server>,
    /// Processes of gunicorn.
    pub(in crate::builder) workers: u32,
    /// Debian packages to install Python packages, and to run the program.
    pub(in crate::builder) libraries: (Vec<&'static str>, Vec<&'static str>),
    pub(in crate::builder) uv: Uv,
    /// The program drives a browser by Playwright.
    pub(in crate::builder) browser: bool,
}

/// Which Python 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::builder) struct Interpreter {
    pub(in crate::builder) minor: u32,
    /// The exact release, where a file names one.
    pub(in crate::builder) patch: Option<u32>,
    /// Free-threaded: without the global lock.
    pub(in crate::builder) free_threaded: bool,
}

impl Interpreter {
    /// As a person names it: `3.13`, `3.12.4`, `3.14t`.
    pub(in crate::builder) fn name(self) -> String {
        let patch = self.patch.map(|patch| format!(".{patch}")).unwrap_or_default();
        format!("3.{}{patch}{}", self.minor, if self.free_threaded { "t" } else { "" })
    }

    /// Its base image.
    pub(in crate::builder) fn tag(self) -> String {
        let patch = self.patch.map(|patch| format!(".{patch}")).unwrap_or_default();
        format!("docker.io/library/python:3.{}{patch}-slim-bookworm", self.minor)
    }
}

/// Where the packages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Install {
    /// There are none.
    Nothing,
    /// A file of requirements.
    Requirements(&'static str),
    /// pyproject.toml, and uv.lock where `locked`.
    Uv {
        /// There is a uv.lock.
        locked: bool,
        /// The project is itself a package, from which its modules are imported.
        package: bool,
        /// Directory and name of the member of a workspace that is built; the lock file is at the root.
        member: Option<(String, String)>,
    },
    /// pyproject.toml, and poetry.lock where `locked`.
    Poetry {
        /// There is a poetry.lock.
        locked: bool,
        /// The project is itself a package.
        package: bool,
    },
    /// pyproject.toml and pdm.lock.
    Pdm {
        /// The project is itself a package.
        package: bool,
    },
    /// Pipfile, and Pipfile.lock where `locked`.
    Pipenv {
        /// There is a Pipfile.lock.
        locked: bool,
    },
    /// setup.py or setup.cfg.
    Setup,
}

/// The uv that is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::builder) struct Uv {
    /// The release that a file names.
    pub(in crate::builder) version: Option<String>,
    /// It is a tool of the program, too.
    pub(in crate::builder) runs: bool,
}

/// What runs once everything is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Build {
    /// Collect Django's static files.
    Collect(Collect),
    /// One line for `sh -c`, as the user wrote it.
    Command(String),
}

/// How static files are collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) struct Collect {
    /// Where manage.py is; empty: in the directory that is built.
    pub(in crate::builder) directory: String,
    /// Variables without which the settings cannot be imported, with dummy values.
    pub(in crate::builder) environment: BTreeMap<String, String>,
}

/// An application that a server loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) struct Application {
    /// `module:name`.
    pub(in crate::builder) target: String,
    /// The name is a factory function.
    pub(in crate::builder) factory: bool,
    /// Where its modules are; None: in the directory that is built.
    pub(in crate::builder) directory: Option<String>,
    /// It expects to run in that directory.
    pub(in crate::builder) is_working_directory: bool,
}

/// How it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Start {
    /// By gunicorn.
    Wsgi(Application),
    /// By uvicorn.
    Asgi(Application),
    /// A command.
    Words(Vec<String>),
    /// Unknown.
    Unknown,
}

/// A server that is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Server {
    Gunicorn,
    Uvicorn,
}

impl Server {
    /// As pip takes it: one minor version, for all Pythons that have an image.
    pub(in crate::builder) fn requirement(self, interpreter: Interpreter) -> &'static str {
        match self {
            Self::Gunicorn => "gunicorn==23.0.*",
            Self::Uvicorn if interpreter.minor < 9 => "uvicorn==0.22.*",
            Self::Uvicorn => "uvicorn==0.34.*",
        }
    }
}

/// The Dockerfile.
pub(in crate::builder) fn text(plan: &Plan) -> String {
    let mut text = header(plan.what);
    let _ = write!(
        text,
        "FROM {} AS build\n\
         WORKDIR /app\n\
         # The platform's extra CA certificates come as a secret over the system's; no layer contains them.\n\
         ENV PIP_CERT={SYSTEM_CA} SSL_CERT_FILE={SYSTEM_CA} REQUESTS_CA_BUNDLE={SYSTEM_CA} PIP_DISABLE_PIP_VERSION_CHECK=1\n\
         ENV VIRTUAL_ENV=/app/.venv PATH=/app/.venv/bin:$PATH\n",
        if plan.interpreter.free_threaded { TOOLS.to_owned() } else { plan.interpreter.tag() }
    );
    text.push_str(&debian::install(&plan.libraries.0));
    text.push_str(&packages(plan));
    let built = build(plan);
    text.push_str(&built);
    text.push_str(&last(plan, !built.is_empty()));
    text
}

/// The Python that runs pip and uv, where the program has another one.
const TOOLS: &str = "docker.io/library/python:3.13-slim-bookworm";

fn last(plan: &Plan, built: bool) -> String {
    let mut run_time = plan.libraries.1.clone();
    let mut text = String::new();
    if plan.interpreter.free_threaded {
        run_time.push("ca-certificates");
        text.push_str(
            "\nFROM docker.io/library/debian:bookworm-slim\nCOPY --link --from=build /python /python\n",
        );
    } else {
        let _ = writeln!(text, "\nFROM {}", plan.interpreter.tag());
    }
    text.push_str(&debian::install(&run_time));
    text.push_str(
        "ENV VIRTUAL_ENV=/app/.venv PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp PORT=8000\n",
    );
    if plan.workers > 0 {
        let _ = writeln!(text, "ENV WEB_CONCURRENCY={}", plan.workers);
    }
    let _ = writeln!(text, "WORKDIR {}", directory(plan));
    // Neither layer depends on the other; if both have a file, the environment's is the right one. Many programs write
    // next to their own files: a key, a small database. The last layer with a directory determines its owner.
    text.push_str(match (built, plan.install.member()) {
        (true, _) => "COPY --link --chown=1000:1000 --from=build --exclude=.venv /app/ /app/\n",
        (false, Some(_)) => "COPY --link --chown=1000:1000 . /app/\n",
        (false, None) => "COPY --link --chown=1000:1000 . .\n",
    });
    text.push_str("COPY --link --chown=1000:1000 --from=build /app/.venv /app/.venv\n");
    if plan.uv.runs {
        text.push_str("COPY --link --from=build /uv/bin/uv /usr/local/bin/uv\n");
    }
    if plan.browser {
        text.push_str("ENV PLAYWRIGHT_BROWSERS_PATH=/opt/browsers\n");
        let install = format!(
            "NODE_EXTRA_CA_CERTS={SYSTEM_CA} playwright install --with-deps chromium && rm -rf /var/lib/apt/lists/*"
        );
        text.push_str(&run(Trust::System, None, &install));
    }
    let _ = write!(text, "USER 1000\nEXPOSE 8000\nCMD {}\n", command(plan));
    text
}

/// Where the program is, which is not where its workspace is.
fn directory(plan: &Plan) -> String {
    plan.install.member().map_or("/app".to_owned(), |path| format!("/app/{path}"))
}

impl Install {
    /// The directory of the member of a workspace.
    fn member(&self) -> Option<&str> {
        match self {
            Self::Uv { member: Some((path, _)), .. } => Some(path),
            _ => None,
        }
    }
}

/// The steps that need the whole source; empty if there are none.
fn build(plan: &Plan) -> String {
    let mut text = packages::package(plan);
    if let Some(step) = &plan.build {
        if plan.install.member().is_some() {
            let _ = writeln!(text, "WORKDIR {}", directory(plan));
        }
        text.push_str(&arguments(&plan.arguments));
        let command = match step {
            Build::Collect(collect) => collect_static(collect),
            Build::Command(line) => shell(line),
        };
        text.push_str(&run(Trust::Beside, None, &command));
    }
    if !text.is_empty() && !plan.whole_source {
        text.insert_str(0, "COPY . .\n");
    }
    text
}

/// Missing variables of the settings get a value for this step only.
fn collect_static(collect: &Collect) -> String {
    let mut command = String::new();
    for (name, value) in &collect.environment {
        let _ = write!(command, "{name}=\"${{{name}:-{value}}}\" \\\n    ");
    }
    let manage = if collect.directory.is_empty() {
        "manage.py".to_owned()
    } else {
        format!("{}/manage.py", collect.directory)
    };
    let _ = write!(command, "python {manage} collectstatic --no-input");
    command
}

fn command(plan: &Plan) -> String {
    match &plan.start {
        // gunicorn listens on 0.0.0.0:$PORT by itself if PORT is set, and runs $WEB_CONCURRENCY processes. Threads let
        // it answer while others wait.
        Start::Wsgi(application) => {
            let mut words =
                vec!["gunicorn", "--access-logfile", "-", "--worker-tmp-dir", "/dev/shm", "--threads"];
            words.push(if plan.workers == 1 { "100" } else { "4" });
            if let Some(directory) = &application.directory {
                words.extend([
                    if application.is_working_directory { "--chdir" } else { "--pythonpath" },
                    directory,
                ]);
            }
            let call = if application.factory { "()" } else { "" };
            let target = format!("{}{call}", application.target);
            words.push(&target);
            exec(&words)
        }
        Start::Asgi(application) => {
            let directory = application.directory.as_deref();
            let directory = directory.map(|directory| format!(" --app-dir {directory}")).unwrap_or_default();
            let factory = if application.factory { " --factory" } else { "" };
            let target = &application.target;
            let line = format!("exec uvicorn --host 0.0.0.0 --port \"$PORT\"{directory}{factory} {target}");
            exec(&["/bin/sh", "-c", &line])
        }
        Start::Words(words) => exec(words),
        Start::Unknown => no_start(),
    }
}
