//! Which Node: what a version file, a tool's configuration or package.json names, else the default.
//!
//! The image is the moving tag of a major version if the source allows every release of it, else the newest allowed
//! release.

use nodejs_semver::{Range, Version};

use super::super::findings::Findings;
use super::super::{no_builder, tools};
use super::Source;
use crate::builder::dockerfile::node::releases::{self, Release};
use crate::builder::outcome::Failure;

/// The major versions to choose from, the best one first.
const PREFERRED: [u32; 13] = [22, 24, 26, 20, 18, 25, 23, 21, 16, 19, 17, 14, 12];

/// Releases with long-term support, by the names that .nvmrc may contain.
const NAMES: [(&str, u32); 8] = [
    ("erbium", 12),
    ("fermium", 14),
    ("gallium", 16),
    ("hydrogen", 18),
    ("iron", 20),
    ("jod", 22),
    ("krypton", 24),
    ("argon", 4),
];

/// The newest major version with long-term support, which `lts/*` means, and the newest one.
const LTS: u32 = 24;
const CURRENT: u32 = 26;

/// The Node that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) tag: String,
    pub(super) major: u32,
    /// The newest release that the tag is known to contain.
    pub(super) release: Release,
}

/// A version as a file names it.
struct Named {
    text: String,
    file: String,
}

/// The base image, by the first file that names a version.
pub(super) fn choose(source: &Source<'_>, findings: &mut Findings) -> Result<Node, Failure> {
    let Some(named) = named(source)? else {
        let node = moving(PREFERRED[0]).ok_or_else(|| no_builder("no image of Node is known"))?;
        findings.choose("Node", node.major.to_string(), "no file names a version");
        findings.assume(format!(
            "no file names a version of Node, so the build uses {}; add \"engines\": {{\"node\": \"{0}.x\"}} to \
            package.json",
            node.major
        ));
        return Ok(node);
    };
    let Named { text, file } = &named;
    let plain = clean(text);
    let node = resolve(plain).map_err(|why| {
        let shown: String = plain.chars().filter(|char| !char.is_control()).take(40).collect();
        no_builder(format!("{file} names Node {shown:?}, {why}; write one such as 22"))
    })?;
    let version = node.tag.split('-').next().unwrap_or_default();
    findings.choose("Node", version, file.clone());
    if version.contains('.') {
        findings.assume(format!(
            "{file} pins Node to {version}, which gets no fixes; {} would be the newest release of that major version",
            node.major
        ));
    }
    if node.tag.contains("bullseye") {
        findings.warn(format!(
            "Node {version} is too old for an image on Debian 12, so it runs on Debian 11, and neither gets security \
            fixes"
        ));
    }
    Ok(node)
}

/// The first of the places that name a version: the member's before the root's.
fn named(source: &Source<'_>) -> Result<Option<Named>, Failure> {
    let found = |text: &str, file: &str| Ok(Some(Named { text: text.to_owned(), file: file.to_owned() }));
    for tree in [source.tree, source.tree.source()] {
        for file in [".node-version", ".nvmrc"] {
            if let Some(text) = tree.text(file)? {
                return found(&text, file);
            }
        }
    }
    if let Some(wanted) = tools::wanted(source.tree, &["node", "nodejs"])? {
        return found(&wanted.version, &wanted.file);
    }
    for package in source.packages() {
        for (text, file) in [
            (package.volta("node"), "\"volta\" in package.json"),
            (package.runtime("node"), "\"devEngines\" in package.json"),
            (package.engine("node"), "\"engines\" in package.json"),
        ] {
            if let Some(text) = text {
                return found(text, file);
            }
        }
    }
    Ok(None)
}

/// The version in a file: its first line that is not a comment, without the prefixes of version managers.
fn clean(text: &str) -> &str {
    let mut lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let line = ["nodejs-", "nodejs@", "node-", "node@"]
        .iter()
        .find_map(|prefix| line.strip_prefix(prefix))
        .unwrap_or(line);
    line.strip_prefix('v').unwrap_or(line)
}

/// Resolves a version, a range or the name of a release.
fn resolve(text: &str) -> Result<Node, &'static str> {
    const NONE: &str = "which is not a version of Node";
    const UNKNOWN: &str = "for which no official image is known";
    let name = text.to_ascii_lowercase();
    let name = name.strip_prefix("lts/").or_else(|| name.strip_prefix("lts-")).unwrap_or(&name);
    let alias = match name {
        "*" if text.len() > 1 => Some(LTS),
        "lts" | "lts/*" => Some(LTS),
        "node" | "current" | "latest" | "stable" => Some(CURRENT),
        name => NAMES.iter().find(|(known, _)| *known == name).map(|(_, major)| *major),
    };
    if let Some(major) = alias {
        return moving(major).ok_or(UNKNOWN);
    }
    if text.is_empty() || text.len() > 200 {
        return Err(NONE);
    }
    let range = Range::parse(text).map_err(|_| NONE)?;
    allowed(&range).ok_or(UNKNOWN)
}

