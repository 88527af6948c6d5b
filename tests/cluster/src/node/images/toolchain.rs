//! Copies compilers of this machine into images: tests build programs in Go and Rust, and no image can be pulled.
//! It compiles nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use tar::EntryType;

use super::{
    layer::{self, Archive},
    recipe::{Language, Toolchain},
};
use crate::{Attempt, Error, error::run};

impl Toolchain {
    /// Its version on this machine, as it prints it.
    pub(super) fn has(&self) -> Result<String, Error> {
        match self.of {
            Language::Go => run(Command::new("go").arg("version"), "get the version of Go"),
            Language::Rust => run(Command::new("rustc").arg("--version"), "get the version of Rust"),
            Language::Python => self.pyenv(),
        }
    }

    fn directory(&self) -> Result<PathBuf, Error> {
        let told = match self.of {
            Language::Go => run(Command::new("go").args(["env", "GOROOT"]), "locate Go")?,
            Language::Rust => run(Command::new("rustc").args(["--print", "sysroot"]), "locate Rust")?,
            Language::Python => {
                let newest = self.pyenv()?;
                run(Command::new("pyenv").args(["prefix", newest.trim()]), "locate Python")?
            }
        };
        Ok(PathBuf::from(told.trim()))
    }

    fn pyenv(&self) -> Result<String, Error> {
        let attempt = format!("find a Python {} of pyenv on this machine", self.version);
        run(Command::new("pyenv").args(["latest", &self.version]), &attempt)
    }
}

/// Adds the parts of the compiler that the recipe names.
pub(super) fn add(archive: &mut Archive<'_>, toolchain: &Toolchain) -> Result<(), Error> {
    let directory = toolchain.directory()?;
    toolchain.parts.iter().try_for_each(|part| {
        tree(archive, toolchain, &directory.join(part), &format!("{}/{part}", toolchain.to))
    })
}

fn tree(archive: &mut Archive<'_>, toolchain: &Toolchain, from: &Path, to: &str) -> Result<(), Error> {
    let attempt = || format!("add {} to a layer", from.display());
    let metadata = from.symlink_metadata().attempt(attempt)?;
    if metadata.is_symlink() {
        let target = fs::read_link(from).attempt(attempt)?;
        return layer::link(archive, to, &target.to_string_lossy());
    }
    if metadata.is_dir() {
        layer::entry(archive, to, EntryType::Directory, 0o755, 0, &[])?;
        let parts = fs::read_dir(from).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut names: Vec<_> = parts.attempt(attempt)?.into_iter().map(|part| part.file_name()).collect();
        names.sort();
        names.retain(|name| !toolchain.leave_out.iter().any(|out| name == out.as_str()));
        return names.into_iter().try_for_each(|name| {
            tree(archive, toolchain, &from.join(&name), &format!("{to}/{}", name.to_string_lossy()))
        });
    }
    let mode = if is_program(&metadata) { 0o755 } else { 0o644 };
    layer::regular(archive, to, mode, 0, &fs::read(from).attempt(attempt)?)
}

fn is_program(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}
