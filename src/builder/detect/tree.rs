//! The source as detection sees it: names and small texts inside one directory, each with a limit. No decisions.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::no_builder;
use crate::builder::outcome::Failure;
use crate::protocol::report::Stage;

/// Largest file that is read.
pub(super) const MAX_TEXT: u64 = 1 << 20;
/// Most entries of a directory that are read.
const MAX_ENTRIES: usize = 10_000;
/// How much of a file its head is.
const HEAD: u64 = 4096;
/// How much of a lock file is read.
const LONG: u64 = 16 << 20;

/// The files below a directory. Links that leave it are treated as missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tree<'a> {
    /// The root of the source.
    source: &'a Path,
    /// The examined directory below it; empty: the root itself.
    path: &'a str,
}

impl<'a> Tree<'a> {
    /// The whole source: `root` without links in it.
    pub(super) fn new(root: &'a Path) -> Self {
        Self { source: root, path: "" }
    }

    /// A directory of the source, `path` without links in it.
    pub(super) fn member(source: &'a Path, path: &'a str) -> Self {
        Self { source, path }
    }

    /// The root of the source; in a monorepo it has the lock file and the workspace.
    pub(super) fn source(self) -> Self {
        Self { path: "", ..self }
    }

    /// The root of the source as a path.
    pub(super) fn root(self) -> &'a Path {
        self.source
    }

    /// Where this is below the root of the source; empty: it is the root.
    pub(super) fn path(self) -> &'a str {
        self.path
    }

    fn inside(self, path: &str) -> Option<PathBuf> {
        let root = self.source.join(self.path);
        root.join(path).canonicalize().ok().filter(|real| real.starts_with(&root))
    }

    /// Whether there is such a file.
    pub(super) fn has(self, path: &str) -> bool {
        self.inside(path).is_some_and(|real| real.is_file())
    }

    /// Whether there is such a directory.
    pub(super) fn has_directory(self, path: &str) -> bool {
        self.inside(path).is_some_and(|real| real.is_dir())
    }

    /// The first of these files that is there.
    pub(super) fn first<'n>(self, names: &[&'n str]) -> Option<&'n str> {
        names.iter().find(|name| self.has(name)).copied()
    }

    /// The text of a file; None if it does not exist.
    pub(super) fn text(self, path: &str) -> Result<Option<String>, Failure> {
        let Some(real) = self.inside(path).filter(|real| real.is_file()) else { return Ok(None) };
        let unreadable = |error| no_builder(format!("{path} cannot be read as text: {error}"));
        let mut bytes = Vec::new();
        let file = std::fs::File::open(real).map_err(unreadable)?;
        let size = file.take(MAX_TEXT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if size as u64 > MAX_TEXT {
            return Err(no_builder(format!("{path} is larger than 1 MiB; make it smaller")));
        }
        decode(bytes).map(Some).ok_or_else(|| {
            no_builder(format!("{path} cannot be read as text: it is not UTF-8; save it as UTF-8"))
        })
    }

    /// The beginning of a file of any size; empty if it does not exist.
    pub(super) fn head(self, path: &str) -> String {
        let mut bytes = Vec::new();
        if let Some(file) = self.inside(path).and_then(|real| std::fs::File::open(real).ok()) {
            let _partial = file.take(HEAD).read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The text of a file that may be long, such as a lock file. Invalid UTF-8 is replaced; at most 16 MiB are read.
    pub(super) fn long(self, path: &str) -> String {
        let mut bytes = Vec::new();
        if let Some(file) = self.inside(path).and_then(|real| std::fs::File::open(real).ok()) {
            let _partial = file.take(LONG).read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A JSON file; its depth is limited by the parser.
    pub(super) fn json<T: DeserializeOwned>(self, path: &str) -> Result<Option<T>, Failure> {
        let parse = |text: String| {
            serde_json::from_str(&text)
                .map_err(|error| no_builder(format!("{path} cannot be read: {error}; correct it")))
        };
        self.text(path)?.map(parse).transpose()
    }

    /// A TOML file; its depth is limited by the parser.
    pub(super) fn toml<T: DeserializeOwned>(self, path: &str) -> Result<Option<T>, Failure> {
        let parse = |text: String| {
            toml::from_str(&text).map_err(|error| {
                no_builder(format!("{path} cannot be read: {}; correct it", error.message()))
            })
        };
        self.text(path)?.map(parse).transpose()
    }

    /// The names in a directory (empty: the root), in order; those that are not text are left out.
    pub(super) fn names(self, directory: &str) -> Result<Vec<String>, Failure> {
        let failed = |error| Failure::workspace(Stage::Detect, "the source could not be read", &error);
        let Some(real) = self.inside(directory).filter(|real| real.is_dir()) else { return Ok(vec![]) };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(real).map_err(failed)?.take(MAX_ENTRIES) {
            names.extend(entry.map_err(failed)?.file_name().into_string().ok());
        }
        names.sort();
        Ok(names)
    }
}

/// UTF-8, with or without a mark at its beginning, or UTF-16 with one, as `>` of PowerShell writes it.
fn decode(bytes: Vec<u8>) -> Option<String> {
    let read: fn([u8; 2]) -> u16 = match bytes.as_slice() {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => {
            let text = String::from_utf8(bytes).ok()?;
            return Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text));
        }
    };
    let pairs = bytes[2..].chunks(2).map(|pair| <[u8; 2]>::try_from(pair).map(read));
    String::from_utf16(&pairs.collect::<Result<Vec<u16>, _>>().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Rule of case x1: text files written by Windows tools are readable.
    #[test]
    fn utf_16_and_byte_order_marks_are_decoded() {
        let little: Vec<u8> = "\u{feff}flask==3\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{feff}flask==3\r\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [little, big, b"\xef\xbb\xbfflask==3\r\n".to_vec(), b"flask==3\r\n".to_vec()] {
            assert_eq!(decode(bytes).as_deref(), Some("flask==3\r\n"));
        }
        for bytes in [&b"\xff\xfea"[..], b"\xff\xfe\x00\xd8", b"\xfe"] {
            assert_eq!(decode(bytes.to_vec()), None);
        }
    }

    #[test]
    fn links_out_of_the_source_are_ignored() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), root.join("package.json")).unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("src")).unwrap();
        let tree = Tree::new(&root);
        assert!(!tree.has("package.json") && !tree.has("src/secret") && !tree.has_directory("src"));
        assert_eq!(tree.text("package.json"), Ok(None));
        assert_eq!((tree.head("package.json"), tree.names("src")), (String::new(), Ok(vec![])));
    }

    #[test]
    fn deep_large_or_binary_files_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let write = |name: &str, content: &[u8]| std::fs::write(root.join(name), content).unwrap();
        write("large", " ".repeat((1 << 20) + 1).as_bytes());
        write("binary", &[0xff, 0x00]);
        write("deep.json", "[".repeat(100_000).as_bytes());
        write("deep.toml", format!("a = {}", "[".repeat(100_000)).as_bytes());
        let tree = Tree::new(&root);
        assert!(tree.text("large").unwrap_err().message.contains("1 MiB"));
        assert!(tree.text("binary").is_err());
        assert!(tree.json::<serde_json::Value>("deep.json").is_err());
        assert!(tree.toml::<toml::Table>("deep.toml").is_err());
        assert_eq!(tree.head("large").len(), 4096);
    }
}
