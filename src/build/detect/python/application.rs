//! Where the application object of a Python program is. It reads lines and knows no Python.

use super::super::names::is_identifier;
use super::super::no_builder;
use super::super::tree::Tree;
use crate::build::outcome::Failure;

/// Where programs keep it, in the order in which it is looked for.
const FILES: [(&str, &str); 12] = [
    ("app.py", "app"),
    ("main.py", "main"),
    ("wsgi.py", "wsgi"),
    ("asgi.py", "asgi"),
    ("server.py", "server"),
    ("application.py", "application"),
    ("run.py", "run"),
    ("app/__init__.py", "app"),
    ("app/main.py", "app.main"),
    ("app/app.py", "app.app"),
    ("src/main.py", "src.main"),
    ("src/app.py", "src.app"),
];

/// `module:name` of the object that `class` makes, or of a function `create_app` that returns one.
pub(super) fn find(tree: Tree<'_>, class: &str) -> Result<String, Failure> {
    let mut texts = Vec::new();
    for (file, module) in FILES {
        texts.extend(tree.text(file)?.map(|text| (module, text)));
    }
    let made = texts.iter().find_map(|(module, text)| {
        let name = text.lines().find_map(|line| object(line, class))?;
        Some(format!("{module}:{name}"))
    });
    // uvicorn knows no calls in the name of an application.
    let factory = || {
        texts
            .iter()
            .find(|(_, text)| {
                class == "Flask" && text.lines().any(|line| line.starts_with("def create_app("))
            })
            .map(|(module, _)| format!("{module}:create_app()"))
    };
    // A module that only takes the object from another one.
    let taken = || {
        texts.iter().find_map(|(module, text)| {
            let line = text.lines().find(|line| line.starts_with("from ") && line.contains(" import "))?;
            let (_, names) = line.split_once(" import ")?;
            let name = names.split(',').map(str::trim).find(|name| ["app", "application"].contains(name))?;
            ["wsgi", "asgi"].contains(module).then(|| format!("{module}:{name}"))
        })
    };
    made.or_else(taken).or_else(factory).ok_or_else(|| {
        let files: Vec<&str> = FILES.iter().map(|(file, _)| *file).collect();
        no_builder(format!(
            "no line such as \"app = {class}(…)\" was found in {}; add a wsgi.py or asgi.py with one, or a Dockerfile",
            files.join(", ")
        ))
    })
}

/// The name in a line such as `app = Flask(__name__)` or `app: FastAPI = fastapi.FastAPI()`.
fn object<'l>(line: &'l str, class: &str) -> Option<&'l str> {
    let (left, right) = line.split_once('=')?;
    let name = left.split(':').next()?.trim_end();
    let called = right.trim_start().split('(').next().filter(|_| right.contains('('))?;
    let called = called.rsplit('.').next()?;
    (is_identifier(name) && called == class).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::object;

    #[test]
    fn an_application_is_a_name_that_is_given_to_a_call() {
        assert_eq!(object("app = Flask(__name__)", "Flask"), Some("app"));
        assert_eq!(object("api: FastAPI = fastapi.FastAPI(title=\"x\")", "FastAPI"), Some("api"));
        for line in [
            "    app = Flask(__name__)",
            "app = Flask",
            "app = MyFlask(1)",
            "# app = Flask(",
            "a.b = Flask(1)",
            "a;touch${IFS}x = Flask(1)",
            "$(id) = Flask(1)",
            "`id` = Flask(1)",
            "a b = Flask(1)",
            "a\"]\\nRUN = Flask(1)",
            "-h = Flask(1)",
        ] {
            assert_eq!(object(line, "Flask"), None, "{line}");
        }
    }
}
