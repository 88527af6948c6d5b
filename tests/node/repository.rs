//! A Git repository that the cluster reaches over smart HTTP.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A bare repository behind HTTP and a work tree to commit from.
pub struct Repository {
    /// URL for build pods.
    pub url: String,
    tree: TempDir,
    bare: PathBuf,
}

impl Repository {
    /// Creates an empty repository with this name.
    pub fn new(name: &str) -> Self {
        let root = PathBuf::from(variable("DOCE_GIT_ROOT"));
        let bare = root.join(format!("{name}.git"));
        git(&root, &["init", "--quiet", "--bare", "--initial-branch=main", &bare.display().to_string()]);
        let tree = tempfile::tempdir().unwrap();
        git(tree.path(), &["init", "--quiet", "--initial-branch=main"]);
        Self { url: format!("{}/{name}.git", variable("DOCE_GIT_URL")), tree, bare }
    }

    /// The same, but it requires this user and password.
    pub fn private(name: &str, user: &str, password: &str) -> Self {
        let repository = Self::new(name);
        std::fs::write(repository.bare.join("credentials"), format!("{user}:{password}")).unwrap();
        repository
    }

    /// Writes the files, commits and pushes. Returns the commit.
    pub fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let path = self.tree.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        git(self.tree.path(), &["add", "--all", "--force"]);
        git(self.tree.path(), &["commit", "--quiet", "--message", message]);
        git(self.tree.path(), &["push", "--quiet", &self.bare.display().to_string(), "main"]);
        git(self.tree.path(), &["rev-parse", "HEAD"])
    }

    /// Commits a whole directory unchanged.
    pub fn commit_directory(&self, message: &str, directory: &Path) -> String {
        let from = directory.join(".");
        let copied = Command::new("cp").arg("--recursive").arg(from).arg(self.tree.path()).status().unwrap();
        assert!(copied.success(), "{} cannot be copied", directory.display());
        self.commit(message, &[])
    }

    /// Gives the next commit a submodule at `path`: this commit of the repository at `url`.
    pub fn submodule(&self, path: &str, url: &str, commit: &str) {
        // As in a clone without submodules, the directory exists and is empty.
        std::fs::create_dir(self.tree.path().join(path)).unwrap();
        let declaration = format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n");
        std::fs::write(self.tree.path().join(".gitmodules"), declaration).unwrap();
        let link = format!("160000,{commit},{path}");
        git(self.tree.path(), &["update-index", "--add", "--cacheinfo", &link]);
    }

    /// Output of `git log` for the last commit in this format.
    pub fn log(&self, format: &str) -> String {
        git(&self.bare, &["log", "--max-count=1", &format!("--format={format}"), "main"])
    }

    /// Its path on this machine.
    pub fn path(&self) -> &Path {
        &self.bare
    }
}

/// An environment variable of the launcher.
pub fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: start these tests with `doce-cluster with node --`"))
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(directory).args(arguments);
    for (role, name, mail) in [("AUTHOR", "Ann", "ann@example.org"), ("COMMITTER", "Ben", "ben@example.org")]
    {
        command.env(format!("GIT_{role}_NAME"), name).env(format!("GIT_{role}_EMAIL"), mail);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
