//! The format of a recipe: the packages, users and files of an image, and how to run it. It makes nothing.

use serde::Deserialize;

use crate::Error;

/// One image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// The Debian release of the packages.
    #[serde(default = "bookworm")]
    pub(super) release: String,
    /// Debian packages in addition to the essential ones and apt. Without this field the image starts empty.
    pub(super) packages: Option<Vec<String>>,
    /// Users in addition to Debian's.
    #[serde(default, rename = "user")]
    pub(super) users: Vec<User>,
    /// Parts of npm packages.
    #[serde(default, rename = "npm")]
    pub(super) npm: Vec<Npm>,
    /// Compilers of this machine.
    #[serde(default, rename = "toolchain")]
    pub(super) toolchains: Vec<Toolchain>,
    /// Paths of the packages' files to remove from the image.
    #[serde(default)]
    pub(super) without: Vec<String>,
    /// Files, links and directories, created in this order.
    #[serde(default, rename = "file")]
    pub(super) files: Vec<File>,
    /// How to run a container of the image, in the format of the OCI image specification.
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

/// What to copy from one npm package.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Npm {
    /// `name@version`.
    pub(super) package: String,
    /// What to copy: a path in the package's archive, or the prefix of paths.
    pub(super) from: String,
    /// The replacement for `from` in the image.
    pub(super) to: String,
}

/// A compiler of this machine, with its libraries and tools.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Toolchain {
    pub(super) of: Language,
    /// Target directory in the image.
    pub(super) to: String,
    /// Files and directories to copy, relative to the compiler's own directory.
    pub(super) parts: Vec<String>,
    /// Names of files and directories to leave out.
    #[serde(default)]
    pub(super) leave_out: Vec<String>,
    /// Which version, if there are several.
    #[serde(default)]
    pub(super) version: String,
}

/// The language of a compiler.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Language {
    Go,
    Rust,
    /// A Python that pyenv has installed.
    Python,
}

/// One path of the image. Without any of the sources below it is a directory.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) path: String,
    /// The content.
    pub(super) text: Option<String>,
    /// Copied from this program of the cluster's tools.
    pub(super) tool: Option<String>,
    /// Copied from this file of the machine, which a Debian package installed.
    pub(super) host: Option<String>,
    /// Copied from the same path of the packages' files, to change its mode, owner or capability.
    #[serde(default)]
    pub(super) again: bool,
    /// A symbolic link to this target.
    pub(super) link: Option<String>,
    /// Path of a busybox: the directory `path` gets a symbolic link to it for each of its commands.
    pub(super) commands_of: Option<String>,
    /// Mode in octal digits; by default 755 for directories and programs, 644 for text.
    pub(super) mode: Option<String>,
    /// UID and GID.
    #[serde(default)]
    pub(super) owner: u64,
    /// A capability that the program gains when it starts.
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
    /// The mode as a number.
    pub(super) fn mode(&self) -> Result<u32, Error> {
        match &self.mode {
            Some(digits) => u32::from_str_radix(digits, 8)
                .map_err(|error| Error::failed(format!("set the mode of {} to {digits}", self.path), error)),
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
    fn a_capability_is_encoded_as_setcap_does() {
        let value = Capability::CapSetuid.attribute();
        assert_eq!(value[..8], [1, 0, 0, 2, 0x80, 0, 0, 0]);
        assert_eq!(value[8..], [0; 12]);
    }
}
