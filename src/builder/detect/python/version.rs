//! Which Python: from a version manager file, else what the project requires, else a default.

use std::str::FromStr as _;

use pep440_rs::{Version, VersionSpecifiers};

use super::super::findings::Findings;
use super::super::names::is_version;
use super::super::no_builder;
use super::super::tools;
use super::super::tree::Tree;
use super::packages::Requirement;
use crate::builder::dockerfile::images;
use crate::builder::dockerfile::python::Interpreter;
use crate::builder::outcome::Failure;

/// The minor versions to choose from, the best one first.
const PREFERRED: [u32; 8] = [13, 12, 14, 11, 10, 9, 8, 7];
/// The newest one that has an image.
const NEWEST: u32 = 14;

/// A version as a file names it: `3`, `3.12`, `3.12.4`, with a `t` suffix for a free-threaded one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    text: String,
    place: String,
}

/// The Python of a source.
pub(super) fn choose(
    tree: Tree<'_>,
    requires: &[Requirement],
    findings: &mut Findings,
) -> Result<Interpreter, Failure> {
    let named = named(tree)?;
    let free_threaded = frees_threads(tree)?;
    let (mut chosen, because) = match named {
        Some(named) => (read(&named)?, named.place),
        None => required(requires, findings)?,
    };
    chosen.free_threaded |= free_threaded;
    if chosen.free_threaded {
        // It has no official image, so uv installs it.
        chosen.patch = None;
        if chosen.minor < 13 {
            return Err(no_builder(format!(
                "{because} requires a free-threaded Python 3.{}, but the first one is 3.13; require 3.13t or newer",
                chosen.minor
            )));
        }
        findings.warn(
            "a free-threaded Python has no official image, so uv downloads it while the image is built",
        );
    }
    let tag = chosen.tag();
    if let Some(patch) = chosen.patch
        && !images::is_known(&tag)
    {
        chosen.patch = None;
        findings.warn(format!(
            "{because} names Python 3.{}.{patch}, for which no image is known, so the build uses the newest 3.{}",
            chosen.minor, chosen.minor
        ));
    }
    if !images::is_known(&chosen.tag()) {
        return Err(no_builder(format!(
            "{because} requires Python 3.{}, which has no image on Debian 12; require 3.7 to 3.{NEWEST}, or add a \
            Dockerfile",
            chosen.minor
        )));
    }
    check(chosen, requires, &because, findings);
    findings.choose("Python", chosen.name(), because);
    Ok(chosen)
}

/// Warns about a version that the project does not allow: uv and Poetry would refuse to install.
fn check(chosen: Interpreter, requires: &[Requirement], because: &str, findings: &mut Findings) {
    let version = Version::from_str(&format!("3.{}.{}", chosen.minor, chosen.patch.unwrap_or(99)));
    for requirement in requires.iter().filter(|requirement| requirement.place != because) {
        let allowed = specifiers(&requirement.text)
            .zip(version.as_ref().ok())
            .map(|(all, version)| all.contains(version));
        if allowed == Some(false) {
            findings.warn(format!(
                "{because} names Python {}, which {} does not allow; make them agree",
                chosen.name(),
                requirement.place
            ));
        }
    }
}

/// The version in the first version manager file that names one.
fn named(tree: Tree<'_>) -> Result<Option<Named>, Failure> {
    for tree in [tree, tree.source()] {
        for file in [".python-version", "runtime.txt"] {
            let text = tree.text(file)?.unwrap_or_default();
            let line = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
            if let Some(line) = line.into_iter().find(|line| !line.is_empty() && *line != "system") {
                return Ok(Some(Named { text: line.to_owned(), place: file.to_owned() }));
            }
        }
    }
    let wanted = tools::wanted(tree, &["python"])?.filter(|wanted| wanted.version != "system");
    Ok(wanted.map(|wanted| Named { text: wanted.version, place: wanted.file }))
}

