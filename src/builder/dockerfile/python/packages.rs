//! Installs packages into the virtual environment with pip, uv, Poetry, PDM or Pipenv, each of them outside of it.

use std::fmt::Write as _;

use super::super::{Trust, run};
use super::{Install, Plan};

/// The uv to install if no file names one: a minor version, because even minor versions may change its behavior.
const UV: &str = "0.13.*";
const PIP: Option<&str> = Some("/root/.cache/pip");
const UV_CACHE: Option<&str> = Some("/root/.cache/uv");

/// The steps that make the environment and install what the program needs.
pub(super) fn packages(plan: &Plan) -> String {
    let mut text = String::new();
    let uses_uv =
        matches!(plan.install, Install::Uv { .. }) || plan.uv.runs || plan.interpreter.free_threaded;
    if uses_uv {
        let version = plan.uv.version.as_deref().unwrap_or(UV);
        text.push_str(&tool("uv", &format!("uv=={version}")));
    }
    if plan.interpreter.free_threaded {
        let name = plan.interpreter.name();
        text.push_str("ENV UV_PYTHON_INSTALL_DIR=/python\n");
        let make =
            format!("/uv/bin/uv python install {name} && /uv/bin/uv venv --seed --python {name} /app/.venv");
        text.push_str(&run(Trust::System, None, &make));
    } else {
        text.push_str("RUN python -m venv /app/.venv\n");
    }
    text.push_str(&install(plan));
    if let Some(server) = plan.server {
        let pip = format!("pip install \"{}\"", server.requirement(plan.interpreter));
        text.push_str(&run(Trust::System, PIP, &pip));
    }
    text
}

/// Installs a tool in its own environment, to separate its packages from those of the program.
fn tool(name: &str, packages: &str) -> String {
    let packages: Vec<String> = packages.split(' ').map(|package| format!("\"{package}\"")).collect();
    let packages = packages.join(" ");
    run(Trust::System, PIP, &format!("python -m venv /{name} && /{name}/bin/pip install {packages}"))
}

fn install(plan: &Plan) -> String {
    let old = plan.interpreter.minor < 9;
    // pip requires all hashes or none, and packages from Git or a directory have none.
    let hashes = !plan.whole_source && !plan.libraries.0.contains(&"git");
    let mut text = String::new();
    let copy = |files: &str, text: &mut String| {
        let _ = writeln!(text, "COPY {}", if plan.whole_source { ". ." } else { files });
    };
    match &plan.install {
        Install::Nothing => {}
        Install::Requirements(file) => {
            copy(&format!("{file} ./"), &mut text);
            text.push_str(&run(Trust::System, PIP, &format!("pip install --requirement {file}")));
        }
        Install::Setup => {
            copy(". .", &mut text);
            text.push_str(&run(Trust::System, PIP, "pip install ."));
        }
        Install::Uv { locked, member, .. } => {
            text.push_str(
                "ENV UV_PROJECT_ENVIRONMENT=/app/.venv UV_LINK_MODE=copy UV_PYTHON=/app/.venv/bin/python UV_PYTHON_DOWNLOADS=never\n",
            );
            copy(if *locked { "pyproject.toml uv.lock ./" } else { "pyproject.toml ./" }, &mut text);
            let locked = if *locked { " --locked" } else { "" };
            let which = match member {
                Some((_, name)) => format!("--no-editable --package {name}"),
                None => "--no-install-project".to_owned(),
            };
            // Packages that are already in the environment stay.
            let sync = format!("/uv/bin/uv sync{locked} --no-dev --inexact {which}");
            text.push_str(&run(Trust::System, UV_CACHE, &sync));
        }
        Install::Poetry { locked, .. } => {
            let tools = if old {
                "poetry==1.5.* poetry-plugin-export==1.5.*"
            } else {
                "poetry==2.* poetry-plugin-export==1.*"
            };
            text.push_str(&tool("poetry", tools));
            text.push_str("ENV POETRY_VIRTUALENVS_CREATE=false POETRY_NO_INTERACTION=1\n");
            copy(if *locked { "pyproject.toml poetry.lock ./" } else { "pyproject.toml ./" }, &mut text);
            if *locked {
                let hashes = if hashes { "" } else { " --without-hashes" };
                text.push_str(&exported(&format!("/poetry/bin/poetry export --only main{hashes}")));
            } else {
                text.push_str(&run(Trust::System, None, "/poetry/bin/poetry install --only main --no-root"));
            }
        }
        Install::Pdm { .. } => {
            // PDM 2.29 names no limit for hishel, whose version 2 it cannot use.
            text.push_str(&tool("pdm", "pdm==2.* hishel<2"));
            text.push_str("ENV PDM_CHECK_UPDATE=0 PDM_IGNORE_SAVED_PYTHON=1\n");
            copy("pyproject.toml pdm.lock ./", &mut text);
            let sync = "/pdm/bin/pdm sync --prod --no-editable --no-self";
            text.push_str(&run(Trust::System, None, sync));
        }
        Install::Pipenv { locked } => {
            text.push_str(&tool("pipenv", if old { "pipenv==2023.*" } else { "pipenv" }));
            text.push_str("ENV PIPENV_VERBOSITY=-1\n");
            copy(if *locked { "Pipfile Pipfile.lock ./" } else { "Pipfile ./" }, &mut text);
            if *locked {
                let hashes = if hashes { " --hash" } else { "" };
                text.push_str(&exported(&format!("/pipenv/bin/pipenv requirements{hashes}")));
            } else {
                text.push_str(&run(Trust::System, PIP, "/pipenv/bin/pipenv install --skip-lock"));
            }
        }
    }
    text
}

/// Lets a tool export its lock file and pip install it: indexes, certificates and caches are set up for pip.
fn exported(command: &str) -> String {
    let file = "/tmp/requirements.txt";
    run(Trust::System, PIP, &format!("{command} > {file} && pip install --requirement {file}"))
}

/// The step that installs the program itself; empty if it is not a package.
pub(super) fn package(plan: &Plan) -> String {
    match plan.install {
        // Installed, not linked: the last stage gets the environment, and the sources need not be at the same place.
        Install::Uv { locked, package: true, .. } => {
            let locked = if locked { " --locked" } else { "" };
            let sync = format!("/uv/bin/uv sync{locked} --no-dev --inexact --no-editable");
            run(Trust::System, UV_CACHE, &sync)
        }
        Install::Poetry { package: true, .. } | Install::Pdm { package: true } => {
            run(Trust::System, PIP, "pip install --no-deps .")
        }
        _ => String::new(),
    }
}
