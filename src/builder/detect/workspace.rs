//! Which files the build of a directory of a repository needs: the directory itself, and what its workspaces say that
//! it needs. Build settings play no part, so the answer for a commit is always the same.

use std::collections::BTreeSet;
use std::path::Path;

use super::names::{resolved, slashed};
use super::tree::Tree;
use super::{family, go, links, node, python, rust};
use crate::builder::log::printable;
use crate::builder::outcome::Failure;
use crate::builder::outermost::outermost;

/// Most directories that are followed, and most files and directories in all.
const MAX_DIRECTORIES: usize = 200;
const MAX_PATHS: usize = 1_000;
/// Files at the root of a source that builds of all of its directories read, besides those of package managers.
const VERSIONS: [&str; 10] = [
    ".config/mise.toml",
    ".java-version",
    ".mise.toml",
    ".mise/config.toml",
    ".ruby-version",
    ".sdkmanrc",
    "global.json",
    "mise/config.toml",
    "runtime.txt",
    "system.properties",
];
/// Prefixes and suffixes, in lower case, of files next to the files of a workspace that no build reads.
const APART: [&str; 10] = [
    ".editorconfig",
    ".gitlab-ci",
    "authors",
    "codeowners",
    "compose.",
    "docker-compose",
    "licence",
    "license",
    "notice",
    "renovate.json",
];
const APART_ENDS: [&str; 2] = [".md", ".rst"];

/// The files that the build of a directory needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Needed {
    /// These files and directories, relative to the root of the source, none below another one.
    Paths(BTreeSet<String>),
    /// All of the source, for this reason.
    Everything(String),
}

/// What the workspaces say.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Files and directories, relative to the root of the source.
    paths: BTreeSet<String>,
    /// Directories whose files are needed, and not what is below them.
    roots: BTreeSet<String>,
    /// Why all of the source is needed.
    everything: Option<String>,
}

impl Needs {
    /// A file or directory, from the root of the source on.
    pub(super) fn path(&mut self, path: impl Into<String>) {
        self.paths.insert(path.into());
    }

    /// Adds a path as written in a file of `directory`. A path that leaves the source is ignored.
    pub(super) fn beside(&mut self, directory: &str, path: &str) {
        self.paths.extend(resolved(directory, path));
    }

    /// The directory of a workspace: the files in it are for every member.
    pub(super) fn root(&mut self, directory: &str) {
        self.roots.insert(directory.trim_end_matches('/').to_owned());
    }

    /// Records that all of the source may be needed, and why.
    pub(super) fn everything(&mut self, because: impl Into<String>) {
        self.everything.get_or_insert(because.into());
    }
}

/// The files that the build of the directory `context` needs. Neither it nor `source` may contain links.
pub(in crate::builder) fn needed(source: &Path, context: &Path) -> Needed {
    let root = Tree::new(source);
    let path = context.strip_prefix(source).ok().and_then(Path::to_str).unwrap_or_default();
    if path.is_empty() {
        return Needed::Everything("the build context is the root of the repository".to_owned());
    }
    let found = follow(root, path).and_then(|needs| match needs.everything {
        Some(because) => Ok(Needed::Everything(printable(&because))),
        None => all(root, needs),
    });
    found.unwrap_or_else(|failure| Needed::Everything(printable(&failure.message)))
}

/// Follows directory after directory: workspaces say what each one needs.
fn follow(root: Tree<'_>, path: &str) -> Result<Needs, Failure> {
    let mut needs = Needs::default();
    let packages = node::Members::read(root)?;
    if let Some(language) = family::reaching_out(Tree::member(root.root(), path))? {
        needs.everything(format!(
            "the build cannot tell what a directory in {language} needs from outside of it"
        ));
    }
    needs.path(path);
    submodules(root, &mut needs)?;
    let (mut found, mut directories) = (BTreeSet::new(), 0);
    while let Some(next) = needs.paths.pop_first().filter(|_| needs.everything.is_none()) {
        // Only existing files can change, and they change at their real path.
        let Some(real) = links::real(root, &next).filter(|real| !found.contains(real)) else { continue };
        if real.is_empty() {
            needs.everything(format!("{path} needs the root of the repository"));
        } else if root.has_directory(&real) {
            directories += 1;
            let tree = Tree::member(root.root(), &real);
            packages.needs(tree, &mut needs)?;
            go::needs(tree, &mut needs)?;
            rust::needs(tree, &mut needs)?;
            python::needs(tree, &mut needs)?;
            for target in links::targets(root, &real)? {
                needs.path(target);
            }
        }
        if directories > MAX_DIRECTORIES {
            needs.everything(format!("{path} needs more than {MAX_DIRECTORIES} directories"));
        }
        found.insert(real);
    }
    Ok(Needs { paths: found, ..needs })
}

/// Adds the submodules of the source. They are empty at this point, so it is unknown which files need them.
fn submodules(root: Tree<'_>, needs: &mut Needs) -> Result<(), Failure> {
    let text = root.text(".gitmodules")?.unwrap_or_default();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        if key.trim() == "path" {
            needs.beside("", value.trim().trim_matches('"'));
        }
    }
    Ok(())
}

/// All needed paths, including the files of the roots.
fn all(root: Tree<'_>, needs: Needs) -> Result<Needed, Failure> {
    let mut paths = needs.paths;
    paths.extend(VERSIONS.iter().filter_map(|file| links::real(root, file)));
    for directory in needs.roots {
        let names = root.names(&directory)?.into_iter().filter(|name| !is_apart(name));
        let files = names.map(|name| format!("{}{name}", slashed(&directory))).filter(|path| root.has(path));
        paths.extend(files.filter_map(|path| links::real(root, &path)));
    }
    let paths: BTreeSet<String> = outermost(&paths).cloned().collect();
    if paths.len() > MAX_PATHS {
        return Ok(Needed::Everything(format!("it needs more than {MAX_PATHS} files and directories")));
    }
    Ok(Needed::Paths(paths))
}

fn is_apart(name: &str) -> bool {
    let name = name.to_lowercase();
    APART.iter().any(|start| name.starts_with(start)) || APART_ENDS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests;
