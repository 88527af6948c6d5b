//! Makes Debian root file systems with mmdebstrap and stores them as layers.
//! It adds nothing to the files of the packages.

use std::{
    io::{self, Read},
    process::{Command, Stdio},
    time::Instant,
};

use sha2::{Digest, Sha256};

use super::store::{Layer, Store, hex};
use crate::{Attempt, Error, error::last_lines, progress};

/// Debian testing. Its package lists expire after a few days, and some mirrors lag behind longer than that.
const TESTING: &str = "forky";
/// Files that containers do not need.
const LEFT_OUT: [&str; 4] =
    ["/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*"];

/// Returns the layer with the essential packages of a release, apt and `packages`; makes it if the cache lacks it.
pub(super) fn ensure(release: &str, packages: &[String], store: &Store) -> Result<Layer, Error> {
    let command = command(release, packages);
    let key = format!("root-{}", &hex(Sha256::digest(format!("{command:?}")).as_slice())[..16]);
    if let Some(layer) = store.noted::<Layer>(&key).filter(|layer| store.has(&layer.descriptor)) {
        return Ok(layer);
    }
    let layer = make(command, packages, store)?;
    store.note(&key, &layer)?;
    Ok(layer)
}

/// The content of one file of a root file system.
pub(super) fn read(layer: &Layer, path: &str, store: &Store) -> Result<Vec<u8>, Error> {
    let attempt = || format!("read {path} of a root file system");
    let mut archive = tar::Archive::new(store.open_layer(layer)?);
    for entry in archive.entries().attempt(attempt)? {
        let mut entry = entry.attempt(attempt)?;
        let found = entry
            .path()
            .is_ok_and(|name| name.strip_prefix(".").unwrap_or(&name) == path.trim_start_matches('/'));
        if found {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).attempt(attempt)?;
            return Ok(content);
        }
    }
    Err(Error::failed(attempt(), "no package contains it"))
}

fn command(release: &str, packages: &[String]) -> Command {
    let mut command = Command::new("mmdebstrap");
    command.args(["--variant=apt", "--mode=root", "--format=tar"]);
    command.args(LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}")));
    if !packages.is_empty() {
        command.arg(format!("--include={}", packages.join(",")));
    }
    if release == TESTING {
        command.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
    }
    if packages.iter().any(|package| package.starts_with("openjdk-")) {
        // The install script of Java links manual pages and fails if this directory is missing.
        command.arg("--essential-hook=mkdir --parents \"$1/usr/share/man/man1\"");
    }
    command.args([release, "-"]);
    command
}

fn make(mut command: Command, packages: &[String], store: &Store) -> Result<Layer, Error> {
    let began = Instant::now();
    progress::say(format_args!("making a Debian root file system with {}", packages.join(" ")));
    let attempt = || format!("make a Debian root file system with {}", packages.join(", "));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .attempt(attempt)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Read in parallel with the archive. Otherwise mmdebstrap would block once this pipe is full.
    let words = std::thread::spawn(move || {
        let mut words = String::new();
        let _partial = stderr.map(|mut stderr| stderr.read_to_string(&mut words));
        words
    });
    let layer = store.layer(|out| match stdout {
        Some(mut stdout) => io::copy(&mut stdout, out).map(drop).attempt(attempt),
        None => Ok(()),
    })?;
    let status = child.wait().attempt(attempt)?;
    let words = words.join().unwrap_or_default();
    if !status.success() {
        return Err(Error::Command {
            attempt: attempt(),
            program: "mmdebstrap".to_owned(),
            status: status.to_string(),
            output: last_lines(&words, 20),
        });
    }
    progress::say(format_args!("  took {}", progress::seconds(began)));
    Ok(layer)
}
