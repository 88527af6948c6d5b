//! Django: manage.py, the settings, the module that a server loads, and what the settings need to be imported.

use std::collections::BTreeMap;

use super::super::findings::Findings;
use super::super::names::{is_identifier, is_path};
use super::super::no_builder;
use super::super::tree::Tree;
use super::packages::Packages;
use super::syntax::{self, Statement, Token};
use crate::builder::dockerfile::python::{Application, Collect, Start};
use crate::builder::outcome::Failure;

/// Directories that are searched for manage.py before all others of the source.
const USUAL: [&str; 5] = ["src", "backend", "app", "server", "django"];

/// A Django project.
pub(super) struct Project {
    pub(super) start: Start,
    /// How static files are collected, if something serves them.
    pub(super) collect: Option<Collect>,
}

/// The directory of manage.py; empty: the directory that is built; None if there is not exactly one.
pub(super) fn directory(tree: Tree<'_>) -> Result<Option<String>, Failure> {
    if tree.has("manage.py") {
        return Ok(Some(String::new()));
    }
    if let Some(found) = USUAL.iter().find(|name| tree.has(&format!("{name}/manage.py"))) {
        return Ok(Some((*found).to_owned()));
    }
    let names: Vec<String> =
        tree.names("")?.into_iter().filter(|name| is_path(name) && tree.has_directory(name)).collect();
    let mut deeper = Vec::new();
    for name in names.iter().filter(|name| !name.starts_with('.') && *name != "node_modules") {
        deeper.extend(
            tree.names(name)?.into_iter().map(|inner| format!("{name}/{inner}")).filter(|path| is_path(path)),
        );
    }
    for level in [names, deeper] {
        let mut found = level.into_iter().filter(|path| tree.has(&format!("{path}/manage.py")));
        if let Some(first) = found.next() {
            return Ok(Some(first).filter(|_| found.next().is_none()));
        }
    }
    Ok(None)
}

/// The project whose manage.py is in `base`.
pub(super) fn read(
    tree: Tree<'_>,
    base: &str,
    packages: &Packages,
    findings: &mut Findings,
) -> Result<Project, Failure> {
    let at = |path: &str| if base.is_empty() { path.to_owned() } else { format!("{base}/{path}") };
    let manage = statements(tree, &at("manage.py"));
    let module = settings_module(&manage).unwrap_or_default();
    let servers = servers(tree, base, &module)?;
    let settings = settings(tree, base, &module, &servers);
    let start = start(&servers, packages, &settings, base).ok_or_else(|| {
        no_builder(format!(
            "the project of {} has no wsgi.py and no asgi.py; add one (django-admin startproject writes both), or a \
             Dockerfile",
            at("manage.py")
        ))
    })?;
    warn_of_hosts(&settings, findings);
    let needed = needed(&settings);
    for (name, file, line) in &needed {
        findings.warn(format!(
            "{file}, line {line}: the settings need the environment variable {name}; set it in spec.run.env"
        ));
    }
    let collect = collect(base, &servers, packages, &settings, &needed, findings);
    Ok(Project { start, collect })
}

/// A file of settings and its statements.
struct Settings {
    file: String,
    statements: Vec<Statement>,
}

/// A module that a server can load: `shop/wsgi.py` as `shop.wsgi`.
struct Server {
    module: String,
    asynchronous: bool,
    /// The settings that it names.
    settings: Option<String>,
}

fn statements(tree: Tree<'_>, file: &str) -> Vec<Statement> {
    tree.text(file).ok().flatten().map(|text| syntax::statements(&text)).unwrap_or_default()
}

/// The module in `os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')`.
fn settings_module(statements: &[Statement]) -> Option<String> {
    let texts = statements.iter().find_map(|statement| {
        let at = statement.tokens.iter().position(|token| token.text() == Some("DJANGO_SETTINGS_MODULE"))?;
        statement.tokens[at + 1..].iter().find_map(Token::text)
    })?;
    texts.split('.').all(is_identifier).then(|| texts.to_owned())
}

