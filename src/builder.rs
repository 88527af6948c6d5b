//! The build, as it happens inside the pod of a build Job: resolve, ask, fetch, verify, detect, build, report.
//!
//! Nothing here talks to the Kubernetes API or knows the resource: it takes an
//! [`Order`](crate::protocol::order::Order) and ends with a [`Report`](crate::protocol::report::Report).
//!
//! ```text
//! run       the stages on one screen, deadline and cancellation
//! ├── address, source        whether a source may be touched
//! ├── git, http, oci         where it comes from
//! ├── lfs                    what only pointers of it are in a repository
//! ├── step_secrets           what the steps of a build may ask for
//! ├── credentials            what opens the door, and who never gets to see it
//! ├── unpack                 an archive becomes files
//! ├── registry               what the registries know: tags, digests, users, ports
//! ├── detect, dockerfile     which way leads to an image; explain says it without building
//! ├── buildkit               the daemon, its solves, what their failures mean
//! ├── log, outcome           what a person and the operator get to read
//! ├── memory, disk           what the pod ran out of
//! └── cleanup                the other way round: an image that nobody names any more is deleted
//! ```
use std::path::Path;

mod address;
mod buildkit;
mod cleanup;
mod credentials;
mod detect;
mod disk;
mod dockerfile;
mod git;
mod http;
mod lfs;
mod log;
mod memory;
mod oci;
mod outcome;
mod outermost;
mod program;
mod registry;
mod run;
mod source;
mod step_secrets;
mod unpack;

pub mod explain;

/// The whole build of the order in the environment; the report goes to the termination log.
///
/// Reads `DOCE_ORDER`, `DOCE_CA_BUNDLE`, `DOCE_WORKSPACE` and `DOCE_TERMINATION_LOG`. Expects a rustls provider to be
/// installed for the process.
pub async fn run() -> std::process::ExitCode {
    run::run().await
}

/// Deletes the image of the cleanup order in the environment from its registry.
///
/// Reads `DOCE_CLEANUP` and `DOCE_CA_BUNDLE`. What the registry refuses is told in the log and is a success. Expects a
/// rustls provider to be installed for the process.
pub async fn clean_up() -> std::process::ExitCode {
    cleanup::run().await
}

/// Why the running binary could not be copied.
#[derive(Debug, thiserror::Error)]
#[error("copying this program to {target}: {source}; mount a writable volume there")]
pub struct InstallError {
    target: String,
    source: std::io::Error,
}

/// Copies the running program to `target`, executable by everyone: an image without a shell hands it on this way.
pub fn install(target: &Path) -> Result<(), InstallError> {
    use std::os::unix::fs::PermissionsExt as _;

    let partial = target.with_extension("partial");
    std::fs::copy("/proc/self/exe", &partial)
        .and_then(|_| std::fs::set_permissions(&partial, std::fs::Permissions::from_mode(0o755)))
        .and_then(|()| std::fs::rename(&partial, target))
        .map_err(|source| InstallError { target: target.display().to_string(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_installed_program_is_executable_and_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("doce-operator");
        super::install(&target).unwrap();
        let own = std::env::current_exe().unwrap();
        assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(std::fs::metadata(&target).unwrap().len(), std::fs::metadata(own).unwrap().len());
        assert!(super::install(std::path::Path::new("/nowhere/doce-operator")).is_err());
    }
}
