//! What a directory of a repository is made from: itself, and what the workspaces that it is a member of say that it needs.
//! No setting of a build has a part in it, so a commit has the same answer whatever is asked of its build.

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
/// Files at the root of a source that are read whichever of its directories is built, besides those of package managers.
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
/// Beginnings and ends of names, in lower case, of what lies beside the files of a workspace and no build reads.
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

/// What a directory of a source is made from.
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

    /// A path as it is written in a file of `directory`. One that leaves the source names nothing of it.
    pub(super) fn beside(&mut self, directory: &str, path: &str) {
        self.paths.extend(resolved(directory, path));
    }

    /// The directory of a workspace: the files in it are for every member.
    pub(super) fn root(&mut self, directory: &str) {
        self.roots.insert(directory.trim_end_matches('/').to_owned());
    }

    /// Nobody can say what is needed.
    pub(super) fn everything(&mut self, because: impl Into<String>) {
        self.everything.get_or_insert(because.into());
    }
}

/// What the directory `context` is made from; it and the root of the source are paths without links.
pub(in crate::builder) fn needed(source: &Path, context: &Path) -> Needed {
    let root = Tree::new(source);
    let path = context.strip_prefix(source).ok().and_then(Path::to_str).unwrap_or_default();
    if path.is_empty() {
        return Needed::Everything("the root of the repository is what is built".to_owned());
    }
    let found = follow(root, path).and_then(|needs| match needs.everything {
        Some(because) => Ok(Needed::Everything(printable(&because))),
        None => all(root, needs),
    });
    found.unwrap_or_else(|failure| Needed::Everything(printable(&failure.message)))
}

/// Goes from directory to directory and asks the workspaces what each one needs.
fn follow(root: Tree<'_>, path: &str) -> Result<Needs, Failure> {
    let mut needs = Needs::default();
    let packages = node::Members::read(root)?;
    if let Some(language) = family::reaching_out(Tree::member(root.root(), path))? {
        needs
            .everything(format!("what a directory in {language} needs from outside of it is not known here"));
    }
    needs.path(path);
    submodules(root, &mut needs)?;
    let (mut found, mut directories) = (BTreeSet::new(), 0);
    while let Some(next) = needs.paths.pop_first().filter(|_| needs.everything.is_none()) {
        // Only what is there can change, and it changes where it really is.
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

/// Where the submodules of the source are. They are empty while this is read, so nobody knows what needs them.
fn submodules(root: Tree<'_>, needs: &mut Needs) -> Result<(), Failure> {
    let text = root.text(".gitmodules")?.unwrap_or_default();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        if key.trim() == "path" {
            needs.beside("", value.trim().trim_matches('"'));
        }
    }
    Ok(())
}

/// All that is needed, the files of the roots among it.
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
