//! Which Ruby: Gemfile, Gemfile.lock, the files for version managers, else a default.

use super::super::findings::Findings;
use super::super::names::{is_version, leading};
use super::super::tree::Tree;
use super::super::{no_builder, tools};
use super::gems::Gems;
use crate::build::dockerfile::images;
use crate::build::dockerfile::ruby::Interpreter;
use crate::build::outcome::Failure;

/// Taken where no file names one.
const DEFAULT: &str = "3.4";
const NEWEST: &str = "4.0";
/// Debian's releases, of which the first with an image is taken.
const DEBIANS: [&str; 3] = ["bookworm", "bullseye", "buster"];

/// The Ruby of a source.
pub(super) fn choose(tree: Tree<'_>, gems: &Gems, findings: &mut Findings) -> Result<Interpreter, Failure> {
    let (text, place) = named(tree, gems)?.unwrap_or_else(|| {
        findings.assume(format!("no file names a version of Ruby: {DEFAULT} is taken; add .ruby-version"));
        (DEFAULT.to_owned(), "the default".to_owned())
    });
    let plain = text.strip_prefix("ruby-").unwrap_or(&text);
    let plain = match plain {
        "latest" | "4" => NEWEST,
        "3" => DEFAULT,
        other => other.split('-').next().unwrap_or_default(),
    };
    if !is_version(plain) {
        let text: String = text.chars().filter(|char| !char.is_control()).take(40).collect();
        return Err(no_builder(format!(
            "{place} asks for Ruby {text:?}, which has no base image here; name a version such as 3.4, or add a Dockerfile"
        )));
    }
    let exact = DEBIANS
        .iter()
        .map(|debian| Interpreter { version: plain.to_owned(), debian })
        .find(|interpreter| images::is_known(&interpreter.tag()));
    if let Some(interpreter) = exact {
        if interpreter.debian != DEBIANS[0] {
            findings.warn(format!(
                "{place} asks for Ruby {plain}, whose images are of an older Debian ({}) and get no more fixes; move to a newer \
                 Ruby",
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
                "{place} asks for Ruby {plain}, which is not known to have an image: the newest {} is taken",
                interpreter.version
            ));
            findings.choose("Ruby", interpreter.version.clone(), place);
            Ok(interpreter)
        }
        None => Err(no_builder(format!(
            "{place} asks for Ruby {plain}, which is not known to have an image; ask for another release, such as 3.4, or add \
             a Dockerfile"
        ))),
    }
}

/// The first file that names a version. The Gemfile comes first, because Bundler insists on what stands there.
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
