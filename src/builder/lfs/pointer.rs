//! Finds Git LFS pointers among the files of a directory. It follows no links and changes nothing.

use std::path::{Path, PathBuf};

use crate::builder::log::{printable, shortened};

/// Longest pointer, in bytes.
const MAX_POINTER: u64 = 1024;
/// First line of a pointer: of Git LFS, and of its name before the first release.
const VERSIONS: [&str; 2] =
    ["version https://git-lfs.github.com/spec/v1", "version https://hawser.github.com/spec/v1"];

/// The object that a pointer names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::builder) struct Pointer {
    /// SHA-256, 64 hex digits.
    pub(in crate::builder) oid: String,
    /// Size in bytes.
    pub(in crate::builder) size: u64,
}

/// A file that is a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) struct Found {
    pub(in crate::builder) path: PathBuf,
    /// Its path from the root of the source, for messages.
    pub(in crate::builder) name: String,
    pub(in crate::builder) pointer: Pointer,
}

/// Parses a pointer; none if the text is not one.
pub(super) fn parse(text: &[u8]) -> Option<Pointer> {
    let mut lines = std::str::from_utf8(text).ok()?.lines();
    VERSIONS.contains(&lines.next()?).then_some(())?;
    let fields: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(' ')).collect();
    let value = |name: &str| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let oid = value("oid")?.strip_prefix("sha256:")?;
    let is_sum = oid.len() == 64 && oid.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_sum.then_some(())?;
    Some(Pointer { oid: oid.to_owned(), size: value("size")?.parse().ok()? })
}

/// The pointers below a directory of the source at `tree`, in the order of their paths.
pub(in crate::builder) fn find(tree: &Path, directory: &Path) -> std::io::Result<Vec<Found>> {
    let (mut found, mut open) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            let (path, data) = (entry.path(), entry.metadata()?);
            if data.is_dir() {
                open.push(path);
            } else if data.is_file() && data.len() <= MAX_POINTER {
                let pointer = parse(&std::fs::read(&path)?);
                let name = path.strip_prefix(tree).unwrap_or(&path).to_string_lossy();
                let name = shortened(&printable(&name), 200);
                found.extend(pointer.map(|pointer| Found { path, name, pointer }));
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pointer_files_are_parsed_as_pointers() {
        let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        let text = |version: &str, oid: &str| format!("version {version}\noid sha256:{oid}\nsize 12345\n");
        let pointer = Some(Pointer { oid: oid.to_owned(), size: 12345 });
        let spec = "https://git-lfs.github.com/spec/v1";
        assert_eq!(parse(text(spec, oid).as_bytes()), pointer);
        assert_eq!(parse(text("https://hawser.github.com/spec/v1", oid).as_bytes()), pointer);
        assert_eq!(parse(text(spec, oid).replace('\n', "\r\n").as_bytes()), pointer, "from Windows");
        for other in [
            text("https://git-lfs.example/spec/v1", oid),
            text(spec, &oid[1..]),
            text(spec, &oid.to_uppercase()),
            text(spec, "../../../../etc/passwd"),
            text(spec, oid).replace("12345", "-1"),
            text(spec, oid).replace("sha256", "md5"),
            format!("# {}", text(spec, oid)),
            String::new(),
        ] {
            assert_eq!(parse(other.as_bytes()), None, "{other}");
        }
        assert_eq!(parse(&[0xff, 0xfe]), None);
    }

    #[test]
    fn pointers_are_found_below_the_build_directory_but_not_through_links() {
        let dir = tempfile::tempdir().unwrap();
        let text =
            format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 3\n", "a".repeat(64));
        for place in ["app/public", "other"] {
            std::fs::create_dir_all(dir.path().join(place)).unwrap();
            std::fs::write(dir.path().join(place).join("logo.png"), &text).unwrap();
        }
        std::fs::write(dir.path().join("app/long"), format!("{text}{}", "x".repeat(1024))).unwrap();
        std::os::unix::fs::symlink("../other", dir.path().join("app/link")).unwrap();
        std::os::unix::fs::symlink("../other/logo.png", dir.path().join("app/linked.png")).unwrap();
        let names: Vec<String> =
            find(dir.path(), &dir.path().join("app")).unwrap().into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["app/public/logo.png"]);
    }
}