/// The image for a range.
fn allowed(range: &Range) -> Option<Node> {
    let whole = |node: &Node| {
        let (major, minor, patch) = node.release;
        let later = format!(">={major}.{minor}.{patch} <{}.0.0-0", major + 1);
        Range::parse(later).is_ok_and(|later| range.allows_all(&later))
    };
    let mut majors = PREFERRED.iter().filter_map(|major| moving(*major));
    if let Some(node) = majors.find(whole) {
        return Some(node);
    }
    let satisfies = |release: &Release| {
        let version = Version::from((u64::from(release.0), u64::from(release.1), u64::from(release.2)));
        range.satisfies(&version)
    };
    // Debian 12 comes first in the table; an older Debian is the fallback.
    let fits: Vec<Release> = releases::all().filter(satisfies).collect();
    let best = fits.iter().max_by_key(|release| {
        (releases::tag(**release).is_some_and(|tag| tag.contains("bookworm")), **release)
    });
    if let Some(release) = best {
        return Some(Node { tag: releases::tag(*release)?, major: release.0, release: *release });
    }
    // Newer than the table: only the moving tag may contain it.
    let least = range.min_version()?;
    let major = u32::try_from(least.major()).ok()?;
    let node = moving(major)?;
    let newest =
        Version::from((u64::from(node.release.0), u64::from(node.release.1), u64::from(node.release.2)));
    (least > newest).then_some(node)
}

/// The moving tag of a major version.
fn moving(major: u32) -> Option<Node> {
    let tag = releases::moving(major)?;
    let debian = tag.split('-').nth(1)?.to_owned();
    let on = |release: &Release| {
        release.0 == major && releases::tag(*release).is_some_and(|tag| tag.contains(&debian))
    };
    Some(Node { tag, major, release: releases::all().filter(on).max()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> Result<String, &'static str> {
        resolve(clean(text)).map(|node| node.tag)
    }

    #[test]
    fn a_range_gets_the_best_major_that_it_allows_completely() {
        for (range, expected) in [
            (">=18", "22-bookworm-slim"),
            ("22.x", "22-bookworm-slim"),
            (">=22.12.0 <23", "22-bookworm-slim"),
            ("^20.19.0 || >=24", "24-bookworm-slim"),
            ("20", "20-bookworm-slim"),
            (">=24.1", "24-bookworm-slim"),
            (">=18 <22.5", "20-bookworm-slim"),
            ("16.x", "16-bookworm-slim"),
            ("14", "14-bullseye-slim"),
            ("*", "22-bookworm-slim"),
            ("^26.0.0", "26-bookworm-slim"),
        ] {
            assert_eq!(tag(range).as_deref(), Ok(expected), "{range}");
        }
    }

    #[test]
    fn a_version_older_than_its_major_tag_gets_an_exact_tag() {
        for (range, expected) in [
            ("22.2.0", "22.2.0-bookworm-slim"),
            ("23.5.0", "23.5.0-bookworm-slim"),
            ("~20.10", "20.10.0-bookworm-slim"),
            ("22.19", "22.19.0-bookworm-slim"),
            (">=18.12.0 <18.16.0", "18.15.0-bullseye-slim"),
            (">=18.12.0 <18.17.0", "18.16.1-bookworm-slim"),
        ] {
            assert_eq!(tag(range).as_deref(), Ok(expected), "{range}");
        }
        // Newer than the table: only the moving tag may contain it.
        assert_eq!(tag("22.999.0").as_deref(), Ok("22-bookworm-slim"));
    }

    #[test]
    fn a_version_file_may_hold_a_version_or_a_name_and_comments() {
        for (text, expected) in [
            ("v22.3.0\n", "22.3.0-bookworm-slim"),
            ("# the one of production\n\nlts/jod # LTS\n", "22-bookworm-slim"),
            ("lts/*", "24-bookworm-slim"),
            ("lts", "24-bookworm-slim"),
            ("lts/Iron", "20-bookworm-slim"),
            ("node", "26-bookworm-slim"),
            ("stable", "26-bookworm-slim"),
            ("node-20", "20-bookworm-slim"),
        ] {
            assert_eq!(tag(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn invalid_versions_and_versions_without_an_image_are_rejected() {
        for text in ["", "twenty", "$(evil)", "22\u{1b}", "lts/argon", "4", "99999", "22; RUN evil"] {
            assert!(tag(text).is_err(), "{text}");
        }
    }
}
