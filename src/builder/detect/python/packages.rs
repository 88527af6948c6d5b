//! Which packages a Python program requires, and which tool installs them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::findings::Findings;
use super::super::names::is_path;
use super::super::no_builder;
use super::super::tree::Tree;
use crate::builder::dockerfile::python::Install;
use crate::builder::outcome::Failure;

/// Most files of requirements that refer to one another.
const MAX_FILES: usize = 16;
/// Where requirements are, besides requirements.txt.
const REQUIREMENTS: [&str; 6] = [
    "requirements.txt",
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements-prod.txt",
    "requirements/base.txt",
    "requirements/requirements.txt",
];

/// The requirements of a source.
#[derive(Debug)]
pub(super) struct Packages {
    pub(super) install: Install,
    /// Installation needs more than the files that list packages.
    pub(super) whole_source: bool,
    /// What the project says of the version of Python, and where.
    pub(super) requires: Vec<Requirement>,
    /// The only program of `[project.scripts]`, or the one that is named as the project.
    pub(super) script: Option<String>,
    /// Names in their normal form, each also with its extras: `fastapi[standard]`.
    names: BTreeSet<String>,
    /// Names in the lock file, which come with others.
    locked: BTreeSet<String>,
    /// A package comes from a Git repository.
    pub(super) git: bool,
}

/// A constraint on the version of Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    /// `>=3.11`, `^3.10`, `3.12`.
    pub(super) text: String,
    /// `requires-python in pyproject.toml`.
    pub(super) place: &'static str,
}

impl Packages {
    /// Whether a package is required by name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether a package is installed, also as a dependency of others; without a lock file only direct requirements are
    /// known.
    pub(super) fn installs(&self, name: &str) -> bool {
        self.names.contains(name) || self.locked.contains(name)
    }

