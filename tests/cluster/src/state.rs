//! What is known of a cluster from the first moment of `up` to the last of `down`.
//! It holds nothing of its processes: those are the supervisor's.

use std::{collections::BTreeMap, fs, io};

use serde::{Deserialize, Serialize};

use crate::{Attempt, Error, Mode, Paths};

/// A cluster that is there, wholly or in parts.
#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    /// What it is.
    pub mode: Mode,
    /// `up` has come to its end. Without that, what is found is a wreck to be cleared.
    pub up: bool,
    /// What commands that use it get in their environment, `PATH` apart.
    pub environment: BTreeMap<String, String>,
    /// Directories of programs, to be put in front of `PATH`.
    pub programs: Vec<String>,
}

impl State {
    /// A cluster of which nothing is started yet.
    #[must_use]
    pub fn beginning(mode: Mode) -> Self {
        Self { mode, up: false, environment: BTreeMap::new(), programs: Vec::new() }
    }

    /// What is known of the cluster, if there is one.
    pub fn read(paths: &Paths) -> Result<Option<Self>, Error> {
        let path = paths.state();
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.attempt(|| format!("read {}", path.display()))?,
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| Error::failed(format!("understand {}", path.display()), error))
    }

    /// Remembers this.
    pub fn write(&self, paths: &Paths) -> Result<(), Error> {
        let path = paths.state();
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::failed(format!("write {}", path.display()), error))?;
        fs::write(&path, text).attempt(|| format!("write {}", path.display()))
    }

    /// Remembers that there is nothing.
    pub fn forget(paths: &Paths) -> Result<(), Error> {
        match fs::remove_file(paths.state()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).attempt(|| format!("remove {}", paths.state().display()))
            }
            _ => Ok(()),
        }
    }

    /// The variables as they are in the environment of a command, `PATH` included.
    #[must_use]
    pub fn variables(&self, path: &str) -> BTreeMap<String, String> {
        let mut all = self.environment.clone();
        let mut programs = self.programs.clone();
        programs.extend((!path.is_empty()).then(|| path.to_owned()));
        all.insert("PATH".to_owned(), programs.join(":"));
        all
    }
}

/// `value` as one word of a shell.
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
    fn programs_come_before_what_was_in_path() {
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
    fn values_survive_a_shell() {
        assert_eq!(quoted("/a/b:c"), "/a/b:c");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
