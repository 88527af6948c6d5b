//! Finds the application object of a Python program, `module:name`, from the syntax of its modules.

use std::collections::BTreeSet;

use super::super::names::{is_identifier, is_path};
use super::super::no_builder;
use super::super::tree::Tree;
use super::syntax::{self, Statement};
use crate::builder::dockerfile::python::Application;
use crate::builder::outcome::Failure;

/// Modules that usually contain it, in search order.
const USUAL: [&str; 10] =
    ["wsgi", "asgi", "app", "main", "server", "application", "run", "api", "index", "web"];
/// The same inside a package; `__init__` is the package itself.
const IN_PACKAGE: [&str; 9] =
    ["wsgi", "asgi", "__init__", "main", "app", "server", "application", "api", "web"];
/// Functions that make an application when they are called without arguments.
const FACTORIES: [&str; 8] = [
    "create_app",
    "make_app",
    "build_app",
    "get_app",
    "app_factory",
    "create_application",
    "make_application",
    "get_application",
];
/// Names that an application has where its class is not seen.
const NAMES: [&str; 4] = ["app", "application", "api", "server"];
/// Directories that hold no program.
const OTHER: [&str; 10] = [
    "tests",
    "test",
    "docs",
    "examples",
    "scripts",
    "migrations",
    "node_modules",
    "static",
    "templates",
    "venv",
];
/// Most modules that are read.
const MAX_MODULES: usize = 200;

/// How a framework's application is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interface {
    Wsgi,
    Asgi,
}

/// A module of the source.
struct Module {
    /// `src/shop/web.py`.
    file: String,
    /// `shop.web`.
    name: String,
    /// The directory that must be on Python's path for it: `src`; empty: the root.
    root: &'static str,
    statements: Vec<Statement>,
}

impl Module {
    fn is(&self, last: &str) -> bool {
        self.name.rsplit('.').next() == Some(last)
    }

    fn application(&self, name: &str, factory: bool) -> Option<Application> {
        is_identifier(name).then(|| Application {
            target: format!("{}:{name}", self.name),
            factory,
            directory: (!self.root.is_empty()).then(|| self.root.to_owned()),
            is_working_directory: false,
        })
    }

    /// The names of this module that make an application: the classes, their other names and what is derived from them.
    fn classes<'m>(&'m self, classes: &'m [&'m str]) -> BTreeSet<&'m str> {
        let mut known: BTreeSet<&str> = classes.iter().copied().collect();
        for statement in &self.statements {
            if let Some((_, names)) = statement.import_from() {
                let renamed = names.iter().filter(|(name, here)| known.contains(name) && name != here);
                let renamed: Vec<&str> = renamed.map(|(_, here)| *here).collect();
                known.extend(renamed);
            }
            if let Some((name, bases)) = statement.class()
                && bases.iter().any(|base| known.contains(base))
            {
                known.insert(name);
            }
        }
        known
    }

    /// `app = Flask(…)`.
    fn made(&self, classes: &[&str]) -> Option<Application> {
        let known = self.classes(classes);
        let imported = self.statements.iter().filter(|statement| statement.imported);
        let found = imported.filter_map(Statement::assignment);
        let mut made = found.filter(|found| found.called.is_some_and(|called| known.contains(called)));
        let first = made.next()?;
        let name = first.names.iter().find(|name| NAMES.contains(name)).or(first.names.first())?;
        self.application(name, false)
    }

    /// `app = create_app()`: a call of a factory. Any call counts in a module that exists only for this.
    fn produced(&self, purpose: bool) -> Option<Application> {
        let imported = self.statements.iter().filter(|statement| statement.imported);
        let name = imported.filter_map(Statement::assignment).find_map(|found| {
            let called = found.called?;
            let makes = purpose
                || ["create", "make", "build", "get_app", "init"]
                    .iter()
                    .any(|start| called.starts_with(start));
            found.names.iter().find(|name| makes && NAMES.contains(name)).copied()
        })?;
        self.application(name, false)
    }

    /// `from shop import app`.
    fn taken(&self) -> Option<Application> {
        let imported = self.statements.iter().filter(|statement| statement.imported);
        let mut names = imported.filter_map(Statement::import_from).flat_map(|(_, names)| names);
        let (_, here) = names.find(|(_, here)| ["app", "application"].contains(here))?;
        self.application(here, false)
    }

    /// A function that makes an application, with the arguments that it must be given.
    fn factory(&self) -> Option<(&str, usize, usize)> {
        let functions = self.statements.iter().filter(|statement| statement.imported);
        functions
            .filter_map(|statement| statement.function().map(|(name, needs)| (name, needs, statement.line)))
            .find(|(name, _, _)| FACTORIES.contains(name))
    }
}