/// The wsgi.py and asgi.py of the project: beside its settings, else anywhere two levels below manage.py.
fn servers(tree: Tree<'_>, base: &str, settings: &str) -> Result<Vec<Server>, Failure> {
    let at = |path: &str| if base.is_empty() { path.to_owned() } else { format!("{base}/{path}") };
    let mut directories: Vec<String> = Vec::new();
    let mut parent = settings;
    while let Some((package, _)) = parent.rsplit_once('.') {
        directories.push(package.replace('.', "/"));
        parent = package;
    }
    directories.push(String::new());
    for name in tree.names(base)?.into_iter().filter(|name| is_identifier(name)) {
        let inner = tree.names(&at(&name))?.into_iter().filter(|inner| is_identifier(inner));
        let inner: Vec<String> = inner.map(|inner| format!("{name}/{inner}")).collect();
        directories.push(name);
        directories.extend(inner);
    }
    let mut found = Vec::new();
    for directory in directories {
        for (name, asynchronous) in [("wsgi", false), ("asgi", true)] {
            let path = if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
            let file = at(&format!("{path}.py"));
            if tree.has(&file) {
                let settings = settings_module(&statements(tree, &file));
                found.push(Server { module: path.replace('/', "."), asynchronous, settings });
            }
        }
    }
    Ok(found)
}

/// The files of the settings: the module that manage.py or the server names, and those beside it.
fn settings(tree: Tree<'_>, base: &str, module: &str, servers: &[Server]) -> Vec<Settings> {
    let at = |path: &str| if base.is_empty() { path.to_owned() } else { format!("{base}/{path}") };
    let mut files: Vec<String> = Vec::new();
    for module in servers.iter().filter_map(|server| server.settings.as_deref()).chain([module]) {
        let path = at(&module.replace('.', "/"));
        files.push(format!("{path}.py"));
        files.push(format!("{path}/__init__.py"));
        // In a settings package, the files import each other.
        let package = if tree.has_directory(&path) {
            Some(path.as_str())
        } else {
            path.rsplit_once('/').map(|(up, _)| up)
        };
        if let Some(package) = package.filter(|package| package.rsplit('/').next() == Some("settings")) {
            files.extend(
                ["base", "common", "defaults", "production", "prod"]
                    .map(|name| format!("{package}/{name}.py")),
            );
        }
    }
    files.dedup();
    let mut seen = std::collections::BTreeSet::new();
    files.retain(|file| tree.has(file) && seen.insert(file.clone()));
    files.into_iter().map(|file| Settings { statements: statements(tree, &file), file }).collect()
}

/// How it is served: by asgi.py if it uses channels or has nothing else.
fn start(servers: &[Server], packages: &Packages, settings: &[Settings], base: &str) -> Option<Start> {
    let sets = |name: &str| assigned(settings, name).is_some();
    let channels = ["channels", "daphne"].iter().any(|name| packages.installs(name))
        || (sets("ASGI_APPLICATION") && !sets("WSGI_APPLICATION"));
    let first = |asynchronous: bool| servers.iter().find(|server| server.asynchronous == asynchronous);
    let server = first(channels).or_else(|| first(!channels))?;
    let application = Application {
        target: format!("{}:application", server.module),
        factory: false,
        directory: (!base.is_empty()).then(|| base.to_owned()),
        is_working_directory: true,
    };
    Some(if server.asynchronous { Start::Asgi(application) } else { Start::Wsgi(application) })
}

/// What a setting is set to, in any file.
fn assigned<'s>(settings: &'s [Settings], name: &str) -> Option<&'s [Token]> {
    let all = settings.iter().flat_map(|settings| &settings.statements);
    all.filter_map(Statement::assignment).find(|found| found.names.contains(&name)).map(|found| found.value)
}

/// Notes a restricted `ALLOWED_HOSTS`: the kubelet probes the address of the pod, which only `*` allows.
fn warn_of_hosts(settings: &[Settings], findings: &mut Findings) {
    let all = assigned(settings, "ALLOWED_HOSTS")
        .is_some_and(|value| value.iter().any(|token| token.text() == Some("*")));
    if !all {
        findings.assume(
            "ALLOWED_HOSTS must allow the address of the pod, or its health probe fails; take it from an environment \
             variable, or set spec.run.health.type: TCP",
        );
    }
}

/// The variables without which the settings cannot be imported: name, file and line.
fn needed(settings: &[Settings]) -> Vec<(String, String, usize)> {
    let mut found: Vec<(String, String, usize)> = Vec::new();
    for file in settings {
        for statement in file.statements.iter().filter(|statement| statement.imported) {
            for name in variables(&statement.tokens) {
                if is_identifier(name) && !found.iter().any(|(known, _, _)| known == name) {
                    found.push((name.to_owned(), file.file.clone(), statement.line));
                }
            }
        }
    }
    found
}

