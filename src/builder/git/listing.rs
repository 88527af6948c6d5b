//! Parses the output of Git and checks its input. Nothing here runs a program.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use super::super::address::Host;
use super::super::log::printable;

/// References and what they point to.
pub(super) type Refs = BTreeMap<String, String>;

/// Whether this is a full commit hash: 40 hex digits, or 64 in a repository with SHA-256 object names.
pub(super) fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether Git allows this name of a branch or tag (`git check-ref-format`), and no program reads it as an option.
pub(super) fn is_ref_name(name: &str) -> bool {
    let part = |part: &str| {
        let extension = Path::new(part).extension().is_some_and(|extension| extension == "lock");
        !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && !extension
    };
    !name.starts_with('-')
        && name.len() <= 250
        && name != "@"
        && !name.contains("..")
        && !name.contains("@{")
        && !name.chars().any(|char| char.is_control() || char.is_whitespace() || "~^:?*[\\".contains(char))
        && name.split('/').all(part)
}

/// Parses the lines of `git ls-remote`.
pub(super) fn refs(text: &str) -> Refs {
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    lines
        .filter(|(commit, _)| is_commit(commit))
        .map(|(commit, name)| (name.to_owned(), commit.to_owned()))
        .collect()
}

/// Counts files with their directories, and bytes, in the output of `git ls-tree -r -l -z`. One tree of Git may occur
/// at many paths, so few objects and few files can make very many directories.
pub(super) fn measure(listing: &[u8]) -> (u64, u64) {
    let (mut files, mut bytes) = (0u64, 0u64);
    let mut before: &[u8] = b"";
    for entry in listing.split(|&byte| byte == 0).filter(|entry| !entry.is_empty()) {
        let end = entry.iter().position(|&byte| byte == b'\t').unwrap_or(entry.len());
        let path = entry.get(end + 1..).unwrap_or_default();
        let size: Option<u64> = String::from_utf8_lossy(&entry[..end])
            .split_whitespace()
            .nth(3)
            .and_then(|size| size.parse().ok());
        files = files.saturating_add(1 + directories_since(before, path));
        bytes = bytes.saturating_add(size.unwrap_or(0));
        before = path;
    }
    (files, bytes)
}

/// How many directories of `path` are not directories of `before`, the path above it in a listing. A listing groups the
/// content of a directory, so these were not counted yet.
fn directories_since(before: &[u8], path: &[u8]) -> u64 {
    fn holders(path: &[u8]) -> impl Iterator<Item = &[u8]> {
        let end = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        path[..end].split_inclusive(|&byte| byte == b'/')
    }
    let shared = holders(before).zip(holders(path)).take_while(|(one, other)| one == other).count();
    holders(path).skip(shared).count() as u64
}

