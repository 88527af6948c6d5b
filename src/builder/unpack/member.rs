//! Parses one entry of an archive, and rejects it if another reading is possible. It touches no file.

use tar::{EntryType, Header};

use super::error::{Error, unsafe_entry};
use crate::builder::log::printable;

/// Longest path in bytes: below the workspace it must still fit the limit of Linux (4,096).
pub(super) const MAX_PATH: usize = 4000;
/// Longest part of a path in bytes, the limit of Linux.
const MAX_NAME: usize = 255;
/// Deepest nesting of directories.
pub(super) const MAX_DEPTH: usize = 64;

/// An entry.
#[derive(Debug)]
pub(super) struct Member {
    /// Relative to the archive, without `.`, `..` and a final slash; empty for its root.
    pub(super) path: String,
    pub(super) content: Content,
}

/// What an entry is.
#[derive(Debug)]
pub(super) enum Content {
    Directory,
    File {
        size: u64,
        executable: bool,
    },
    /// A symbolic link with its target, as written.
    Link(String),
    /// Another name of the file at that path.
    HardLink(String),
}

/// What extended headers say about the entry after them.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    any: bool,
}

impl Extensions {
    /// Whether an entry of this kind is an extended header.
    pub(super) fn is_one(kind: EntryType) -> bool {
        matches!(
            kind,
            EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName | EntryType::GNULongLink
        )
    }

    /// Whether no extended header waits for its entry.
    pub(super) fn is_empty(&self) -> bool {
        !self.any
    }

    /// Adds one more; rejects the same fact twice.
    pub(super) fn add(&mut self, kind: EntryType, data: &[u8]) -> Result<(), Error> {
        match kind {
            EntryType::GNULongName => self.set(&Fact::Path, without_end(data))?,
            EntryType::GNULongLink => self.set(&Fact::Link, without_end(data))?,
            _ => {
                for (key, value) in records(data)? {
                    let global = kind == EntryType::XGlobalHeader;
                    self.record(key, value, global)?;
                }
            }
        }
        self.any |= kind != EntryType::XGlobalHeader;
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8], global: bool) -> Result<(), Error> {
        let fact = match key {
            b"path" => Fact::Path,
            b"linkpath" => Fact::Link,
            b"size" => Fact::Size,
            _ if key.starts_with(b"GNU.sparse") => {
                return Err(Error::Invalid(
                    "it contains a sparse file, which some programs cannot read".into(),
                ));
            }
            // Owners, times, comments (git archive writes the commit there), attributes: dropped.
            _ => return Ok(()),
        };
        if global {
            return Err(Error::Invalid("a global header sets one name or size for all entries".into()));
        }
        self.set(&fact, value)
    }

    fn set(&mut self, fact: &Fact, value: &[u8]) -> Result<(), Error> {
        let twice = || Error::Invalid("it sets the name or size of an entry twice".into());
        let place = match fact {
            Fact::Path => &mut self.path,
            Fact::Link => &mut self.link,
            Fact::Size => {
                let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                let size = size.ok_or_else(malformed)?;
                return if self.size.replace(size).is_some() { Err(twice()) } else { Ok(()) };
            }
        };
        if place.replace(value.to_vec()).is_some() { Err(twice()) } else { Ok(()) }
    }
}

enum Fact {
    Path,
    Link,
    Size,
}

fn malformed() -> Error {
    Error::Invalid("the extended header of an entry is malformed".into())
}

/// A long name of GNU tar ends with one zero byte.
fn without_end(data: &[u8]) -> &[u8] {
    data.strip_suffix(&[0]).unwrap_or(data)
}

/// Key and value.
type Pair<'a> = (&'a [u8], &'a [u8]);

/// The records of a PAX header: `length key=value\n`, each as long as it says, nothing in between or after.
fn records(mut data: &[u8]) -> Result<Vec<Pair<'_>>, Error> {
    let mut found = Vec::new();
    while !data.is_empty() {
        let blank = data.iter().position(|&byte| byte == b' ').ok_or_else(malformed)?;
        let digits = &data[..blank];
        let plain = (1..=6).contains(&blank) && digits.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(digits).ok().filter(|_| plain).and_then(|text| text.parse().ok());
        let (record, rest) = data.split_at_checked(length.unwrap_or(0)).ok_or_else(malformed)?;
        let pair =
            record.get(blank + 1..).and_then(|record| record.strip_suffix(b"\n")).ok_or_else(malformed)?;
        let equals = pair.iter().position(|&byte| byte == b'=').ok_or_else(malformed)?;
        found.push((&pair[..equals], &pair[equals + 1..]));
        data = rest;
    }
    Ok(found)
}

impl Member {
    /// Reads a header with the extended headers before it.
    pub(super) fn read(
        header: &Header,
        kind: EntryType,
        size: u64,
        extensions: Extensions,
    ) -> Result<Self, Error> {
        if extensions.size.is_some_and(|said| said != size) {
            return Err(Error::Invalid(
                "an entry has two different sizes, which programs read differently".into(),
            ));
        }
        let name = extensions.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let path = path(&name)?;
        let target = || {
            let bytes = extensions.link.clone().or_else(|| header.link_name_bytes().map(Into::into));
            bytes.ok_or_else(|| unsafe_entry(&path, "is a link without a target"))
        };
        let content = match kind {
            EntryType::Regular if name.ends_with(b"/") => Content::Directory,
            EntryType::Regular => {
                let mode = header
                    .mode()
                    .map_err(|_| Error::Invalid("the mode of an entry is not a number".into()))?;
                Content::File { size, executable: mode & 0o111 != 0 }
            }
            EntryType::Directory => Content::Directory,
            EntryType::Symlink => Content::Link(link(&target()?)?),
            EntryType::Link => Content::HardLink(super::member::path(&target()?)?),
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                return Err(unsafe_entry(&path, "is a device or a pipe"));
            }
            _ => {
                return Err(Error::Invalid(format!(
                    "{:?} is of a type that some programs do not know",
                    printable(&path)
                )));
            }
        };
        if size > 0 && !matches!(content, Content::File { .. }) {
            return Err(Error::Invalid(
                "a directory or link has a size, which programs read differently".into(),
            ));
        }
        if path.is_empty() && !matches!(content, Content::Directory) {
            return Err(Error::Unsafe("an entry has no name".into()));
        }
        Ok(Self { path, content })
    }
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::Invalid("a name in it is not UTF-8; pack it again with UTF-8 names".into()))?;
    if text.len() > MAX_PATH {
        return Err(Error::TooLarge(format!("a path in it is longer than {MAX_PATH} bytes")));
    }
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Error::Unsafe("a name in it is empty or contains control characters".into()));
    }
    Ok(text)
}

/// A path below the archive's root.
fn path(bytes: &[u8]) -> Result<String, Error> {
    let text = text(bytes)?;
    if text.starts_with('/') {
        return Err(unsafe_entry(text, "is an absolute path"));
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err(unsafe_entry(text, "leads out of the archive"));
    }
    if parts.len() > MAX_DEPTH || parts.iter().any(|part| part.len() > MAX_NAME) {
        return Err(Error::TooLarge(format!(
            "a path in it has more than {MAX_DEPTH} parts, or one of more than {MAX_NAME} bytes"
        )));
    }
    Ok(parts.join("/"))
}

fn link(bytes: &[u8]) -> Result<String, Error> {
    text(bytes).map(str::to_owned)
}
