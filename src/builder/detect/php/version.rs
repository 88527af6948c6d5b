//! Which PHP: from a version manager file, else what composer.json allows, else a default.

use super::super::findings::Findings;
use super::super::names::leading;
use super::super::tree::Tree;
use super::super::{no_builder, tools};
use crate::builder::outcome::Failure;

/// The minor versions of PHP 8 that have an image, the best one first.
const PREFERRED: [u32; 5] = [4, 3, 2, 1, 5];

/// The minor version, `8.3`.
pub(super) fn choose(
    tree: Tree<'_>,
    constraint: Option<&str>,
    findings: &mut Findings,
) -> Result<String, Failure> {
    let (text, place) = match (tree.text(".php-version")?, tools::wanted(tree, &["php"])?, constraint) {
        (Some(text), _, _) => (text.trim().to_owned(), ".php-version".to_owned()),
        (None, Some(wanted), _) => (wanted.version, wanted.file),
        (None, None, Some(constraint)) => (constraint.to_owned(), "php in composer.json".to_owned()),
        (None, None, None) => {
            let version = format!("8.{}", PREFERRED[0]);
            findings.assume(format!(
                "no file names a version of PHP, so the build uses {version}; name one in composer.json"
            ));
            findings.choose("PHP", version.clone(), "the default");
            return Ok(version);
        }
    };
    let exact = leading(&text, 2).filter(|_| constraint.is_none_or(|constraint| constraint != text));
    let minor = match (&exact, text.as_str()) {
        (Some(version), _) => PREFERRED.into_iter().find(|minor| *version == format!("8.{minor}")),
        (None, "latest" | "8") => Some(5),
        (None, _) => PREFERRED.into_iter().find(|minor| allows(&text, *minor)),
    };
    let minor = minor.ok_or_else(|| {
        let text: String = text.chars().filter(|char| !char.is_control()).take(40).collect();
        no_builder(format!(
            "{place} requires PHP {text:?}, but only 8.1 to 8.5 have images; require one of them, or add a Dockerfile"
        ))
    })?;
    findings.choose("PHP", format!("8.{minor}"), place);
    Ok(format!("8.{minor}"))
}

/// Whether a constraint of Composer allows the newest release of `8.minor`.
fn allows(constraint: &str, minor: u32) -> bool {
    constraint.replace("||", "|").split('|').any(|any| {
        let any = any.trim();
        let range = any.split_once(" - ").map(|(low, high)| format!(">={low} <={high}"));
        let mut any = range.as_deref().unwrap_or(any).to_owned();
        for sign in [">=", "<=", ">", "<", "^", "~"] {
            any = any.replace(&format!("{sign} "), sign);
        }
        let mut parts = any.split([' ', ',']).filter(|part| !part.is_empty()).peekable();
        parts.peek().is_some() && parts.all(|part| part_allows(part, minor))
    })
}

fn part_allows(part: &str, minor: u32) -> bool {
    let end = part.find(|char: char| char.is_ascii_digit()).unwrap_or(part.len());
    let (sign, version) = part.split_at(end);
    let version = version.split(['-', '@']).next().unwrap_or_default();
    let numbers: Vec<Option<u32>> = version.split('.').map(|number| number.parse().ok()).collect();
    let at = |index: usize| numbers.get(index).copied().flatten();
    let Some(major) = at(0) else { return part == "*" };
    let (low, ours) = (at(1), (8, minor));
    let floor = (major, low.unwrap_or(0));
    match sign {
        "~" if numbers.len() > 2 => ours == floor,
        "^" | "~" => ours >= floor && major == 8,
        // The newest release of a minor version is newer than its first one.
        ">=" | ">" => ours >= floor,
        "<" => ours < floor,
        "<=" => ours <= floor,
        "!=" => ours != floor,
        "" | "=" | "==" | "v" => major == 8 && low.is_none_or(|low| low == minor),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_constraints_follow_composer() {
        let best = |text: &str| PREFERRED.into_iter().find(|minor| allows(text, *minor));
        for (text, minor) in [
            ("^8.2", Some(4)),
            ("^7.4|^8.0", Some(4)),
            ("^7.4 || ^8.0", Some(4)),
            (">=8.1 <8.3", Some(2)),
            (">=7.2", Some(4)),
            ("~8.2.0", Some(2)),
            ("~8.1", Some(4)),
            ("8.2.*", Some(2)),
            ("8.3.11", Some(3)),
            ("^7.4", None),
            ("8.*", Some(4)),
            ("*", Some(4)),
            (">= 8.5", Some(5)),
            ("8.1 - 8.2", Some(2)),
            ("7.4.*", None),
            ("^9", None),
            ("", None),
            ("evil", None),
        ] {
            assert_eq!(best(text), minor, "{text}");
        }
    }
}
