//! The Git repository of the demo: a bare one that the cluster fetches from, and a work tree to commit in.
//! It never changes an existing repository, so commits of the user stay.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{PROJECT, project_file};
use crate::{Attempt, Error, error::run, progress::say};

/// The work tree, in the directory with the files of the demo.
pub(super) fn work_tree(files: &Path) -> PathBuf {
    files.join(PROJECT)
}

/// Creates the repository in `root` if it does not exist; returns its URL below `url`.
pub(super) fn ensure(root: &Path, files: &Path, url: &str) -> Result<String, Error> {
    let (bare, tree) = (root.join(format!("{PROJECT}.git")), work_tree(files));
    let url = format!("{url}/{PROJECT}.git");
    if bare.is_dir() && tree.join(".git").is_dir() {
        return Ok(url);
    }
    say(format_args!("creating the repository {url}, with a work tree in {}", tree.display()));
    for leftover in [&bare, &tree] {
        if leftover.is_dir() {
            fs::remove_dir_all(leftover).attempt(|| format!("remove {}", leftover.display()))?;
        }
    }
    copy(&project_file("manifests/samples/repositories").join(PROJECT), &tree)?;
    git(&tree, &["init", "--quiet", "--initial-branch=main"])?;
    git(&tree, &["config", "user.name", "Demo"])?;
    git(&tree, &["config", "user.email", "demo@example.com"])?;
    git(&tree, &["add", "--all"])?;
    git(&tree, &["commit", "--quiet", "--message=Say version one"])?;
    // Cloned under another name and renamed into place, so that an existing repository is complete.
    let partial = root.join(format!("{PROJECT}.git.partial"));
    let (from, to) = (tree.display().to_string(), partial.display().to_string());
    git(&tree, &["clone", "--quiet", "--bare", &from, &to])?;
    fs::rename(&partial, &bare).attempt(|| format!("move {to} to {}", bare.display()))?;
    git(&tree, &["remote", "add", "origin", &bare.display().to_string()])?;
    git(&tree, &["push", "--quiet", "--set-upstream", "origin", "main"])?;
    Ok(url)
}

fn git(tree: &Path, arguments: &[&str]) -> Result<String, Error> {
    let mut command = Command::new("git");
    command.arg("-C").arg(tree).args(arguments);
    // With fixed dates, the first commit and so the first version are the same on every machine.
    for (name, value) in
        [("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z"), ("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")]
    {
        command.env(name, value);
    }
    // Hooks, signing and templates of the user must not apply here.
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    run(&mut command, &format!("create the repository of the demo (git {})", arguments[0]))
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).attempt(|| format!("create {}", to.display()))?;
    for entry in fs::read_dir(from).attempt(|| format!("list {}", from.display()))? {
        let entry = entry.attempt(|| format!("list {}", from.display()))?.path();
        let target = to.join(entry.file_name().unwrap_or_default());
        if entry.is_dir() {
            copy(&entry, &target)?;
        } else {
            fs::copy(&entry, &target).attempt(|| format!("copy {}", entry.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_reproducible_and_keeps_commits() {
        let head = || {
            let dir = tempfile::tempdir().unwrap();
            let (root, files) = (dir.path().join("git"), dir.path().join("demo"));
            fs::create_dir_all(&root).unwrap();
            assert_eq!(ensure(&root, &files, "http://h").unwrap(), "http://h/hello.git");
            let tree = work_tree(&files);
            let first = git(&tree, &["rev-parse", "origin/main"]).unwrap();
            git(&tree, &["commit", "--quiet", "--allow-empty", "--message=Mine"]).unwrap();
            let mine = git(&tree, &["rev-parse", "HEAD"]).unwrap();
            git(&tree, &["push", "--quiet"]).unwrap();
            ensure(&root, &files, "http://h").unwrap();
            assert_eq!(git(&tree, &["rev-parse", "HEAD"]).unwrap(), mine);
            assert_eq!(git(&root.join("hello.git"), &["rev-parse", "main"]).unwrap(), mine);
            first
        };
        assert_eq!(head(), head());
    }
}
