//! Which packages a Python program asks for, and by which tool they are installed.

use super::super::findings::Findings;
use std::collections::BTreeSet;

use serde::Deserialize;

use super::super::no_builder;
use super::super::tree::Tree;
use crate::build::dockerfile::python::Install;
use crate::build::outcome::Failure;

/// Most files of requirements that refer to one another.
const MAX_FILES: usize = 16;

/// What is asked for.
#[derive(Debug)]
pub(super) struct Packages {
    pub(super) install: Install,
    /// Installing needs more than the files that list packages.
    pub(super) whole_source: bool,
    /// `requires-python` of pyproject.toml.
    pub(super) requires: Option<String>,
    /// Names in their normal form, with `[standard]` where it is asked for.
    names: BTreeSet<String>,
    /// The file to add a package to.
    file: &'static str,
}

impl Packages {
    /// Whether a package is asked for by name; what comes with others is not known.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// A package without which a framework cannot be served.
    pub(super) fn demand(&self, name: &str, framework: &str) -> Result<(), Failure> {
        if self.has(name) {
            return Ok(());
        }
        Err(no_builder(format!(
            "{name} serves {framework} and is not in {}; add a line for it (its own development server is not for \
             production)",
            self.file
        )))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pyproject {
    project: Option<Project>,
    #[serde(rename = "build-system")]
    build_system: Option<toml::Value>,
    tool: Tool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Project {
    dependencies: Vec<String>,
    #[serde(rename = "requires-python")]
    requires: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tool {
    uv: Option<Uv>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Uv {
    package: Option<bool>,
    sources: Option<toml::Value>,
    workspace: Option<toml::Value>,
}

/// uv.lock, else requirements.txt, else pyproject.toml.
pub(super) fn read(tree: Tree<'_>, findings: &mut Findings) -> Result<Packages, Failure> {
    let pyproject: Option<Pyproject> = tree.toml("pyproject.toml")?;
    let project = pyproject.as_ref().and_then(|file| file.project.as_ref());
    let requires = project.and_then(|project| project.requires.clone());
    let locked = tree.has("uv.lock");
    if tree.has("requirements.txt") && !locked {
        let (names, whole_source) = requirements(tree)?;
        let install = Install::Requirements;
        return Ok(Packages { install, whole_source, requires, names, file: "requirements.txt" });
    }
    let Some((file, project)) = pyproject.as_ref().zip(project) else {
        return without_project(tree, requires);
    };
    if !locked {
        findings.assume(
            "uv.lock is missing: other versions may be taken every time; run uv lock and commit it"
                .to_owned(),
        );
    }
    let uv = file.tool.uv.as_ref();
    let package = uv.and_then(|uv| uv.package).unwrap_or(file.build_system.is_some());
    Ok(Packages {
        install: Install::Uv { locked, package },
        // Packages of the source itself, by path or as members.
        whole_source: uv.is_some_and(|uv| uv.sources.is_some() || uv.workspace.is_some()),
        requires,
        names: project.dependencies.iter().flat_map(|line| names(line)).collect(),
        file: "pyproject.toml",
    })
}

fn without_project(tree: Tree<'_>, requires: Option<String>) -> Result<Packages, Failure> {
    if let Some(file) = tree.first(&["uv.lock", "poetry.lock", "Pipfile"]) {
        let way = match file {
            "uv.lock" => "commit pyproject.toml with its [project] table beside it",
            "poetry.lock" => "run poetry export --output requirements.txt and commit that",
            _ => "run pipenv requirements > requirements.txt and commit that",
        };
        return Err(no_builder(format!("{file} alone cannot be installed from here; {way}")));
    }
    Ok(Packages {
        install: Install::Nothing,
        whole_source: false,
        requires,
        names: BTreeSet::new(),
        file: "requirements.txt",
    })
}

/// The packages of requirements.txt and of the files that it refers to, and whether it needs other files.
fn requirements(tree: Tree<'_>) -> Result<(BTreeSet<String>, bool), Failure> {
    let (mut found, mut whole_source) = (BTreeSet::new(), false);
    let (mut open, mut seen) = (vec!["requirements.txt".to_owned()], BTreeSet::new());
    while let Some(file) = open.pop() {
        if seen.len() == MAX_FILES || !seen.insert(file.clone()) {
            continue;
        }
        let text = tree.text(&file)?.unwrap_or_default();
        let directory = file.rsplit_once('/').map_or(String::new(), |(parent, _)| format!("{parent}/"));
        for line in text.lines().map(str::trim) {
            let other = ["-r", "--requirement", "-c", "--constraint", "-e", "--editable"]
                .iter()
                .find_map(|option| line.strip_prefix(option))
                .filter(|rest| rest.starts_with([' ', '=', '.']));
            if let Some(other) = other {
                whole_source = true;
                open.push(format!("{directory}{}", other.trim_start_matches(['=', ' '])));
            } else if line.starts_with(['.', '/']) || line.contains("file:") {
                whole_source = true;
            } else {
                found.extend(names(line));
            }
        }
    }
    Ok((found, whole_source))
}

/// The normal form of the name that a requirement begins with, and once more with `[standard]`.
fn names(line: &str) -> Vec<String> {
    let end =
        line.find(|char: char| !char.is_ascii_alphanumeric() && !"._-".contains(char)).unwrap_or(line.len());
    let name = line[..end].to_ascii_lowercase().replace(['_', '.'], "-");
    if name.is_empty() || name.starts_with('-') {
        return vec![];
    }
    let extras = line[end..].trim_start().strip_prefix('[').and_then(|rest| rest.split(']').next());
    let standard = extras.is_some_and(|extras| extras.split(',').any(|extra| extra.trim() == "standard"));
    let mut found = vec![name.clone()];
    found.extend(standard.then(|| format!("{name}[standard]")));
    found
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_requirement_begins_with_its_name() {
        assert_eq!(names("Flask_SQLAlchemy>=3 ; python_version > '3'"), ["flask-sqlalchemy"]);
        assert_eq!(names("fastapi [all, standard]==1"), ["fastapi", "fastapi[standard]"]);
        assert!(["", "# flask", "--index-url x", "\u{e9}"].iter().all(|line| names(line).is_empty()));
    }
}
