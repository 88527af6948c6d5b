//! The recorded state of a cluster, from the beginning of `up` to the end of `down`.
//! The supervisor records the processes.

use std::{collections::BTreeMap, fs, io};

use serde::{Deserialize, Serialize};

use crate::{Attempt, Error, Mode, Paths};

/// A cluster that exists, completely or partly.
#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    /// What kind of cluster it is.
    pub mode: Mode,
    /// `up` has finished. If not, the cluster is incomplete and must be removed.
    pub up: bool,
    /// Environment variables for commands that use the cluster, without `PATH`.
    pub environment: BTreeMap<String, String>,
    /// Directories of programs, which come first in `PATH`.
    pub programs: Vec<String>,
}

impl State {
    /// A cluster that has not started anything yet.
    #[must_use]
    pub fn beginning(mode: Mode) -> Self {
        Self { mode, up: false, environment: BTreeMap::new(), programs: Vec::new() }
    }

    /// Reads the state; `None` if there is no cluster.
    pub fn read(paths: &Paths) -> Result<Option<Self>, Error> {
        let path = paths.state();
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.attempt(|| format!("read {}", path.display()))?,
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| Error::failed(format!("parse {}", path.display()), error))
    }

    /// Writes the state.
    pub fn write(&self, paths: &Paths) -> Result<(), Error> {
        let path = paths.state();
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::failed(format!("write {}", path.display()), error))?;
        fs::write(&path, text).attempt(|| format!("write {}", path.display()))
    }

    /// Removes the state: there is no cluster any more.
    pub fn forget(paths: &Paths) -> Result<(), Error> {
        match fs::remove_file(paths.state()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).attempt(|| format!("remove {}", paths.state().display()))
            }
            _ => Ok(()),
        }
    }

    /// The environment variables of a command, with `PATH`: the cluster's programs, then `path`.
    #[must_use]
    pub fn variables(&self, path: &str) -> BTreeMap<String, String> {
        let mut all = self.environment.clone();
        let mut programs = self.programs.clone();
        programs.extend((!path.is_empty()).then(|| path.to_owned()));
        all.insert("PATH".to_owned(), programs.join(":"));
        all
    }
}

/// `value`, quoted as one shell word.
#[must_use]
pub fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:,@%+=".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_the_cluster_come_first_in_path() {
        let state = State {
            mode: Mode::Node,
            up: true,
            environment: BTreeMap::from([("KUBECONFIG".to_owned(), "/k".to_owned())]),
            programs: vec!["/a".to_owned(), "/b".to_owned()],
        };
        assert_eq!(state.variables("/usr/bin")["PATH"], "/a:/b:/usr/bin");
        assert_eq!(state.variables("")["PATH"], "/a:/b");
        assert_eq!(state.variables("")["KUBECONFIG"], "/k");
    }

    #[test]
    fn quoted_values_survive_a_shell() {
        assert_eq!(quoted("/a/b:c"), "/a/b:c");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
