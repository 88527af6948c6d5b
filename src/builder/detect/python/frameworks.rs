//! The frameworks whose applications a server loads, and the tools that are programs of their own.

use super::super::tree::Tree;
use super::application::{self, Interface};
use super::packages::Packages;
use super::syntax;
use crate::builder::dockerfile::python::Start;
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;

/// A framework.
pub(super) struct Served {
    /// Its package.
    pub(super) package: &'static str,
    pub(super) framework: Framework,
    /// What the Dockerfile calls the program.
    pub(super) what: &'static str,
    /// The classes and functions that make an application.
    pub(super) classes: &'static [&'static str],
    pub(super) interface: Interface,
}

const fn served(
    package: &'static str,
    framework: Framework,
    what: &'static str,
    classes: &'static [&'static str],
    interface: Interface,
) -> Served {
    Served { package, framework, what, classes, interface }
}

/// In search order: a framework comes before the one that it builds on.
pub(super) const FRAMEWORKS: [Served; 13] = [
    served(
        "python-fasthtml",
        Framework::Python,
        "a program with FastHTML",
        &["FastHTML", "fast_app", "FastHTMLWithLiveReload"],
        Interface::Asgi,
    ),
    served("fastapi", Framework::FastApi, "a program with FastAPI", &["FastAPI"], Interface::Asgi),
    served("litestar", Framework::Python, "a program with Litestar", &["Litestar"], Interface::Asgi),
    served("quart", Framework::Python, "a program with Quart", &["Quart"], Interface::Asgi),
    served("sanic", Framework::Python, "a program with Sanic", &["Sanic"], Interface::Asgi),
    served("blacksheep", Framework::Python, "a program with BlackSheep", &["Application"], Interface::Asgi),
    served("starlette", Framework::Python, "a program with Starlette", &["Starlette"], Interface::Asgi),
    served("apiflask", Framework::Flask, "a program with APIFlask", &["APIFlask"], Interface::Wsgi),
    served(
        "connexion",
        Framework::Python,
        "a program with Connexion",
        &["AsyncApp", "FlaskApp", "App"],
        Interface::Asgi,
    ),
    served("flask", Framework::Flask, "a program with Flask", &["Flask"], Interface::Wsgi),
    served("bottle", Framework::Python, "a program with Bottle", &["Bottle", "default_app"], Interface::Wsgi),
    served("falcon", Framework::Python, "a program with Falcon", &["App", "API"], Interface::Wsgi),
    served("pyramid", Framework::Python, "a program with Pyramid", &["make_wsgi_app"], Interface::Wsgi),
];

impl Served {
    /// How its application is served; None if no module has one.
    pub(super) fn start(&self, tree: Tree<'_>) -> Result<Option<Start>, Failure> {
        let found = application::find(tree, self.classes, self.interface)?;
        Ok(found.map(|application| match self.interface {
            Interface::Wsgi => Start::Wsgi(application),
            Interface::Asgi => Start::Asgi(application),
        }))
    }
}

/// A tool that runs a file of the source and listens itself.
struct Tool {
    package: &'static str,
    what: &'static str,
    /// A line for the shell; `%` is the file.
    line: &'static str,
}

const TOOLS: [Tool; 6] = [
    Tool {
        package: "streamlit",
        what: "a program with Streamlit",
        line: "exec streamlit run % --server.address 0.0.0.0 --server.port \"$PORT\" --server.headless true --browser.gatherUsageStats false",
    },
    Tool {
        package: "chainlit",
        what: "a program with Chainlit",
        line: "exec chainlit run % --host 0.0.0.0 --port \"$PORT\" --headless",
    },
    Tool {
        package: "panel",
        what: "a program with Panel",
        line: "exec panel serve % --address 0.0.0.0 --port \"$PORT\" --allow-websocket-origin '*'",
    },
    Tool {
        package: "gradio",
        what: "a program with Gradio",
        line: "GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=\"$PORT\" exec python %",
    },
    Tool {
        package: "marimo",
        what: "a notebook of marimo",
        line: "exec marimo run % --host 0.0.0.0 --port \"$PORT\" --headless",
    },
    Tool { package: "mesop", what: "a program with Mesop", line: "exec mesop % --port \"$PORT\" --prod" },
];

/// The command of a tool that a package names, on the file that imports it.
pub(super) fn tool(tree: Tree<'_>, packages: &Packages) -> Result<Option<(&'static str, Start)>, Failure> {
    for tool in TOOLS.iter().filter(|tool| packages.has(tool.package)) {
        let file = super::files(tree)?.into_iter().find(|file| imports(tree, file, tool.package));
        if let Some(file) = file {
            let line = tool.line.replace('%', &file);
            let words = ["/bin/sh".to_owned(), "-c".to_owned(), line];
            return Ok(Some((tool.what, Start::Words(words.to_vec()))));
        }
    }
    Ok(None)
}

/// Whether a file imports a module.
fn imports(tree: Tree<'_>, file: &str, module: &str) -> bool {
    let text = tree.text(file).ok().flatten().unwrap_or_default();
    syntax::statements(&text).iter().any(|statement| {
        let words: Vec<&str> = statement.tokens.iter().filter_map(syntax::Token::word).collect();
        matches!(words.as_slice(), ["import" | "from", first, ..] if *first == module)
    })
}
