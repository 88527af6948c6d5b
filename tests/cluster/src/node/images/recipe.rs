//! What a recipe says: which packages, users and files make an image, and how it is run.
//! It makes nothing.

use serde::Deserialize;

use crate::Error;

/// One image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// The Debian release of the packages.
    #[serde(default = "bookworm")]
    pub(super) release: String,
    /// Debian packages beside the essential ones and apt; without this the image begins empty.
    pub(super) packages: Option<Vec<String>>,
    /// Users beside Debian's.
    #[serde(default, rename = "user")]
    pub(super) users: Vec<User>,
    /// Parts of npm packages.
    #[serde(default, rename = "npm")]
    pub(super) npm: Vec<Npm>,
    /// Compilers of this machine.
    #[serde(default, rename = "toolchain")]
    pub(super) toolchains: Vec<Toolchain>,
    /// Paths of the packages' files that the image must not have.
    #[serde(default)]
    pub(super) without: Vec<String>,
    /// Files, links and directories, made in this order.
    #[serde(default, rename = "file")]
    pub(super) files: Vec<File>,
    /// How a container of it is run, in the words of the OCI image specification.
    pub(super) config: toml::Table,
}

/// An entry of `/etc/passwd`, and the group of the same name and number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) id: u64,
    pub(super) home: String,
}

/// What to take from one npm package.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Npm {
    /// `name@version`.
    pub(super) package: String,
    /// What is taken: a path in the package's archive, or the beginning of one.
    pub(super) from: String,
    /// What takes the place of `from`.
    pub(super) to: String,
}

/// A compiler of this machine, with what comes with it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Toolchain {
    pub(super) of: Language,
    /// Directory of the image.
    pub(super) to: String,
    /// Files and directories of the compiler's own directory that are taken.
    pub(super) parts: Vec<String>,
    /// Names of files and directories that are not.
    #[serde(default)]
    pub(super) leave_out: Vec<String>,
    /// Which of several versions.
    #[serde(default)]
    pub(super) version: String,
}

/// What a compiler is for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Language {
    Go,
    Rust,
    /// One that pyenv has made.
    Python,
}

/// One path of the image. With neither of the sources it is a directory.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) path: String,
    /// The content itself.
    pub(super) text: Option<String>,
    /// A program of the cluster's tools.
    pub(super) tool: Option<String>,
    /// A file of this machine, which a Debian package brought.
    pub(super) host: Option<String>,
    /// The same path of the packages' files: to give it other rights.
    #[serde(default)]
    pub(super) again: bool,
    /// A symbolic link to this.
    pub(super) link: Option<String>,
    /// A symbolic link to this busybox for each of its commands, in the directory `path`.
    pub(super) commands_of: Option<String>,
    /// Rights in octal digits; by default 755 for directories and programs, 644 for text.
    pub(super) mode: Option<String>,
    /// The number of user and group.
    #[serde(default)]
    pub(super) owner: u64,
    /// Whoever starts this program has this capability then.
    pub(super) capability: Option<Capability>,
}

/// A Linux capability, by its number.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Capability {
    CapSetgid = 6,
    CapSetuid = 7,
}

fn bookworm() -> String {
    "bookworm".to_owned()
}

impl File {
    /// The rights, as a number.
    pub(super) fn mode(&self) -> Result<u32, Error> {
        match &self.mode {
            Some(digits) => u32::from_str_radix(digits, 8)
                .map_err(|error| Error::failed(format!("give {} the rights {digits}", self.path), error)),
            None if self.text.is_some() => Ok(0o644),
            None => Ok(0o755),
        }
    }
}

impl Capability {
    /// The extended attribute `security.capability`: version 2, effective, permitted, nothing inheritable.
    pub(super) fn attribute(self) -> [u8; 20] {
        const VERSION_2_EFFECTIVE: u32 = 0x0200_0001;
        let mut value = [0; 20];
        value[..4].copy_from_slice(&VERSION_2_EFFECTIVE.to_le_bytes());
        value[4..8].copy_from_slice(&(1_u32 << self as u32).to_le_bytes());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_is_written_as_setcap_does() {
        let value = Capability::CapSetuid.attribute();
        assert_eq!(value[..8], [1, 0, 0, 2, 0x80, 0, 0, 0]);
        assert_eq!(value[8..], [0; 12]);
    }
}