    /// Dependencies as Poetry and Pipenv write them: a name, and a version or a table.
    fn take(&mut self, dependencies: &BTreeMap<String, toml::Value>) {
        for (name, value) in dependencies {
            self.names.extend(names(name));
            let extras = value.get("extras").and_then(toml::Value::as_array);
            let extras = extras.into_iter().flatten().filter_map(toml::Value::as_str);
            self.names.extend(extras.flat_map(|extra| names(&format!("{name}[{extra}]"))));
            self.git |= value.get("git").is_some();
            self.whole_source |= value.get("path").is_some();
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pyproject {
    pub(super) project: Option<Project>,
    #[serde(rename = "build-system")]
    pub(super) build_system: Option<toml::Value>,
    #[serde(rename = "dependency-groups")]
    pub(super) groups: Option<toml::Value>,
    pub(super) tool: Tool,
}

impl Pyproject {
    /// Whether Poetry installs it: it wrote the lock file, or only Poetry reads these dependencies.
    fn is_of_poetry(&self, tree: Tree<'_>) -> bool {
        let poetry = self.tool.poetry.is_some();
        tree.has("poetry.lock") && (poetry || self.project.is_some()) || poetry && self.project.is_none()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Project {
    pub(super) name: Option<String>,
    pub(super) dependencies: Vec<String>,
    #[serde(rename = "optional-dependencies")]
    pub(super) optional: Option<toml::Value>,
    #[serde(rename = "requires-python")]
    requires: Option<String>,
    scripts: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tool {
    pub(super) uv: Option<Uv>,
    poetry: Option<Poetry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Uv {
    package: Option<bool>,
    pub(super) sources: Option<toml::Value>,
    pub(super) workspace: Option<toml::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Poetry {
    name: Option<String>,
    dependencies: BTreeMap<String, toml::Value>,
    scripts: BTreeMap<String, toml::Value>,
    packages: Option<toml::Value>,
    #[serde(rename = "package-mode")]
    package_mode: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pipfile {
    packages: BTreeMap<String, toml::Value>,
    requires: BTreeMap<String, toml::Value>,
}

/// The packages of uv.lock, requirements.txt, poetry.lock, pdm.lock, Pipfile, pyproject.toml or setup.py: the first
/// that exists.
pub(super) fn read(tree: Tree<'_>, findings: &mut Findings) -> Result<Packages, Failure> {
    let pyproject: Pyproject = tree.toml("pyproject.toml")?.unwrap_or_default();
    let mut packages = nothing(&pyproject);
    let requirements = REQUIREMENTS.into_iter().find(|file| tree.has(file));
    if workspace(tree)?.is_some() || tree.has("uv.lock") {
        uv(tree, &pyproject, &mut packages, findings)?;
    } else if let Some(file) = requirements {
        from_requirements(tree, file, &mut packages)?;
        packages.install = Install::Requirements(file);
    } else if pyproject.is_of_poetry(tree) {
        poetry(tree, &pyproject, &mut packages, findings);
    } else if tree.has("pdm.lock") && pyproject.project.is_some() {
        packages.install = Install::Pdm { package: pyproject.build_system.is_some() };
        packages.locked = locked(tree, "pdm.lock");
    } else if tree.has("Pipfile") {
        pipenv(tree, &mut packages, findings)?;
    } else if pyproject.project.is_some() {
        uv(tree, &pyproject, &mut packages, findings)?;
    } else if let Some(file) = tree.first(&["setup.py", "setup.cfg"]) {
        packages.install = Install::Setup;
        packages.whole_source = true;
        // Names in quotes or on separate lines, as in `install_requires`.
        let text = tree.text(file)?.unwrap_or_default();
        packages.names = text.split(['"', '\'', '\n']).flat_map(names).collect();
    } else if let Some(file) = tree.first(&["uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"]) {
        let of = if file == "Pipfile.lock" { "Pipfile" } else { "pyproject.toml" };
        return Err(no_builder(format!(
            "the source has {file} but no {of}, which it belongs to; commit {of}"
        )));
    } else if let Some(file) = tree.first(&["environment.yml", "environment.yaml"]) {
        return Err(no_builder(format!(
            "{file} lists conda packages, which a generated Dockerfile cannot install; add a requirements.txt with the \
             packages that the program imports, or a Dockerfile"
        )));
    }
    Ok(packages)
}

/// What pyproject.toml says, independent of the tool that installs it.
fn nothing(pyproject: &Pyproject) -> Packages {
    let project = pyproject.project.as_ref();
    let poetry = pyproject.tool.poetry.as_ref();
    let mut requires = Vec::new();
    if let Some(text) = project.and_then(|project| project.requires.clone()) {
        requires.push(Requirement { text, place: "requires-python in pyproject.toml" });
    }
    let python = poetry.and_then(|poetry| poetry.dependencies.get("python")).and_then(toml::Value::as_str);
    if let Some(text) = python {
        requires
            .push(Requirement { text: text.to_owned(), place: "python of tool.poetry in pyproject.toml" });
    }
    let name = project
        .and_then(|project| project.name.as_deref())
        .or(poetry.and_then(|poetry| poetry.name.as_deref()));
    let scripts: Vec<&String> = project
        .map(|project| project.scripts.keys())
        .into_iter()
        .flatten()
        .chain(poetry.map(|poetry| poetry.scripts.keys()).into_iter().flatten())
        .collect();
    let script = match scripts.as_slice() {
        [one] => Some((*one).clone()),
        several => {
            several.iter().find(|script| Some(script.as_str()) == name).map(|script| (*script).clone())
        }
    };
    Packages {
        install: Install::Nothing,
        whole_source: false,
        requires,
        script: script.filter(|script| is_path(script) && !script.contains('/')),
        names: project
            .iter()
            .flat_map(|project| &project.dependencies)
            .flat_map(|line| names(line))
            .collect(),
        locked: BTreeSet::new(),
        git: project.is_some_and(|project| project.dependencies.iter().any(|line| line.contains("git+"))),
    }
}

/// The name of this member of a workspace whose lock file is at the root of the source.
pub(super) fn workspace(tree: Tree<'_>) -> Result<Option<String>, Failure> {
    if tree.path().is_empty() || tree.has("uv.lock") || !tree.source().has("uv.lock") {
        return Ok(None);
    }
    let root: Pyproject = tree.source().toml("pyproject.toml")?.unwrap_or_default();
    let member: Pyproject = tree.toml("pyproject.toml")?.unwrap_or_default();
    let is_workspace = root.tool.uv.is_some_and(|uv| uv.workspace.is_some());
    let name = member.project.and_then(|project| project.name);
    Ok(name.filter(|name| is_workspace && is_path(name) && !name.contains('/')))
}

fn uv(
    tree: Tree<'_>,
    pyproject: &Pyproject,
    packages: &mut Packages,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let member = workspace(tree)?;
    let locked_here = tree.has("uv.lock");
    let lock = if member.is_some() { tree.source() } else { tree };
    if pyproject.project.is_none() {
        return Err(no_builder(
            "the source has uv.lock but no pyproject.toml with a [project] table, which it belongs to; commit that",
        ));
    }
    if !lock.has("uv.lock") {
        findings.assume(
            "uv.lock is missing, so each build may install different versions; run uv lock and commit it",
        );
    }
    packages.locked = locked(lock, "uv.lock");
    let uv = pyproject.tool.uv.as_ref();
    let modules_only =
        pyproject.tool.poetry.as_ref().is_some_and(|poetry| poetry.package_mode == Some(false));
    let package = uv.and_then(|uv| uv.package).unwrap_or(pyproject.build_system.is_some() && !modules_only);
    // Packages of the source itself, by path or as members.
    packages.whole_source =
        member.is_some() || uv.is_some_and(|uv| uv.sources.is_some() || uv.workspace.is_some());
    let text = lock.text("uv.lock").ok().flatten().unwrap_or_default();
    packages.git |= text.contains("source = { git =");
    packages.install = match member {
        None if packages.names.is_empty() && !package && !packages.whole_source => Install::Nothing,
        None => Install::Uv { locked: locked_here, package, member: None },
        Some(name) => {
            Install::Uv { locked: true, package: false, member: Some((tree.path().to_owned(), name)) }
        }
    };
    Ok(())
}

fn poetry(tree: Tree<'_>, pyproject: &Pyproject, packages: &mut Packages, findings: &mut Findings) {
    let nothing = Poetry::default();
    let poetry = pyproject.tool.poetry.as_ref().unwrap_or(&nothing);
    let locked_here = tree.has("poetry.lock");
    if !locked_here {
        findings.assume(
            "poetry.lock is missing, so each build may install different versions; run poetry lock and commit it",
        );
    }
    packages.locked = locked(tree, "poetry.lock");
    packages.take(&poetry.dependencies);
    packages.names.remove("python");
    // A project that declares its modules or a script is installed; any other is only started.
    let package =
        poetry.package_mode != Some(false) && (poetry.packages.is_some() || packages.script.is_some());
    packages.install = Install::Poetry { locked: locked_here, package };
}

fn pipenv(tree: Tree<'_>, packages: &mut Packages, findings: &mut Findings) -> Result<(), Failure> {
    let pipfile: Pipfile = tree.toml("Pipfile")?.unwrap_or_default();
    let locked_here = tree.has("Pipfile.lock");
    if !locked_here {
        findings.assume(
            "Pipfile.lock is missing, so each build may install different versions; run pipenv lock and commit it",
        );
    }
    packages.take(&pipfile.packages);
    let lock: Option<serde_json::Value> = tree.json("Pipfile.lock")?;
    let locked = lock.as_ref().and_then(|lock| lock.get("default")).and_then(serde_json::Value::as_object);
    packages.locked =
        locked.into_iter().flat_map(|table| table.keys()).flat_map(|name| names(name)).collect();
    let version =
        ["python_full_version", "python_version"].iter().find_map(|key| pipfile.requires.get(*key)?.as_str());
    if let Some(version) = version {
        packages.requires.push(Requirement { text: version.to_owned(), place: "requires of Pipfile" });
    }
    packages.install = Install::Pipenv { locked: locked_here };
    Ok(())
}

/// The names in a lock file with `[[package]]` tables.
fn locked(tree: Tree<'_>, file: &str) -> BTreeSet<String> {
    // A lock file that is too large counts as empty; the tool that installs reads it anyway.
    let Ok(Some(text)) = tree.text(file) else { return BTreeSet::new() };
    let mut found = BTreeSet::new();
    let mut package = false;
    for line in text.lines() {
        match line.trim_end() {
            "[[package]]" => package = true,
            line => {
                if let Some(name) = line.strip_prefix("name = \"").filter(|_| package) {
                    found.extend(names(name.trim_end_matches('"')));
                    package = false;
                }
            }
        }
    }
    found
}

/// The packages of a requirements file and of those that it refers to, and whether installation needs other files.
fn from_requirements(tree: Tree<'_>, first: &str, packages: &mut Packages) -> Result<(), Failure> {
    let (mut open, mut seen) = (vec![first.to_owned()], BTreeSet::new());
    while let Some(file) = open.pop() {
        if seen.len() == MAX_FILES || !seen.insert(file.clone()) {
            continue;
        }
        let text = tree.text(&file)?.unwrap_or_default();
        let directory = file.rsplit_once('/').map_or(String::new(), |(parent, _)| format!("{parent}/"));
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let line = line.split(" #").next().unwrap_or_default();
            packages.git |= line.contains("git+");
            let other = ["-r", "--requirement", "-c", "--constraint", "-e", "--editable"]
                .iter()
                .find_map(|option| line.strip_prefix(option))
                .filter(|rest| rest.starts_with([' ', '=', '.']));
            if let Some(other) = other {
                let other = other.trim_start_matches(['=', ' ']);
                packages.whole_source |= !other.contains("://");
                if !other.contains("://") {
                    open.push(format!("{directory}{other}"));
                }
            } else if line.starts_with(['.', '/']) || line.contains("file:") {
                packages.whole_source = true;
            } else {
                packages.names.extend(names(line));
            }
        }
    }
    packages.whole_source |= first.contains('/');
    Ok(())
}

/// The normal form of the name that a requirement begins with, and once more with each of its extras.
pub(super) fn names(line: &str) -> Vec<String> {
    let end =
        line.find(|char: char| !char.is_ascii_alphanumeric() && !"._-".contains(char)).unwrap_or(line.len());
    let name = line[..end].to_ascii_lowercase().replace(['_', '.'], "-");
    if name.is_empty() || name.starts_with('-') {
        return vec![];
    }
    let extras = line[end..].trim_start().strip_prefix('[').and_then(|rest| rest.split(']').next());
    let extras = extras.into_iter().flat_map(|extras| extras.split(','));
    let extras: Vec<String> = extras
        .map(|extra| format!("{name}[{}]", extra.trim().to_ascii_lowercase().replace('_', "-")))
        .collect();
    [vec![name], extras].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::detect::tests::context;

    fn packages(files: &[(&str, &str)]) -> Packages {
        let dir = context(files);
        read(Tree::new(&dir.path().canonicalize().unwrap()), &mut Findings::default()).unwrap()
    }

    #[test]
    fn a_requirement_begins_with_its_name() {
        assert_eq!(names("Flask_SQLAlchemy>=3 ; python_version > '3'"), ["flask-sqlalchemy"]);
        assert_eq!(names("fastapi [all, standard]==1"), ["fastapi", "fastapi[all]", "fastapi[standard]"]);
        assert!(["", "# flask", "--index-url x", "\u{e9}"].iter().all(|line| names(line).is_empty()));
    }

    #[test]
    fn requirements_are_read_through_included_files_options_and_urls() {
        let found = packages(&[
            (
                "requirements.txt",
                "-r more/base.txt\n-c limits.txt\nflask==3 \\\n    --hash=sha256:ab\nx @ git+https://h/x.git\n",
            ),
            ("more/base.txt", "-r other.txt\npsycopg[binary]>=3 # driver"),
            ("more/other.txt", "-e git+ssh://h/y.git#egg=y\ndjango\n"),
        ]);
        for name in ["flask", "x", "psycopg", "psycopg[binary]", "django"] {
            assert!(found.has(name), "{name}: {found:?}");
        }
        assert!(found.whole_source && found.git);
        assert!(!packages(&[("requirements.txt", "flask")]).whole_source);
    }

    #[test]
    fn lock_file_packages_are_installed_but_not_direct_dependencies() {
        let project = ("pyproject.toml", "[project]\nname='a'\ndependencies=['fastapi[standard]']\n");
        let lock = "version = 1\n\n[[package]]\nname = \"Uvicorn\"\nversion = \"1\"\ndependencies = [\n    { name = \"h11\" },\n]\n";
        let found = packages(&[project, ("uv.lock", lock)]);
        assert!(found.installs("uvicorn") && !found.has("uvicorn") && !found.installs("h11"), "{found:?}");
    }

    #[test]
    fn poetry_and_pipenv_name_their_packages_in_tables() {
        let poetry = "[tool.poetry]\nname='a'\n[tool.poetry.dependencies]\npython='^3.10'\nFlask='^3'\nuvicorn={version='*',extras=['standard']}\n";
        let found = packages(&[("pyproject.toml", poetry), ("poetry.lock", "")]);
        assert!(found.has("flask") && found.has("uvicorn[standard]") && !found.has("python"), "{found:?}");
        assert_eq!(found.install, Install::Poetry { locked: true, package: false });
        assert_eq!(found.requires[0].text, "^3.10");
        let lock = ("Pipfile.lock", r#"{"default":{"werkzeug":{}},"develop":{"pytest":{}}}"#);
        let found =
            packages(&[("Pipfile", "[packages]\nflask='*'\n[requires]\npython_version='3.12'\n"), lock]);
        assert!(found.has("flask") && found.installs("werkzeug") && !found.installs("pytest"));
        assert_eq!(
            (found.install, found.requires[0].text.as_str()),
            (Install::Pipenv { locked: true }, "3.12")
        );
    }
}
