//! Programs for Python, with pip or uv; their packages in a virtual environment that the last stage takes over.

use std::fmt::Write as _;

use super::{SYSTEM_CA, Step, Trust, arguments, exec, header, no_start, run, shell};

/// The uv that is installed: it is young, and a minor version of it may change what it means.
const UV: &str = "uv==0.13.*";

/// A program for Python.
#[derive(Clone, Debug)]
pub(in crate::build) struct Plan {
    /// What the first line calls it.
    pub(in crate::build) what: &'static str,
    /// Minor version of Python, `3.13`.
    pub(in crate::build) version: String,
    pub(in crate::build) install: Install,
    /// Installing needs the whole source.
    pub(in crate::build) whole_source: bool,
    /// What is run once everything is there.
    pub(in crate::build) build: Option<Step>,
    /// Names of build arguments.
    pub(in crate::build) arguments: Vec<String>,
    pub(in crate::build) start: Start,
}

/// Where the packages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::build) enum Install {
    /// There are none.
    Nothing,
    /// requirements.txt.
    Requirements,
    /// pyproject.toml, and uv.lock where `locked`.
    Uv {
        /// There is a uv.lock.
        locked: bool,
        /// The project is a package of its own, which its modules are imported from.
        package: bool,
    },
}

/// How it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::build) enum Start {
    /// A WSGI application, `module:name`, by gunicorn.
    Wsgi(String),
    /// An ASGI application, `module:name`, by uvicorn.
    Asgi(String),
    /// A file, by Python.
    File(String),
    /// Nobody said.
    Unknown,
}

/// The Dockerfile.
pub(in crate::build) fn text(plan: &Plan) -> String {
    let image = format!("docker.io/library/python:{}-slim-bookworm", plan.version);
    let mut text = header(plan.what);
    let _ = write!(
        text,
        "FROM {image} AS build\n\
         WORKDIR /app\n\
         # Extra CA certificates of the platform come as a secret over the system's; no layer holds them.\n\
         ENV PIP_CERT={SYSTEM_CA} SSL_CERT_FILE={SYSTEM_CA} PIP_DISABLE_PIP_VERSION_CHECK=1\n\
         ENV VIRTUAL_ENV=/venv PATH=/venv/bin:$PATH\n\
         RUN python -m venv /venv\n"
    );
    text.push_str(&packages(plan));
    let built = build(plan);
    text.push_str(&built);
    let source = if built.is_empty() { "COPY --link . ." } else { "COPY --link --from=build /app ./" };
    let _ = write!(
        text,
        "\nFROM {image}\n\
         ENV VIRTUAL_ENV=/venv PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp PORT=8000\n\
         WORKDIR /app\n\
         COPY --link --from=build /venv /venv\n\
         {source}\n\
         USER 1000\n\
         EXPOSE 8000\n\
         CMD {}\n",
        command(&plan.start)
    );
    text
}

fn packages(plan: &Plan) -> String {
    let mut text = String::new();
    let copy = |files: &str, text: &mut String| {
        let _ = writeln!(text, "COPY {}", if plan.whole_source { ". ." } else { files });
    };
    match plan.install {
        Install::Nothing => {}
        Install::Requirements => {
            copy("requirements.txt ./", &mut text);
            let pip = "pip install --requirement requirements.txt";
            text.push_str(&run(Trust::System, Some("/root/.cache/pip"), pip));
        }
        Install::Uv { locked, .. } => {
            let uv = format!("python -m venv /uv && /uv/bin/pip install \"{UV}\"");
            text.push_str(&run(Trust::System, Some("/root/.cache/pip"), &uv));
            text.push_str(
                "ENV UV_PROJECT_ENVIRONMENT=/venv UV_LINK_MODE=copy UV_PYTHON=/venv/bin/python UV_PYTHON_DOWNLOADS=never\n",
            );
            copy(if locked { "pyproject.toml uv.lock ./" } else { "pyproject.toml ./" }, &mut text);
            let locked = if locked { " --locked" } else { "" };
            let sync = format!("/uv/bin/uv sync{locked} --no-dev --no-install-project");
            text.push_str(&run(Trust::System, Some("/root/.cache/uv"), &sync));
        }
    }
    text
}

/// The steps that need the whole source; empty where there are none.
fn build(plan: &Plan) -> String {
    let mut text = String::new();
    if let Install::Uv { locked, package: true } = plan.install {
        // Installed, not linked: the last stage gets the environment and need not have the sources where they were.
        let locked = if locked { " --locked" } else { "" };
        let sync = format!("/uv/bin/uv sync{locked} --no-dev --no-editable");
        text.push_str(&run(Trust::System, Some("/root/.cache/uv"), &sync));
    }
    if let Some(step) = &plan.build {
        text.push_str(&arguments(&plan.arguments));
        let command = match step {
            Step::Usual => "python manage.py collectstatic --no-input".to_owned(),
            Step::Command(line) => shell(line),
        };
        text.push_str(&run(Trust::Beside, None, &command));
    }
    if !text.is_empty() && !plan.whole_source {
        text.insert_str(0, "COPY . .\n");
    }
    text
}

fn command(start: &Start) -> String {
    match start {
        // gunicorn listens on 0.0.0.0:$PORT by itself where PORT is set.
        Start::Wsgi(application) => exec(&["gunicorn", "--access-logfile", "-", application]),
        Start::Asgi(application) => {
            let line = format!("exec uvicorn --host 0.0.0.0 --port \"$PORT\" {application}");
            exec(&["/bin/sh", "-c", &line])
        }
        Start::File(name) => exec(&["python", name]),
        Start::Unknown => no_start(),
    }
}
