//! The programs of the cluster, built once from pinned sources into the cache.
//! It has only programs that are pinned under `tools/`, and starts none of them.

mod build;
mod pinned;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use crate::{Error, Mode};
use pinned::Pinned;

/// The paths of the cluster's programs.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    programs: BTreeMap<String, PathBuf>,
    dirs: Vec<PathBuf>,
}

impl Tools {
    /// Builds the tools that `mode` needs and the cache lacks; without a mode, the tools of all modes.
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
        self.programs
            .get(program)
            .map(PathBuf::as_path)
            .ok_or_else(|| Error::failed(format!("find {program}"), "no tool of this mode has this program"))
    }

    /// The directories of the programs, for `PATH`.
    #[must_use]
    pub fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    /// Every program with its path.
    pub fn programs(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.programs.iter().map(|(name, path)| (name.as_str(), path.as_path()))
    }
}