/// `os.environ["A"]`, and `env("A")`, `env.str("A")`, `config("A")` without a default.
fn variables(tokens: &[Token]) -> Vec<&str> {
    let mut found = Vec::new();
    for (index, window) in tokens.windows(3).enumerate() {
        let [name, open, value] = window else { continue };
        let (Some(word), Some(text)) = (name.word(), value.text()) else { continue };
        let after = tokens.get(index + 3);
        let alone = after.is_some_and(|token| matches!(token, Token::Sign(')' | ']')));
        let before: Vec<&str> = tokens[..index].iter().rev().take(2).filter_map(Token::word).collect();
        let of_env = before.first().is_some_and(|word| ["env", "config"].contains(word));
        let reads = match open {
            Token::Sign('[') => word == "environ",
            Token::Sign('(') => ["env", "config"].contains(&word) || of_env,
            _ => false,
        };
        // A typed variable may have its default or cast behind it: `config("A", cast=bool)`.
        let default = tokens[index + 3..]
            .iter()
            .take_while(|token| **token != Token::Sign(')'))
            .any(|token| token.word() == Some("default"));
        let only_cast = tokens.get(index + 4).and_then(Token::word) == Some("cast");
        if reads && (alone || only_cast) && !default {
            found.push(text);
        }
    }
    found
}

/// A dummy value with which the settings can be imported while static files are collected.
fn throw_away(name: &str) -> &'static str {
    let name = name.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has(&["DATABASE_URL", "DB_URL"]) {
        "sqlite:////tmp/build.sqlite3"
    } else if has(&["REDIS", "CACHE", "BROKER", "CELERY"]) && has(&["URL"]) {
        "redis://localhost:6379/0"
    } else if has(&["URL", "URI", "ENDPOINT", "DSN"]) {
        "http://localhost"
    } else if has(&["PORT", "TIMEOUT", "COUNT", "SIZE", "MAX", "DEBUG", "AGE"]) {
        "1"
    } else {
        "only-while-building"
    }
}

fn collect(
    base: &str,
    servers: &[Server],
    packages: &Packages,
    settings: &[Settings],
    needed: &[(String, String, usize)],
    findings: &mut Findings,
) -> Option<Collect> {
    assigned(settings, "STATIC_ROOT")?;
    let stored = settings.iter().flat_map(|settings| &settings.statements).any(|statement| {
        statement.tokens.iter().filter_map(Token::text).any(|text| text.contains("whitenoise"))
    });
    if !stored && !packages.installs("whitenoise") {
        findings.warn(
            "nothing serves the static files of the admin and of the site in production; add whitenoise to the \
             packages and its middleware to MIDDLEWARE",
        );
        return None;
    }
    let mut environment: BTreeMap<String, String> =
        [("SECRET_KEY", "only-while-building"), ("DJANGO_SECRET_KEY", "only-while-building")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
    for (name, _, _) in needed {
        environment.insert(name.clone(), throw_away(name).to_owned());
    }
    let module = servers.iter().find_map(|server| server.settings.clone());
    environment.extend(module.map(|module| ("DJANGO_SETTINGS_MODULE".to_owned(), module)));
    Some(Collect { directory: base.to_owned(), environment })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_variables_are_read_from_the_settings() {
        let text = "import os\nA = os.environ['ONE']\nB = os.environ.get('TWO')\nC = env('THREE')\nD = env('FOUR', default='x')\n\
                    E = config('FIVE', cast=bool)\nF = config('SIX', default=1, cast=int)\nG = env.str(\"SEVEN\")\nH = env.bool('EIGHT', False)\n\
                    def f():\n    return os.environ['NINE']\n# os.environ['TEN']\nDATABASES = {'default': env.db('ELEVEN')}\n";
        let settings = [Settings { file: "a.py".into(), statements: syntax::statements(text) }];
        let found: Vec<(String, usize)> =
            needed(&settings).into_iter().map(|(name, _, line)| (name, line)).collect();
        let expected = [("ONE", 2), ("THREE", 4), ("FIVE", 6), ("SEVEN", 8), ("ELEVEN", 13)];
        assert_eq!(found, expected.map(|(name, line)| (name.to_owned(), line)));
    }

    #[test]
    fn throw_away_values_have_only_plain_characters() {
        for name in ["SECRET_KEY", "DATABASE_URL", "REDIS_URL", "SENTRY_DSN", "PORT", "X"] {
            assert!(
                throw_away(name).bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-:/.".contains(&byte))
            );
        }
    }
}