/// The application that one of the classes creates; None if there is none.
pub(super) fn find(
    tree: Tree<'_>,
    classes: &[&str],
    interface: Interface,
) -> Result<Option<Application>, Failure> {
    let modules = modules(tree)?;
    let purpose = match interface {
        Interface::Wsgi => "wsgi",
        Interface::Asgi => "asgi",
    };
    let by_purpose = modules
        .iter()
        .filter(|module| module.is(purpose))
        .find_map(|module| module.made(classes).or_else(|| module.taken()).or_else(|| module.produced(true)));
    let found = by_purpose
        .or_else(|| modules.iter().find_map(|module| module.made(classes)))
        .or_else(|| modules.iter().find_map(|module| module.produced(false)))
        // A class of the program itself, in a module where an application usually is.
        .or_else(|| {
            let mut usual = modules.iter().filter(|module| USUAL.contains(&module.name.as_str()));
            usual.find_map(|module| module.produced(true))
        });
    if found.is_some() {
        return Ok(found);
    }
    let mut unfit = None;
    for module in &modules {
        let Some((name, needs, line)) = module.factory() else { continue };
        if needs == 0 {
            return Ok(module.application(name, true));
        }
        let message = format!(
            "{}, line {line}: {name} needs {needs} argument(s), so a server cannot call it; add a {purpose}.py with a line \
             such as \"app = {name}(…)\"",
            module.file
        );
        unfit.get_or_insert(message);
    }
    unfit.map_or(Ok(None), |message| Err(no_builder(message)))
}

/// The error if there is no application.
pub(super) fn absent(class: &str, interface: Interface) -> Failure {
    let file = if interface == Interface::Wsgi { "wsgi.py" } else { "asgi.py" };
    no_builder(format!(
        "no module of the source has a line such as \"app = {class}(…)\" or \"app = create_app()\" outside functions. None has a \
         function create_app without arguments. Add a {file} with such a line, a Procfile with a line \"web: …\", or a Dockerfile"
    ))
}