/// Bytes below a directory. Files that disappear meanwhile count nothing.
pub(super) fn size(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => size(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// The value of `http.curloptResolve`.
pub(super) fn pin(host: &Host, addresses: &[IpAddr]) -> Option<String> {
    // A literal address resolves to itself; curl does not accept it as a name.
    if host.name.parse::<IpAddr>().is_ok() || addresses.is_empty() {
        return None;
    }
    let list: Vec<String> = addresses
        .iter()
        .map(|address| match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        })
        .collect();
    Some(format!("{}:{}:{}", host.name, host.port, list.join(",")))
}

/// Says that a branch or tag does not exist, and which similar names do.
pub(super) fn missing(kind: &str, name: &str, url: &str, all: &Refs) -> String {
    let what = if kind == "heads" { "branch" } else { "tag" };
    let prefix = format!("refs/{kind}/");
    let mut near: Vec<(usize, String)> = all
        .keys()
        .filter_map(|full| full.strip_prefix(&prefix).filter(|other| !other.ends_with("^{}")))
        .take(2000)
        .map(|other| (distance(name, other), printable(other)))
        .collect();
    near.sort();
    let near: Vec<String> =
        near.into_iter().take(5).map(|(_, other)| other.chars().take(60).collect()).collect();
    let there = if near.is_empty() {
        format!("it has no {what} at all")
    } else {
        format!("it has {}", near.join(", "))
    };
    match name {
        "HEAD" => {
            format!(
                "the default branch of {url} does not exist; {there}. Push to it, or name a branch in spec.source.git.ref"
            )
        }
        _ => format!("{url} has no {what} {name:?}; {there}. Correct spec.source.git.ref"),
    }
}

/// Edit distance of two names, ignoring case. Long names count up to a limit: the time grows with its square.
fn distance(one: &str, other: &str) -> usize {
    let start = |name: &str| name.to_lowercase().chars().take(250).collect::<String>();
    strsim::levenshtein(&start(one), &start(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_and_option_like_ref_names_are_rejected() {
        for name in ["main", "feature/a-b", "v1.2.3", "0123456789012345678901234567890123456789", "ü"] {
            assert!(is_ref_name(name), "{name}");
        }
        for name in [
            "-h",
            "--upload-pack=x",
            "refs/heads/../x",
            "a..b",
            "",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.",
            "a b",
            "a\nb",
            "a~1",
            "a^{}",
            "a:b",
            "a*",
            "a?",
            "a[b",
            "a\\b",
            "@",
            "a@{1}",
            "a\u{0}",
        ] {
            assert!(!is_ref_name(name), "{name:?}");
        }
        assert!(is_commit(&"a1".repeat(20)) && is_commit(&"a1".repeat(32)));
        assert!(!is_commit(&"a1".repeat(25)) && !is_commit(&"a1".repeat(33)));
        assert!(!is_commit(&"A1".repeat(20)) && !is_commit("a1") && !is_commit(&"g1".repeat(20)));
    }

    #[test]
    fn a_missing_branch_is_reported_with_similar_names() {
        let names = ["main", "maint", "develop", "release/1", "release/2", "zzzzzzzzzzzz"];
        let all = names.iter().map(|name| (format!("refs/heads/{name}"), "x".repeat(40))).collect();
        let text = missing("heads", "Mian", "https://h/x", &all);
        assert!(text.starts_with("https://h/x has no branch \"Mian\"; it has main, maint, "), "{text}");
        assert!(!text.contains("zzzz"), "{text}");
        assert!(missing("tags", "v1", "https://h/x", &all).contains("it has no tag at all"));
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn a_listing_yields_the_file_count_and_the_bytes() {
        let listing = b"100644 blob aaaa      12\ta\tb\x00120000 blob bbbb       5\tlink\x00160000 commit cc       -\tsub\0";
        assert_eq!(measure(listing), (3, 17));
        assert_eq!(measure(b""), (0, 0));
    }

    #[test]
    fn each_directory_with_files_is_counted_once() {
        for (paths, files) in [
            (&["a"][..], 1),
            (&["a/b/c"], 3),
            (&["a/b/c", "a/b/d", "a/e/c", "f"], 7),
            (&["a-b/c", "a/c", "a/d/c", "ab/c"], 8),
            // A name that is a prefix of another one, and a directory inside another of the same name.
            (&["a/a/a", "aa/a/a"], 6),
            (&["x/y/1", "z/y/1"], 6),
        ] {
            let entry = |path: &&str| format!("100644 blob aaaa       1\t{path}\0");
            let listing: String = paths.iter().map(entry).collect();
            assert_eq!(measure(listing.as_bytes()), (files, paths.len() as u64), "{paths:?}");
        }
    }

    #[test]
    fn host_names_are_pinned_to_the_checked_addresses() {
        let host = Host { name: "git.example".into(), port: 443 };
        let addresses = ["10.0.0.1".parse().unwrap(), "fd12::1".parse().unwrap()];
        assert_eq!(pin(&host, &addresses).as_deref(), Some("git.example:443:10.0.0.1,[fd12::1]"));
        assert_eq!(pin(&Host { name: "10.0.0.1".into(), port: 80 }, &addresses), None);
    }
}
