//! Which Ruby: from Gemfile, Gemfile.lock or a version manager file, else a default.

use super::super::findings::Findings;
use super::super::names::{is_version, leading};
use super::super::tree::Tree;
use super::super::{no_builder, tools};
use super::gems::Gems;
use crate::builder::dockerfile::images;
use crate::builder::dockerfile::ruby::Interpreter;
use crate::builder::outcome::Failure;

/// The version if no file names one.
const DEFAULT: &str = "3.4";
const NEWEST: &str = "4.0";
/// Candidates for a range; the first allowed one wins. For versions before 3.1: the last release.
const CANDIDATES: [&str; 8] = [DEFAULT, "3.3", "3.2", "3.1", NEWEST, "3.0.7", "2.7.8", "2.6.10"];
/// Debian releases; the first one with an image is used.
const DEBIANS: [&str; 3] = ["bookworm", "bullseye", "buster"];

/// The Ruby of a source.
pub(super) fn choose(tree: Tree<'_>, gems: &Gems, findings: &mut Findings) -> Result<Interpreter, Failure> {
    let (text, place) = match named(tree, gems)? {
        Some(named) => named,
        None if gems.requirements.iter().any(|clause| allows(clause, DEFAULT).is_some()) => allowed(gems)?,
        None => {
            findings.assume(format!(
                "no file names a version of Ruby, so the build uses {DEFAULT}; add .ruby-version"
            ));
            (DEFAULT.to_owned(), "the default".to_owned())
        }
    };
    let plain = text.strip_prefix("ruby-").unwrap_or(&text);
    let plain = match plain {
        "latest" | "4" => NEWEST,
        "3" => DEFAULT,
        other => other.split('-').next().unwrap_or_default(),
    };
    if !is_version(plain) {
        let text: String = text.chars().filter(|char| !char.is_control()).take(40).collect();
        return Err(no_builder(format!(
            "{place} requires Ruby {text:?}, which has no supported base image; name a version such as 3.4, or add a \
            Dockerfile"
        )));
    }
    let exact = DEBIANS
        .iter()
        .map(|debian| Interpreter { version: plain.to_owned(), debian })
        .find(|interpreter| images::is_known(&interpreter.tag()));
    if let Some(interpreter) = exact {
        if interpreter.debian != DEBIANS[0] {
            findings.warn(format!(
                "{place} requires Ruby {plain}, whose images use an older Debian ({}) and get no more fixes; move to a \
                 newer Ruby",
                interpreter.debian
            ));
        }
        findings.choose("Ruby", plain, place);
        return Ok(interpreter);
    }
    let minor = leading(plain, 2).map(|version| Interpreter { version, debian: DEBIANS[0] });
    match minor.filter(|interpreter| images::is_known(&interpreter.tag())) {
        Some(interpreter) => {
            findings.warn(format!(
                "{place} requires Ruby {plain}, for which no image is known, so the build uses the newest {}",
                interpreter.version
            ));
            findings.choose("Ruby", interpreter.version.clone(), place);
            Ok(interpreter)
        }
        None => Err(no_builder(format!(
            "{place} requires Ruby {plain}, for which no image is known; name another release, such as 3.4, or add a \
             Dockerfile"
        ))),
    }
}

/// The version that the range in the Gemfile allows.
fn allowed(gems: &Gems) -> Result<(String, String), Failure> {
    let fits =
        |candidate: &&&str| gems.requirements.iter().all(|clause| allows(clause, candidate) != Some(false));
    match CANDIDATES.iter().find(fits) {
        Some(version) => Ok(((*version).to_owned(), "ruby in Gemfile".to_owned())),
        None => Err(no_builder(
            "ruby in Gemfile allows no version that has an image (there are 2.6 to 3.4 and 4.0); change it, or add a \
             Dockerfile",
        )),
    }
}

/// Whether a clause such as `~> 3.3.0` allows a version; one of two numbers means its newest release. None if it is not
/// a clause.
fn allows(clause: &str, candidate: &str) -> Option<bool> {
    let numbers =
        |text: &str| text.split('.').map(|number| number.parse::<u32>().ok()).collect::<Option<Vec<_>>>();
    let begin = clause.find(|char: char| char.is_ascii_digit())?;
    let (operator, version) = clause.split_at(begin);
    let wanted = numbers(version.trim())?;
    let mut there = numbers(candidate)?;
    there.resize(3, u32::MAX);
    Some(match operator.trim() {
        ">=" | ">" => there >= wanted,
        "<" | "<=" => there < wanted,
        "~>" => there >= wanted && there.starts_with(&wanted[..wanted.len().saturating_sub(1)]),
        "=" | "" => there.starts_with(&wanted[..wanted.len().min(2)]),
        _ => return None,
    })
}

/// The first file that names a version. The Gemfile comes first, because Bundler enforces it.
fn named(tree: Tree<'_>, gems: &Gems) -> Result<Option<(String, String)>, Failure> {
    if let Some((version, place)) = gems.ruby.as_ref().filter(|(_, place)| place.contains("in Gemfile")) {
        return Ok(Some((version.clone(), (*place).to_owned())));
    }
    for tree in [tree, tree.source()] {
        let text = tree.text(".ruby-version")?.unwrap_or_default();
        let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        if let Some(line) = line {
            return Ok(Some((line.to_owned(), ".ruby-version".to_owned())));
        }
    }
    if let Some(wanted) = tools::wanted(tree, &["ruby"])? {
        return Ok(Some((wanted.version, wanted.file)));
    }
    Ok(gems.ruby.as_ref().map(|(version, place)| (version.clone(), (*place).to_owned())))
}
