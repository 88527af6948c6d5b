//! The directories and files of one cluster.
//! It only creates directories. The modules that write the files know their content.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{Attempt, Error};

/// The directories of one cluster, and the cache that all clusters of this user share.
#[derive(Clone, Debug)]
pub struct Paths {
    dir: PathBuf,
    cache: PathBuf,
}

impl Paths {
    /// A cluster in `dir`; tools and images come from `cache`. This creates nothing.
    #[must_use]
    pub fn new(dir: PathBuf, cache: PathBuf) -> Self {
        Self { dir, cache }
    }

    /// The directory of this cluster.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The directory for what outlives clusters: built tools and images.
    #[must_use]
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Output of the components, one file each. `down` keeps it until the next `up`.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// The log of one component.
    #[must_use]
    pub fn log(&self, component: &str) -> PathBuf {
        self.logs().join(format!("{component}.log"))
    }

    /// The API server's record of every request, one JSON document a line.
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        self.logs().join("audit.log")
    }

    /// Data, sockets and configuration of the running cluster. `down` removes all of it.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.dir.join("run")
    }

    /// The runtime directory of one component, created if it does not exist.
    pub fn component(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.runtime().join(name);
        fs::create_dir_all(&path).attempt(|| format!("create the directory {}", path.display()))?;
        Ok(path)
    }

    /// The record of started processes. A later launcher that finds it ends them.
    #[must_use]
    pub fn processes(&self) -> PathBuf {
        self.dir.join("processes.json")
    }

    /// The record of the cluster's state.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.dir.join("state.json")
    }

    /// The lock file that a launcher holds while it changes this cluster.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }
}

/// The cache directory: `DOCE_CACHE`, or `doce-operator` in the user's cache directory.
pub fn cache_dir() -> Result<PathBuf, Error> {
    cache_from(|name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
}

fn cache_from(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, Error> {
    variable("DOCE_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("doce-operator")))
        .or_else(|| variable("HOME").map(|dir| dir.join(".cache/doce-operator")))
        .ok_or_else(|| Error::failed("find the cache directory", "set DOCE_CACHE or HOME"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_variable_sets_the_cache_directory() {
        let with = |set: &'static [(&str, &str)]| {
            cache_from(move |name| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value))
            })
        };
        let all = [("DOCE_CACHE", "/c"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
        let all: &'static [_] = Box::leak(Box::new(all));
        assert_eq!(with(all).unwrap(), PathBuf::from("/c"));
        assert_eq!(with(&all[1..]).unwrap(), PathBuf::from("/x/doce-operator"));
        assert_eq!(with(&all[2..]).unwrap(), PathBuf::from("/h/.cache/doce-operator"));
        assert!(with(&[]).is_err());
    }
}
