//! What the files of a Python program say: which packages, which framework, where the application is.

use super::findings::Findings;
use super::names::is_identifier;
use super::tree::Tree;
use super::{Context, Generated, missing, no_builder, step};
use crate::build::dockerfile::Step;
use crate::build::dockerfile::python::{self, Plan, Start};
use crate::build::order::{Framework, Settings};
use crate::build::outcome::Failure;
use packages::Packages;

mod application;
mod packages;
mod version;

/// The file that says that this is Python.
pub(super) fn sign(tree: Tree<'_>) -> Result<Option<&'static str>, Failure> {
    let sure = ["requirements.txt", "uv.lock", "manage.py", "poetry.lock", "Pipfile"];
    if let Some(file) = tree.first(&sure) {
        return Ok(Some(file));
    }
    // Tools for other languages are configured in pyproject.toml too.
    let project = tree
        .text("pyproject.toml")?
        .filter(|text| text.lines().any(|line| ["[project]", "[tool.poetry]"].contains(&line.trim())));
    Ok(project.map(|_| "pyproject.toml"))
}

/// The recipe for a Python program.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let mut findings = Findings::default();
    let packages = packages::read(tree, &mut findings)?;
    let framework = match settings.framework {
        Some(framework) => framework,
        None => framework(tree, &packages),
    };
    let (what, start) = match framework {
        Framework::Django => ("a program with Django", django(tree, &packages, &mut findings)?),
        Framework::Flask => ("a program with Flask", flask(tree, &packages)?),
        Framework::FastApi => ("a program with FastAPI", fastapi(tree, &packages)?),
        _ => ("a program for Python", plain(tree, settings, &mut findings)?),
    };
    let usual = framework == Framework::Django && packages.has("whitenoise") && has_static_root(tree)?;
    let plan = Plan {
        what,
        version: version::minor(tree, packages.requires.as_deref(), &mut findings)?,
        install: packages.install,
        whole_source: packages.whole_source,
        build: step(settings).or_else(|| usual.then_some(Step::Usual)),
        arguments: super::arguments(settings),
        start,
    };
    Ok(Generated { framework, text: python::text(&plan), context: Context::Directory, findings })
}

fn framework(tree: Tree<'_>, packages: &Packages) -> Framework {
    if packages.has("django") && tree.has("manage.py") {
        return Framework::Django;
    }
    let known = [("fastapi", Framework::FastApi), ("flask", Framework::Flask)];
    known
        .into_iter()
        .find(|(name, _)| packages.has(name))
        .map_or(Framework::Python, |(_, framework)| framework)
}

fn django(tree: Tree<'_>, packages: &Packages, findings: &mut Findings) -> Result<Start, Failure> {
    let manage = tree.text("manage.py")?.ok_or_else(|| missing("manage.py", Framework::Django))?;
    packages.demand("gunicorn", "Django")?;
    findings.assume(
        "ALLOWED_HOSTS must admit the address of the pod, or its health cannot be asked: take it from an environment \
         variable, or set spec.run.health.type: TCP"
            .to_owned(),
    );
    // os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')
    let named = manage
        .lines()
        .find(|line| line.contains("DJANGO_SETTINGS_MODULE"))
        .and_then(|line| line.split(['"', '\'']).find(|word| word.contains(".settings"))?.split('.').next());
    let wsgi = |name: &&str| is_identifier(name) && tree.has(&format!("{name}/wsgi.py"));
    if let Some(name) = named.filter(|name| wsgi(name)) {
        return Ok(Start::Wsgi(format!("{name}.wsgi:application")));
    }
    let directories = tree.names("")?;
    let found: Vec<&str> = directories.iter().map(String::as_str).filter(wsgi).collect();
    match found.as_slice() {
        [one] => Ok(Start::Wsgi(format!("{one}.wsgi:application"))),
        _ => Err(no_builder(
            "manage.py is there, but not the wsgi.py of the project that its DJANGO_SETTINGS_MODULE names; add it \
             (django-admin startproject writes one), or a Dockerfile",
        )),
    }
}

fn flask(tree: Tree<'_>, packages: &Packages) -> Result<Start, Failure> {
    let application = application::find(tree, "Flask")?;
    packages.demand("gunicorn", "Flask")?;
    Ok(Start::Wsgi(application))
}

fn fastapi(tree: Tree<'_>, packages: &Packages) -> Result<Start, Failure> {
    let application = application::find(tree, "FastAPI")?;
    if !packages.has("fastapi[standard]") {
        packages.demand("uvicorn", "FastAPI")?;
    }
    Ok(Start::Asgi(application))
}

/// A program of its own: a file with a usual name.
fn plain(tree: Tree<'_>, settings: &Settings, findings: &mut Findings) -> Result<Start, Failure> {
    if let Some(file) = tree.first(&["main.py", "app.py", "server.py"]) {
        return Ok(Start::File(file.to_owned()));
    }
    if settings.framework.is_some() {
        findings
            .assume("no file is known to start: set spec.run.command, such as [python, -m, shop]".to_owned());
        return Ok(Start::Unknown);
    }
    Err(no_builder(
        "this is Python, but neither Django, Flask or FastAPI is among the packages, nor is there a main.py, app.py or \
         server.py; add one of them, or set spec.build.framework: Python and spec.run.command",
    ))
}

/// Whether a settings file says where collectstatic puts its files.
fn has_static_root(tree: Tree<'_>) -> Result<bool, Failure> {
    for name in tree.names("")?.iter().filter(|name| is_identifier(name)) {
        for file in ["settings.py", "settings/__init__.py", "settings/base.py", "settings/production.py"] {
            let text = tree.text(&format!("{name}/{file}"))?.unwrap_or_default();
            if text.lines().any(|line| line.trim_start().starts_with("STATIC_ROOT")) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
