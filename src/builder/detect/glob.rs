//! Directory patterns, as workspaces of Cargo and uv use them to name their members.

use super::names::is_path;
use super::tree::Tree;
use crate::builder::outcome::Failure;

/// Most directories that one pattern may match.
const MAX_DIRECTORIES: usize = 200;

/// The directories below `base` (empty, or ending with a slash) that match a pattern and contain `file`. `*` and `?`
/// match within one name.
pub(super) fn directories(
    tree: Tree<'_>,
    base: &str,
    pattern: &str,
    file: &str,
) -> Result<Vec<String>, Failure> {
    let mut found = vec![String::new()];
    for part in pattern.trim_start_matches("./").trim_end_matches('/').split('/') {
        let mut next = Vec::new();
        for parent in &found {
            let directory = if parent.is_empty() { String::new() } else { format!("{parent}/") };
            if part.contains(['*', '?']) {
                let names = tree.names(&format!("{base}{directory}"))?;
                next.extend(
                    names.iter().filter(|name| matches(part, name)).map(|name| format!("{directory}{name}")),
                );
            } else {
                next.push(format!("{directory}{part}"));
            }
        }
        next.truncate(MAX_DIRECTORIES);
        found = next;
    }
    found.retain(|member| is_path(member) && tree.has(&format!("{base}{member}/{file}")));
    Ok(found)
}

/// Whether a name matches a pattern of a single part.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut place, mut star) = (0, 0, None);
    while place < name.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, place));
            at += 1;
        } else if pattern.get(at).is_some_and(|byte| *byte == b'?' || *byte == name[place]) {
            at += 1;
            place += 1;
        } else if let Some((back, from)) = star {
            at = back + 1;
            place = from + 1;
            star = Some((back, place));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names_with_wildcards() {
        for (pattern, name) in [("*", "a"), ("lib-*", "lib-a"), ("*-a*c", "x-abac"), ("?b", "ab"), ("a", "a")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("lib-*", "lab-a"), ("?", "ab"), ("a", "ab"), ("", "a"), ("*b", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert!(!matches(&"*a".repeat(100), &"a".repeat(99)), "matching terminates");
    }
}
