//! The working directory of a build. Everything in it belongs to one build; files of an earlier build are removed.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use super::{Failure, Keyring, Stage};
use crate::builder::certificates;

/// The paths of a build.
pub(super) struct Workspace {
    pub(super) directory: PathBuf,
    /// The files of the source.
    pub(super) tree: PathBuf,
    /// CA certificates that programs of the build trust, if there are more than the system's.
    pub(super) ca: Option<PathBuf>,
    /// CA certificates for build steps: the same, or the system's.
    pub(super) step_ca: Option<PathBuf>,
}

impl Workspace {
    /// Empties the directory and writes the certificates, `extra` (PEM, may be empty) after the system's.
    pub(super) fn prepare(directory: PathBuf, extra: &str) -> Result<Self, Failure> {
        let what = format!("the workspace {} could not be prepared", directory.display());
        let failed = |error: std::io::Error| Failure::workspace(Stage::Resolve, &what, &error);
        std::fs::create_dir_all(&directory).map_err(failed)?;
        for entry in std::fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // A mount point such as lost+found cannot be removed and does no harm; only our own names must be free.
            let removed = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                std::fs::remove_dir_all(entry.path())
            } else {
                std::fs::remove_file(entry.path())
            };
            if OWN.iter().any(|name| entry.file_name() == *name) {
                removed.map_err(failed)?;
            }
        }
        let tree = directory.join("tree");
        std::fs::create_dir(&tree).map_err(failed)?;
        let ca = certificates::write(&directory, extra).map_err(failed)?;
        let step_ca =
            ca.clone().or_else(|| Some(certificates::of_the_system()).filter(|bundle| bundle.is_file()));
        Ok(Self { directory, tree, ca, step_ca })
    }

    /// Directory of the configuration from which the client of `BuildKit` reads its logins.
    pub(super) fn logins(&self) -> PathBuf {
        self.directory.join("docker")
    }

    /// Directory of secrets that steps get as environment variables.
    pub(super) fn step_secrets(&self) -> PathBuf {
        self.directory.join("step-secrets")
    }

    /// Writes the logins for pushing images and pulling base images, readable only by this user.
    pub(super) fn write_logins(&self, keyring: &Keyring, repository: &str) -> Result<(), Failure> {
        let written = || {
            std::fs::DirBuilder::new().mode(0o700).create(self.logins())?;
            let mut file = std::fs::OpenOptions::new();
            let mut file =
                file.write(true).create_new(true).mode(0o600).open(self.logins().join("config.json"))?;
            file.write_all(keyring.file(repository).as_bytes())
        };
        written().map_err(|error| {
            Failure::workspace(Stage::Resolve, "the registry logins could not be written", &error)
        })
    }

    /// Writes a generated Dockerfile and its ignore file beside the source, never into it. The source's own ignore file
    /// no longer applies.
    pub(super) fn write_dockerfile(&self, text: &str, ignore: &str) -> Result<PathBuf, Failure> {
        let directory = self.directory.join("generated");
        let failed = |error| Failure::workspace(Stage::Build, "the Dockerfile could not be written", &error);
        std::fs::create_dir_all(&directory).map_err(failed)?;
        std::fs::write(directory.join("Dockerfile"), text).map_err(failed)?;
        // BuildKit prefers this file to a .dockerignore of the context.
        std::fs::write(directory.join("Dockerfile.dockerignore"), ignore).map_err(failed)?;
        Ok(directory)
    }
}

const OWN: [&str; 15] = [
    "docker",
    "large-files",
    "step-secrets",
    "tree",
    "tree.only",
    "source.tar.gz",
    "ssh",
    "objects.git",
    "submodules",
    "ca.pem",
    "generated",
    "buildkit",
    "metadata.json",
    "user",
    "user-result",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_an_earlier_build_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("tree/old")).unwrap();
        std::fs::write(dir.path().join("metadata.json"), "old").unwrap();
        let workspace = Workspace::prepare(dir.path().to_owned(), "").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(&workspace.tree).unwrap().count(), 0);
        assert_eq!(workspace.ca, None);
    }

    #[test]
    fn extra_certificates_are_appended_to_those_of_the_system() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::prepare(dir.path().join("new"), "EXTRA").unwrap();
        assert!(std::fs::read_to_string(workspace.ca.unwrap()).unwrap().ends_with("EXTRA\n"));
    }

    #[test]
    fn login_files_are_readable_only_by_this_user() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::prepare(dir.path().to_owned(), "").unwrap();
        let ring = Keyring::parse(r#"{"auths":{"r.example":{"username":"a","password":"b"}}}"#).unwrap();
        workspace.write_logins(&ring, "r.example/x").unwrap();
        let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(workspace.logins()), mode(workspace.logins().join("config.json"))), (0o700, 0o600));
    }

    #[test]
    fn the_ignore_list_is_written_next_to_the_dockerfile() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::prepare(dir.path().to_owned(), "").unwrap();
        std::fs::write(workspace.tree.join(".dockerignore"), "b").unwrap();
        let made = workspace.write_dockerfile("FROM x", "a").unwrap();
        assert_eq!(std::fs::read_to_string(made.join("Dockerfile.dockerignore")).unwrap(), "a");
        assert_eq!(std::fs::read_to_string(workspace.tree.join(".dockerignore")).unwrap(), "b");
    }
}