/// Whether mise is configured for a free-threaded Python.
fn frees_threads(tree: Tree<'_>) -> Result<bool, Failure> {
    for file in ["mise.toml", ".mise.toml"] {
        let configuration: toml::Table = tree.toml(file)?.unwrap_or_default();
        let set = configuration.get("env").and_then(|env| env.get("PYTHON_BUILD_FREE_THREADING"));
        let flavor = configuration.get("settings").and_then(|settings| settings.get("python"));
        let flavor = flavor.and_then(|python| python.get("precompiled_flavor")).and_then(toml::Value::as_str);
        let on = set.is_some_and(|value| match value {
            toml::Value::String(text) => !["", "0", "false"].contains(&text.as_str()),
            value => value.as_integer() != Some(0) && value.as_bool() != Some(false),
        });
        if on || flavor.is_some_and(|flavor| flavor.contains("freethreaded")) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `3.12`, `3.12.4`, `3.12.x`, `cpython-3.12`, `python-3.12.4`, `3.13t`, `latest`, or a constraint as uv takes it.
fn read(named: &Named) -> Result<Interpreter, Failure> {
    let place = &named.place;
    let text = named.text.trim().to_ascii_lowercase();
    for other in
        ["pypy", "graalpy", "jython", "miniconda", "anaconda", "mambaforge", "stackless", "micropython"]
    {
        if text.starts_with(other) {
            return Err(no_builder(format!(
                "{place} requires {other}, which has no supported base image; name a version of CPython such as 3.13, \
                 or add a Dockerfile"
            )));
        }
    }
    let unread = || {
        no_builder(format!(
            "{place} does not contain a version of Python such as 3.13; write one, or remove the file"
        ))
    };
    if ["latest", "3", "3.x", "python3", "default", "lts"].contains(&text.as_str()) {
        return Ok(Interpreter { minor: NEWEST, patch: None, free_threaded: false });
    }
    let version = ["cpython-", "cpython@", "cpython", "python-", "python"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .unwrap_or(&text);
    let (version, free_threaded) = match version.split_once(['t', '+']) {
        Some((version, "" | "freethreaded")) => (version, true),
        _ => (version, false),
    };
    let numbers = version.trim_end_matches(".x").trim_end_matches(".*").trim_end_matches("-dev");
    let numbers = numbers.strip_prefix('v').unwrap_or(numbers);
    if !is_version(numbers) {
        // A suffix of a plain version, as in `3.12.4 extra` or `3.14rc1`, is ignored.
        let minor = super::super::names::leading(numbers, 2);
        return match (minor.as_deref().and_then(minor_of), specifiers(version)) {
            (Some(minor), None) => Ok(Interpreter { minor, patch: None, free_threaded }),
            (_, Some(all)) => fitting(&all).ok_or_else(unread),
            (None, None) => Err(unread()),
        };
    }
    let minor = minor_of(numbers).ok_or_else(|| {
        no_builder(format!(
            "{place} requires Python {numbers}, but only Python 3 has maintained images; name a version \
            such as 3.13"
        ))
    })?;
    let patch = numbers.split('.').nth(2).and_then(|patch| patch.parse().ok());
    Ok(Interpreter { minor, patch, free_threaded })
}

/// The minor version in `3.12` or `3.12.4`.
fn minor_of(version: &str) -> Option<u32> {
    let mut numbers = version.split('.');
    (numbers.next() == Some("3")).then(|| numbers.next()?.parse().ok()).flatten()
}

/// What the project requires, and where it says so.
fn required(requires: &[Requirement], findings: &mut Findings) -> Result<(Interpreter, String), Failure> {
    let Some(requirement) = requires.iter().max_by_key(|requirement| requirement.place.contains("Pipfile"))
    else {
        findings.assume(format!(
            "no file names a version of Python, so the build uses 3.{}; add .python-version",
            PREFERRED[0]
        ));
        let default = Interpreter { minor: PREFERRED[0], patch: None, free_threaded: false };
        return Ok((default, "the default".to_owned()));
    };
    let place = requirement.place;
    if is_version(&requirement.text) {
        let named = Named { text: requirement.text.clone(), place: place.to_owned() };
        return read(&named).map(|read| (read, place.to_owned()));
    }
    let unfit = |why: &str| no_builder(format!("{place} {why}; correct it, or add .python-version"));
    let all = specifiers(&requirement.text).ok_or_else(|| unfit("cannot be read"))?;
    let found = fitting(&all).ok_or_else(|| unfit(&format!("allows none of Python 3.7 to 3.{NEWEST}")))?;
    Ok((found, place.to_owned()))
}

/// The best minor version whose newest release is allowed, else an exact release.
fn fitting(all: &VersionSpecifiers) -> Option<Interpreter> {
    let allows = |text: String| Version::from_str(&text).is_ok_and(|version| all.contains(&version));
    let newest = PREFERRED.iter().find(|minor| allows(format!("3.{minor}.99")));
    let newest = newest.map(|minor| Interpreter { minor: *minor, patch: None, free_threaded: false });
    newest.or_else(|| {
        PREFERRED.iter().find_map(|minor| {
            let patch = (0..60).rev().find(|patch| {
                let interpreter = Interpreter { minor: *minor, patch: Some(*patch), free_threaded: false };
                allows(format!("3.{minor}.{patch}")) && images::is_known(&interpreter.tag())
            })?;
            Some(Interpreter { minor: *minor, patch: Some(patch), free_threaded: false })
        })
    })
}

/// A constraint of PEP 440, or one of Poetry: `^3.10` and `~3.10`, with `||` between several, of which the first counts.
fn specifiers(text: &str) -> Option<VersionSpecifiers> {
    let text = text.split("||").next()?.trim();
    let all: Vec<String> = text
        .split(',')
        .map(|part| {
            let part = part.trim();
            let numbers = |rest: &str| -> Vec<u32> {
                rest.split('.').filter_map(|number| number.parse().ok()).collect()
            };
            if let Some(rest) = part.strip_prefix('^') {
                format!(">={rest},<{}", numbers(rest).first().map_or(4, |major| major + 1))
            } else if let Some(rest) = part.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
                match numbers(rest).as_slice() {
                    [major, minor, ..] => format!(">={rest},<{major}.{}", minor + 1),
                    _ => format!(">={rest}"),
                }
            } else if part == "*" {
                ">=3".to_owned()
            } else if part.ends_with(".*") && part.starts_with(|first: char| first.is_ascii_digit()) {
                format!("=={part}")
            } else {
                part.to_owned()
            }
        })
        .collect();
    VersionSpecifiers::from_str(&all.join(",")).ok().filter(|all| !all.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::detect::tests::context;

    fn chosen(files: &[(&str, &str)], requires: &str) -> Result<String, String> {
        let dir = context(files);
        let root = dir.path().canonicalize().unwrap();
        let requires = Requirement { text: requires.to_owned(), place: "requires-python in pyproject.toml" };
        let requires = if requires.text.is_empty() { vec![] } else { vec![requires] };
        let found = choose(Tree::new(&root), &requires, &mut Findings::default());
        found.map(Interpreter::name).map_err(|failure| failure.message)
    }

    #[test]
    fn every_notation_of_a_version_is_read() {
        for (file, text, version) in [
            (".python-version", "3.12.4\n", "3.12.4"),
            (".python-version", "# ours\n\ncpython-3.11 # old\n", "3.11"),
            (".python-version", "3.12.x", "3.12"),
            (".python-version", "3.12.*", "3.12"),
            (".python-version", "3.14t", "3.14t"),
            (".python-version", "3.13+freethreaded", "3.13t"),
            (".python-version", "latest", "3.14"),
            (".python-version", "3", "3.14"),
            (".python-version", ">=3.10,<3.12", "3.11"),
            (".python-version", "3.12-dev", "3.12"),
            ("runtime.txt", "python-3.11.9", "3.11.9"),
            (".tool-versions", "nodejs 22\npython 3.10.14", "3.10.14"),
            ("mise.toml", "[tools]\npython = '3.9'", "3.9"),
            (".python-version", "3.12\"; RUN evil", "3.12"),
        ] {
            assert_eq!(chosen(&[(file, text)], ""), Ok(version.to_owned()), "{file}: {text}");
        }
    }

    #[test]
    fn an_unknown_release_falls_back_to_its_minor_version() {
        assert_eq!(chosen(&[(".python-version", "3.12.77")], ""), Ok("3.12".into()));
        assert_eq!(chosen(&[(".python-version", "3.12.0")], ""), Ok("3.12.0".into()));
    }

    #[test]
    fn a_version_without_an_image_is_rejected_with_the_reason() {
        for (text, why) in [
            ("pypy3.10-7.3", "pypy"),
            ("2.7.18", "only Python 3"),
            ("3.6.5", "3.7 to 3.14"),
            ("x", "does not contain a version"),
            ("3.12t", "3.13t"),
        ] {
            let failure = chosen(&[(".python-version", text)], "").unwrap_err();
            assert!(failure.contains(why) && failure.contains(".python-version"), "{text}: {failure}");
        }
    }

    #[test]
    fn version_constraints_follow_python_and_poetry() {
        for (text, version) in [
            (">=3.9,<3.12", "3.11"),
            ("~=3.12", "3.13"),
            ("==3.10.*", "3.10"),
            ("^3.10", "3.13"),
            ("~3.11", "3.11"),
            ("^3.8 || ^2.7", "3.13"),
            ("3.12.*", "3.12"),
            ("3.12", "3.12"),
            ("*", "3.13"),
            ("==3.11.4", "3.11.4"),
            (">=3.14", "3.14"),
            ("<3.9", "3.8"),
        ] {
            assert_eq!(chosen(&[], text), Ok(version.to_owned()), "{text}");
        }
        for wrong in ["<3", "evil", "^"] {
            assert!(chosen(&[], wrong).unwrap_err().contains("requires-python"), "{wrong}");
        }
        assert_eq!(chosen(&[], ""), Ok("3.13".into()));
    }

    #[test]
    fn two_files_with_conflicting_versions_are_named() {
        let dir = context(&[(".tool-versions", "python 3.9.19")]);
        let root = dir.path().canonicalize().unwrap();
        let requires = [Requirement { text: ">=3.11".into(), place: "requires-python in pyproject.toml" }];
        let mut findings = Findings::default();
        choose(Tree::new(&root), &requires, &mut findings).unwrap();
        assert!(
            findings.warnings[0].contains("3.9.19") && findings.warnings[0].contains("requires-python"),
            "{findings:?}"
        );
    }
}
