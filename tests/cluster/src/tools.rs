//! The programs of the cluster, built from pinned source into the cache, once.
//! It starts none of them; a program that is not pinned under `tools/` cannot be had here.

mod build;
mod pinned;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use crate::{Error, Mode};
use pinned::Pinned;

/// Where each program of the cluster is.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    programs: BTreeMap<String, PathBuf>,
    dirs: Vec<PathBuf>,
}

impl Tools {
    /// Builds what `mode` (or, without one, any mode) needs and the cache does not have.
    pub fn ensure(cache: &Path, mode: Option<Mode>, interrupted: &AtomicBool) -> Result<Self, Error> {
        let cache = cache.join("tools");
        let mut found = Self { programs: BTreeMap::new(), dirs: Vec::new() };
        for tool in pinned::ALL.iter().filter(|tool| mode.is_none_or(|mode| tool.modes.contains(&mode))) {
            let bin = tool.dir(&cache).join("bin");
            if !bin.is_dir() {
                build::into_cache(tool, &cache, interrupted)?;
            }
            found.add(tool, bin);
        }
        Ok(found)
    }

    fn add(&mut self, tool: &Pinned, bin: PathBuf) {
        self.programs.extend(tool.programs().map(|name| (name.to_owned(), bin.join(name))));
        self.dirs.push(bin);
    }

    /// The path of a program.
    pub fn path(&self, program: &str) -> Result<&Path, Error> {
        self.programs.get(program).map(PathBuf::as_path).ok_or_else(|| {
            Error::failed(format!("find {program}"), "no tool of this mode has a program of that name")
        })
    }

    /// The directories they are in, for `PATH`.
    #[must_use]
    pub fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    /// Every program with its path.
    pub fn programs(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.programs.iter().map(|(name, path)| (name.as_str(), path.as_path()))
    }
}