/// The modules where an application may be, the likely ones first.
fn modules(tree: Tree<'_>) -> Result<Vec<Module>, Failure> {
    let mut files: Vec<(String, &'static str)> = Vec::new();
    let top = tree.names("")?;
    let packages = |parent: &str| -> Result<Vec<String>, Failure> {
        let prefix = if parent.is_empty() { String::new() } else { format!("{parent}/") };
        let names = tree.names(parent)?.into_iter();
        let plain = names.filter(|name| is_identifier(name) && !OTHER.contains(&name.as_str()));
        Ok(plain.map(|name| format!("{prefix}{name}")).filter(|path| tree.has_directory(path)).collect())
    };
    files.extend(USUAL.iter().map(|name| (format!("{name}.py"), "")));
    for package in packages("")?.iter().filter(|package| *package != "src") {
        files.extend(IN_PACKAGE.iter().map(|name| (format!("{package}/{name}.py"), "")));
    }
    files.extend(USUAL.iter().map(|name| (format!("src/{name}.py"), "src")));
    for package in packages("src")? {
        files.extend(IN_PACKAGE.iter().map(|name| (format!("{package}/{name}.py"), "src")));
    }
    let rest = top.iter().filter(|name| {
        name.strip_suffix(".py").is_some_and(|module| {
            !USUAL.contains(&module) && !["setup", "conftest", "manage", "noxfile"].contains(&module)
        })
    });
    files.extend(rest.map(|name| (name.clone(), "")));
    // Everything else in a package, and one level below it.
    for package in packages("")?.into_iter().chain(packages("src")?) {
        let root = if package.starts_with("src/") || package == "src" { "src" } else { "" };
        let python =
            |name: &String| name.strip_suffix(".py").is_some_and(|module| !IN_PACKAGE.contains(&module));
        files.extend(
            tree.names(&package)?.into_iter().filter(python).map(|name| (format!("{package}/{name}"), root)),
        );
        for inner in packages(&package)?.into_iter().filter(|_| root.is_empty()) {
            files.extend(IN_PACKAGE.iter().map(|name| (format!("{inner}/{name}.py"), root)));
        }
    }
    let mut seen = BTreeSet::new();
    let found =
        files.into_iter().filter(|(file, _)| is_path(file) && tree.has(file) && seen.insert(file.clone()));
    Ok(found.take(MAX_MODULES).filter_map(|(file, root)| module(tree, &file, root)).collect())
}

/// A file as a module; None if its name is not a module name or it is not text.
fn module(tree: Tree<'_>, file: &str, root: &'static str) -> Option<Module> {
    let text = tree.text(file).ok().flatten()?;
    let statements = syntax::statements(&text);
    // Below src, a program may import itself with or without `src`.
    let itself = statements.iter().filter_map(Statement::import_from).any(|(from, _)| {
        from.split('.').next() == Some("src") || (file.matches('/').count() == 1 && from.starts_with('.'))
    });
    let root = if itself { "" } else { root };
    let path = file.strip_prefix(root).unwrap_or(file).trim_start_matches('/');
    let path = path.strip_suffix(".py")?;
    let path = path.strip_suffix("/__init__").unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    let plain = parts.iter().all(|part| is_identifier(part));
    plain.then(|| Module { name: parts.join("."), file: file.to_owned(), root, statements })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::detect::tests::context;

    fn flask(files: &[(&str, &str)]) -> Result<Option<(String, bool, Option<String>)>, Failure> {
        let dir = context(files);
        let root = dir.path().canonicalize().unwrap();
        let found = find(Tree::new(&root), &["Flask"], Interface::Wsgi)?;
        Ok(found.map(|found| (found.target, found.factory, found.directory)))
    }

    fn target(files: &[(&str, &str)]) -> String {
        flask(files).unwrap().unwrap().0
    }

    const FACTORY: &str =
        "from flask import Flask\n\ndef create_app():\n    app = Flask(__name__)\n    return app\n";

    // Rule of case 02: a module for the server may hold an application that a factory returns.
    #[test]
    fn an_application_created_by_a_factory_in_wsgi_is_found() {
        let wsgi = ("wsgi.py", "from shop import create_app\n\napp = create_app()\n");
        assert_eq!(target(&[("shop/__init__.py", FACTORY), wsgi]), "wsgi:app");
        let needs =
            ("app/__init__.py", "def create_app(config_name):\n    app = Flask(__name__)\n    return app\n");
        let wsgi = (
            "wsgi.py",
            "import os\nfrom app import create_app\napplication = create_app(\n    os.environ.get('A', 'b'))\n",
        );
        assert_eq!(target(&[needs, wsgi]), "wsgi:application");
        let failure = flask(&[needs]).unwrap_err().message;
        assert!(failure.contains("app/__init__.py, line 1: create_app needs 1 argument"), "{failure}");
        let main = (
            "main.py",
            "from shop import create_app\napp = create_app()\nif __name__ == '__main__':\n  app.run()\n",
        );
        assert_eq!(target(&[("shop/__init__.py", FACTORY), main]), "main:app");
    }

    #[test]
    fn a_factory_without_arguments_is_called() {
        let found = flask(&[("shop/__init__.py", FACTORY)]).unwrap().unwrap();
        assert_eq!(found, ("shop:create_app".to_owned(), true, None));
        let optional = FACTORY.replace("()", "(config=None, *more)");
        assert!(flask(&[("shop.py", &optional)]).unwrap().unwrap().1);
    }

    #[test]
    fn applications_are_found_in_packages_below_src_and_under_other_names() {
        assert_eq!(target(&[("shop/web.py", "import flask as f\nsite = f.Flask('x')\n")]), "shop.web:site");
        assert_eq!(
            target(&[("shop.py", "from flask import Flask as F\nclass Shop(F):\n  pass\nshop = Shop(1)\n")]),
            "shop:shop"
        );
        let below = flask(&[("src/shop/__init__.py", "app = Flask(1)")]).unwrap().unwrap();
        assert_eq!(below, ("shop:app".to_owned(), false, Some("src".to_owned())));
        let rooted = flask(&[("src/main.py", "from src.db import x\napp = Flask(1)")]).unwrap().unwrap();
        assert_eq!(rooted, ("src.main:app".to_owned(), false, None));
        assert_eq!(target(&[("a/b/app.py", "app = Flask(1)")]), "a.b.app:app");
        assert_eq!(target(&[("shop/factory.py", FACTORY)]), "shop.factory:create_app");
        assert_eq!(
            target(&[("autoapp.py", "from shop.app import create_app\napp = create_app()\n")]),
            "autoapp:app"
        );
        let own = [
            ("app.py", "from shop.core import Shop\napp = Shop(__name__)\n"),
            ("shop/core.py", "class Shop(Base): pass\n"),
        ];
        assert_eq!(target(&own), "app:app");
    }

    #[test]
    fn text_that_only_looks_like_an_application_is_ignored() {
        for text in [
            "'''\napp = Flask(1)\n'''",
            "# app = Flask(1)",
            "def f():\n    app = Flask(1)",
            "app = Flask",
            "a.b = Flask(1)",
            "if __name__ == '__main__':\n    app = Flask(1)",
            "print('app = Flask(1)')",
            "\u{e4}pp = Flask(1)",
        ] {
            assert_eq!(flask(&[("app.py", text)]), Ok(None), "{text}");
        }
        assert_eq!(flask(&[("tests/app.py", "app = Flask(1)")]), Ok(None));
    }
}
