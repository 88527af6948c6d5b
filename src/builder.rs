//! The programs of build pods and builder pods. The build pod of a Job does: resolve, ask, fetch, verify, detect, build, report.
//!
//! Nothing here talks to the Kubernetes API or knows the resource. It takes an
//! [`Order`](crate::protocol::order::Order) and ends with a [`Report`](crate::protocol::report::Report).
//!
//! ```text
//! run       the stages on one screen, deadline and cancellation
//! ├── address, source        whether a build may use a source
//! ├── git, http, oci         fetch a source
//! ├── lfs                    files of which a repository holds only pointers
//! ├── step_secrets           the secrets that build steps may read
//! ├── credentials            logins, and how they stay out of logs and arguments
//! ├── unpack                 unpacks an archive
//! ├── registry               what registries know: tags, digests, users, ports
//! ├── detect, dockerfile     choose how to build; explain prints it without building
//! ├── buildkit               the daemon, its solves, what their failures mean
//! ├── tunnel, builder_pod    the connection to the builder pod, and the program in it
//! ├── log, outcome           what people and the operator read
//! ├── oom_kills, disk        what the pod ran out of
//! └── cleanup                deletes an image that no record names any more
//! ```
use std::path::{Path, PathBuf};

mod address;
mod builder_pod;
mod buildkit;
mod certificates;
mod cleanup;
mod credentials;
mod detect;
mod disk;
mod dockerfile;
mod git;
mod http;
mod lfs;
mod log;
mod oci;
mod oom_kills;
mod outcome;
mod outermost;
mod program;
mod registry;
mod run;
mod source;
mod step_secrets;
mod termination;
mod tunnel;
mod unpack;

pub mod explain;

/// Runs the build of the order in the environment and writes the report to the termination log.
///
/// Reads `DOCE_ORDER`, `DOCE_CA_BUNDLE`, `DOCE_WORKSPACE` and `DOCE_TERMINATION_LOG`. Expects a rustls provider to be
/// installed for the process.
pub async fn run() -> std::process::ExitCode {
    run::run().await
}

/// Runs BuildKit for one build pod, until that pod has finished with it.
///
/// Reads `DOCE_BUILDER`, `DOCE_BUILDER_KEY`, `DOCE_CA_BUNDLE` and `DOCE_WORKSPACE`.
pub async fn serve() -> std::process::ExitCode {
    builder_pod::run().await
}

/// Deletes the image of the cleanup order in the environment from its registry.
///
/// Reads `DOCE_CLEANUP` and `DOCE_CA_BUNDLE`. A rejection by the registry is logged and counts as success. Expects a
/// rustls provider to be installed for the process.
pub async fn clean_up() -> std::process::ExitCode {
    cleanup::run().await
}

/// The directory that a pod works in.
fn working_directory() -> PathBuf {
    std::env::var_os("DOCE_WORKSPACE").map_or_else(|| PathBuf::from("/workspace"), PathBuf::from)
}

/// Why the running binary could not be copied.
#[derive(Debug, thiserror::Error)]
#[error("cannot copy this program to {target}: {source}; mount a writable volume there")]
pub struct InstallError {
    target: String,
    source: std::io::Error,
}

/// Copies the running program to `target`, executable by everyone. The image has no shell that could copy it.
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
    fn install_copies_the_program_and_makes_it_executable() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("doce-operator");
        super::install(&target).unwrap();
        let own = std::env::current_exe().unwrap();
        assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(std::fs::metadata(&target).unwrap().len(), std::fs::metadata(own).unwrap().len());
        assert!(super::install(std::path::Path::new("/nowhere/doce-operator")).is_err());
    }
}
