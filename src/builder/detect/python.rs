//! Python: packages, framework, and where the application is.

use super::findings::Findings;
use super::names::is_path;
use super::procfile;
use super::tools;
use super::tree::Tree;
use super::{Context, Generated, missing, no_builder};
use crate::builder::dockerfile::python::{self, Build, Install, Interpreter, Plan, Server, Start, Uv};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;
use frameworks::FRAMEWORKS;
pub(super) use needs::needs;
use packages::Packages;

mod application;
mod django;
mod frameworks;
mod libraries;
mod needs;
mod packages;
mod syntax;
mod version;

/// Files that identify Python.
const SURE: [&str; 9] = [
    "requirements.txt",
    "uv.lock",
    "manage.py",
    "poetry.lock",
    "pdm.lock",
    "Pipfile",
    "Pipfile.lock",
    "setup.py",
    "environment.yml",
];
/// Usual program files, by preference.
pub(super) const PROGRAMS: [&str; 14] = [
    "main.py",
    "app.py",
    "server.py",
    "run.py",
    "start.py",
    "bot.py",
    "worker.py",
    "index.py",
    "web.py",
    "__main__.py",
    "src/main.py",
    "src/app.py",
    "app/main.py",
    "src/bot.py",
];

/// The file that identifies Python.
pub(super) fn sign(tree: Tree<'_>) -> Result<Option<&'static str>, Failure> {
    if let Some(file) = tree.first(&SURE) {
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
    let program = program(tree, settings, &packages, &mut findings)?;
    let interpreter = version::choose(tree, &packages.requires, &mut findings)?;
    let server = server(&program.start, &packages, interpreter, &mut findings);
    let (build_libraries, run_libraries) = libraries::of(&packages);
    if !run_libraries.is_empty() {
        findings.assume(format!(
            "the packages need {} of Debian, which apt-get installs",
            run_libraries.join(", ")
        ));
    }
    let context = match packages.install {
        Install::Uv { member: Some(_), .. } => Context::Source,
        _ => Context::Directory,
    };
    let collect = program.collect.map(Build::Collect);
    let plan = Plan {
        what: program.what,
        interpreter,
        install: packages.install.clone(),
        whole_source: packages.whole_source,
        build: settings.command.clone().map(Build::Command).or(collect),
        arguments: super::arguments(settings),
        workers: workers(&program.start, &packages),
        start: program.start,
        server,
        libraries: (build_libraries, run_libraries),
        uv: uv(tree)?,
        browser: browser(&packages, &mut findings),
    };
    Ok(Generated { framework: program.framework, text: python::text(&plan), context, findings })
}

/// What is started.
struct Program {
    framework: Framework,
    what: &'static str,
    start: Start,
    collect: Option<python::Collect>,
}

fn program(
    tree: Tree<'_>,
    settings: &Settings,
    packages: &Packages,
    findings: &mut Findings,
) -> Result<Program, Failure> {
    let said = procfile::start(tree, findings)?;
    let mut found = by_files(tree, settings, packages, findings);
    if let Some(words) = said {
        // A command from the Procfile does not need a detected application.
        let start = Start::Words(words);
        return Ok(match found {
            Ok(program) => Program { start, ..program },
            Err(_) => Program {
                framework: settings.framework.unwrap_or(Framework::Python),
                what: "a program for Python",
                start,
                collect: None,
            },
        });
    }
    if let Ok(program) = &mut found
        && let Start::Words(words) = &program.start
        && program.framework == Framework::Python
    {
        worker(tree, words, packages, findings);
    }
    found
}

/// The program, by the files of its framework.
fn by_files(
    tree: Tree<'_>,
    settings: &Settings,
    packages: &Packages,
    findings: &mut Findings,
) -> Result<Program, Failure> {
    let asked = settings.framework;
    if asked == Some(Framework::Django) || (asked.is_none() && packages.installs("django")) {
        match django::directory(tree)? {
            Some(base) => {
                let project = django::read(tree, &base, packages, findings)?;
                let what = "a program with Django";
                return Ok(Program {
                    framework: Framework::Django,
                    what,
                    start: project.start,
                    collect: project.collect,
                });
            }
            None if asked.is_some() => return Err(missing("manage.py", Framework::Django)),
            None => {}
        }
    }
    let mut absent = None;
    for served in &FRAMEWORKS {
        let wanted = match asked {
            Some(Framework::Python) => false,
            Some(framework) => framework == served.framework,
            None => packages.has(served.package),
        };
        if !wanted {
            continue;
        }
        let framework = served.framework;
        match served.start(tree) {
            Ok(Some(start)) => return Ok(Program { framework, what: served.what, start, collect: None }),
            Ok(None) => {
                absent.get_or_insert_with(|| application::absent(served.classes[0], served.interface))
            }
            Err(failure) => absent.insert(failure),
        };
    }
    if let Some((what, start)) = frameworks::tool(tree, packages)? {
        return Ok(Program { framework: Framework::Python, what, start, collect: None });
    }
    if let Some(failure) = absent.take_if(|_| asked.is_some()) {
        return Err(failure);
    }
    match plain(tree, settings, packages, findings)? {
        Some(start) => {
            Ok(Program { framework: Framework::Python, what: "a program for Python", start, collect: None })
        }
        None => Err(absent.unwrap_or_else(nothing)),
    }
}

fn nothing() -> Failure {
    no_builder(
        "the Python source does not say what to start: no known framework is among the packages, and there is no \
         main.py, app.py, server.py or bot.py; add one of them, a Procfile with a line \"web: …\", or set \
         spec.build.framework: Python and spec.run.command",
    )
}

/// A plain program: one that the project names, or a file with a usual name, or the only file.
fn plain(
    tree: Tree<'_>,
    settings: &Settings,
    packages: &Packages,
    findings: &mut Findings,
) -> Result<Option<Start>, Failure> {
    let package = matches!(
        packages.install,
        Install::Uv { package: true, .. }
            | Install::Poetry { package: true, .. }
            | Install::Pdm { package: true }
            | Install::Setup
    );
    if let Some(script) = packages.script.as_ref().filter(|_| package) {
        return Ok(Some(Start::Words(vec![script.clone()])));
    }
    if let Some(file) = files(tree)?.into_iter().next() {
        return Ok(Some(Start::Words(vec!["python".to_owned(), file])));
    }
    let names = tree.names("")?;
    let module = names
        .iter()
        .find(|name| super::names::is_identifier(name) && tree.has(&format!("{name}/__main__.py")));
    if let Some(module) = module {
        return Ok(Some(Start::Words(["python", "-m", module].map(str::to_owned).to_vec())));
    }
    if settings.framework.is_some() {
        findings
            .assume("no file says how the program starts: set spec.run.command, such as [python, -m, shop]");
        return Ok(Some(Start::Unknown));
    }
    Ok(None)
}

/// The files that may be the program: those with usual names, then the only other one.
fn files(tree: Tree<'_>) -> Result<Vec<String>, Failure> {
    let mut found: Vec<String> =
        PROGRAMS.iter().filter(|file| tree.has(file)).map(|file| (*file).to_owned()).collect();
    let others = tree.names("")?.into_iter().filter(|name| {
        name.strip_suffix(".py").is_some()
            && is_path(name)
            && !["setup.py", "conftest.py", "manage.py"].contains(&name.as_str())
    });
    let others: Vec<String> = others.filter(|name| !found.contains(name)).collect();
    if let [one] = others.as_slice() {
        found.push(one.clone());
    } else {
        // Programs of Streamlit and the like often have names of their own.
        found.extend(
            others.into_iter().filter(|name| name.to_ascii_lowercase().contains("app") || name == "Home.py"),
        );
    }
    Ok(found)
}

/// Notes a program that does not listen: a health check over the network would never succeed.
fn worker(tree: Tree<'_>, words: &[String], packages: &Packages, findings: &mut Findings) {
    let serves = [
        "aiohttp",
        "tornado",
        "twisted",
        "nicegui",
        "gradio",
        "dash",
        "uvicorn",
        "hypercorn",
        "waitress",
        "cherrypy",
        "flask",
        "fastapi",
        "django",
        "grpcio",
        "websockets",
        "robyn",
    ];
    if serves.iter().any(|package| packages.installs(package)) {
        return;
    }
    let text = words.last().map(|file| tree.head(file)).unwrap_or_default();
    if !["PORT", "http.server", "socketserver", "listen(", "wsgiref"].iter().any(|sign| text.contains(sign)) {
        findings.assume(
            "the program does not seem to listen on a port; for a bot or a worker set spec.run.health.type: None, or \
             its version never becomes ready",
        );
    }
}

/// The server to add if the packages have none for the application.
fn server(
    start: &Start,
    packages: &Packages,
    interpreter: Interpreter,
    findings: &mut Findings,
) -> Option<Server> {
    let (server, name) = match start {
        Start::Wsgi(_) => (Server::Gunicorn, "gunicorn"),
        Start::Asgi(_) => (Server::Uvicorn, "uvicorn"),
        Start::Words(words) => {
            let line = words.join(" ");
            let calls = |name: &str| line.split([' ', '=', '/', '(', '&', ';']).any(|word| word == name);
            if calls("gunicorn") {
                (Server::Gunicorn, "gunicorn")
            } else if calls("uvicorn") {
                (Server::Uvicorn, "uvicorn")
            } else {
                return None;
            }
        }
        Start::Unknown => return None,
    };
    // Extras of frameworks that bring a server, for sources without a lock file.
    let brought = [
        "fastapi[standard]",
        "fastapi[all]",
        "litestar[standard]",
        "sanic[ext]",
        "python-fasthtml",
        "uvicorn[standard]",
    ];
    let has = packages.installs(name)
        || (server == Server::Uvicorn && brought.iter().any(|package| packages.has(package)));
    if has {
        return None;
    }
    let requirement = server.requirement(interpreter);
    findings.assume(format!(
        "{name} is not among the packages, so the build adds {requirement}, because a framework's own server is not \
         for production; add {name} to choose its version"
    ));
    Some(server)
}

/// Number of gunicorn processes: two, so that one slow answer does not block others; one if all requests of a client
/// must reach the same process.
fn workers(start: &Start, packages: &Packages) -> u32 {
    let serves = match start {
        Start::Wsgi(_) => true,
        Start::Words(words) => words.iter().any(|word| word.contains("gunicorn")),
        _ => false,
    };
    match (serves, packages.installs("flask-socketio") || packages.installs("python-socketio")) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => 2,
    }
}

/// The uv that .tool-versions or mise.toml names, which the program may call.
fn uv(tree: Tree<'_>) -> Result<Uv, Failure> {
    let wanted = tools::wanted(tree, &["uv"])?;
    let version = wanted.as_ref().map(|wanted| wanted.version.clone());
    let exact = version.filter(|version| super::names::is_version(version));
    let exact =
        exact.map(|version| if version.split('.').count() < 3 { format!("{version}.*") } else { version });
    Ok(Uv { version: exact, runs: wanted.is_some() })
}

/// Playwright needs a browser, and the browser needs libraries.
fn browser(packages: &Packages, findings: &mut Findings) -> bool {
    let drives = packages.installs("playwright");
    if drives {
        findings.assume(
            "playwright is among the packages, so the image contains Chromium and its libraries (about 500 MB)",
        );
    }
    drives
}

#[cfg(test)]
mod tests;
