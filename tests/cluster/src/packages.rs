//! The Debian packages of a node, and those that tests with a control plane need.
//! It installs missing packages from the archives that the machine is configured for. It removes nothing.

use std::{collections::BTreeSet, fs::File, path::Path, process::Command};

use crate::{Attempt, Error, Mode, error::run, progress, versions::Versions};

/// The package of the OpenSSH server. Tests need only its program, not the service.
const SSHD: &str = "openssh-server";
/// If this file exists, Debian does not start the service.
const NO_SSHD: &str = "/etc/ssh/sshd_not_to_be_run";

/// Installs the pinned packages that are missing.
pub(crate) fn install(mode: Mode) -> Result<(), Error> {
    let pinned = Versions::pinned()?.debian;
    let of_mode = if mode == Mode::Node { pinned.node } else { vec![] };
    let wanted = [pinned.control_plane, of_mode].concat();
    let missing = missing(&wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    progress::say(format_args!("installing Debian packages: {}", missing.join(" ")));
    if missing.contains(&SSHD) {
        forbid_sshd()?;
    }
    run(apt_get().arg("update"), "update the lists of Debian packages")?;
    let attempt = format!("install {} (as root, on Debian 12)", missing.join(", "));
    run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(&missing), &attempt)?;
    Ok(())
}

/// Keeps the package from starting a service: a cluster must not open the machine for logins.
fn forbid_sshd() -> Result<(), Error> {
    let attempt = || format!("create {NO_SSHD}, so that {SSHD} starts no service");
    let file = Path::new(NO_SSHD);
    file.parent().map_or(Ok(()), std::fs::create_dir_all).attempt(attempt)?;
    File::create(file).map(drop).attempt(attempt)
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
    command
}

fn missing(wanted: &[String]) -> Result<Vec<&str>, Error> {
    // Its exit status is not checked: it is 1 when a package is unknown, and the output is valid even then.
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(wanted)
        .output()
        .attempt(|| {
            "ask dpkg-query which packages are installed (tests and nodes need Debian 12)".to_owned()
        })?;
    let installed = installed(&String::from_utf8_lossy(&output.stdout));
    Ok(wanted.iter().map(String::as_str).filter(|name| !installed.contains(*name)).collect())
}

fn installed(answer: &str) -> BTreeSet<String> {
    answer.lines().filter_map(|line| line.strip_suffix(" installed")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_packages_do_not_count() {
        let answer = "git installed\nrunc config-files\ncontainerd not-installed\n";
        assert_eq!(installed(answer), BTreeSet::from(["git".to_owned()]));
    }
}
