//! Which Node: .node-version or .nvmrc, else what `engines` allows.

use super::super::findings::Findings;
use nodejs_semver::Range;

use super::super::names::leading;
use super::super::no_builder;
use super::Source;
use crate::build::outcome::Failure;

/// The majors that are taken where a source leaves a choice, the best one first.
const PREFERRED: [&str; 5] = ["22", "24", "26", "20", "18"];

/// Releases with long support, by the names that .nvmrc may hold.
const NAMES: [(&str, &str); 4] = [("hydrogen", "18"), ("iron", "20"), ("jod", "22"), ("krypton", "24")];

/// The major version of Node.
pub(super) fn major(source: &Source<'_>, findings: &mut Findings) -> Result<String, Failure> {
    for file in [".node-version", ".nvmrc"] {
        if let Some(text) = source.tree.text(file)? {
            return named(text.trim()).ok_or_else(|| {
                no_builder(format!(
                    "{file} holds no version of Node such as 22; write one, or remove the file"
                ))
            });
        }
    }
    let Some(engines) = source.package.node() else {
        findings.assume(format!(
            "no file names a version of Node: {} is taken; add \"engines\": {{\"node\": \"{0}.x\"}} to package.json",
            PREFERRED[0]
        ));
        return Ok(PREFERRED[0].to_owned());
    };
    allowed(engines).ok_or_else(|| {
        no_builder("\"engines\" in package.json names no version of Node that there is; correct it, such as \"node\": \"22.x\"")
    })
}

/// The major of a version or of the name of a release.
fn named(text: &str) -> Option<String> {
    let name = text.strip_prefix("lts/").unwrap_or(text).to_ascii_lowercase();
    if ["*", "lts", "node", "stable", "current"].contains(&name.as_str()) {
        return Some(PREFERRED[0].to_owned());
    }
    let release = NAMES.iter().find(|(known, _)| *known == name).map(|(_, major)| (*major).to_owned());
    release.or_else(|| leading(text, 1))
}

/// The best major of which a range allows any version, else the least that it allows.
fn allowed(range: &str) -> Option<String> {
    let range = Range::parse(range).ok()?;
    let allows =
        |major: &&&str| Range::parse(format!("{major}.x")).is_ok_and(|other| range.allows_any(&other));
    let found = PREFERRED.iter().find(allows).map(|major| (*major).to_owned());
    found
        .or_else(|| range.min_version().map(|version| version.major().to_string()))
        .filter(|major| major.len() < 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_gets_the_best_major_that_it_allows() {
        for (range, major) in [
            (">=18", "22"),
            ("22.x", "22"),
            (">=22.12.0 <23", "22"),
            ("^20.19.0 || >=24", "24"),
            ("20", "20"),
            ("~18.3", "18"),
            (">=24.1", "24"),
            ("16.x", "16"),
            ("*", "22"),
        ] {
            assert_eq!(allowed(range).as_deref(), Some(major), "{range}");
        }
        assert_eq!((allowed("latest please"), allowed("99999")), (None, None));
    }

    #[test]
    fn a_version_file_holds_a_version_or_a_name() {
        for (text, major) in
            [("v22.3.1", "22"), ("24", "24"), ("lts/*", "22"), ("lts/Iron", "20"), ("node", "22")]
        {
            assert_eq!(named(text).as_deref(), Some(major), "{text}");
        }
        assert_eq!((named(""), named("22\nRUN evil").as_deref()), (None, Some("22")));
    }
}
