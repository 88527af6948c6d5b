//! Which Python: .python-version, else what `requires-python` allows.

use super::super::findings::Findings;
use std::str::FromStr as _;

use pep440_rs::{Version, VersionSpecifiers};

use super::super::names::leading;
use super::super::no_builder;
use super::super::tree::Tree;
use crate::build::outcome::Failure;

/// The versions that are taken where a source leaves a choice, the best one first.
const PREFERRED: [&str; 6] = ["3.13", "3.12", "3.14", "3.11", "3.10", "3.9"];

/// The minor version of Python, `3.13`.
pub(super) fn minor(
    tree: Tree<'_>,
    requires: Option<&str>,
    findings: &mut Findings,
) -> Result<String, Failure> {
    if let Some(text) = tree.text(".python-version")? {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        let version = line.and_then(|line| leading(line.strip_prefix("cpython-").unwrap_or(line), 2));
        return version.ok_or_else(|| {
            no_builder(
                ".python-version holds no version of Python such as 3.13; write one, or remove the file",
            )
        });
    }
    let Some(requires) = requires else {
        findings.assume(format!(
            "no file names a version of Python: {} is taken; add .python-version",
            PREFERRED[0]
        ));
        return Ok(PREFERRED[0].to_owned());
    };
    let unfit = |why: &str| {
        no_builder(format!("requires-python in pyproject.toml {why}; correct it, or add .python-version"))
    };
    let wanted = VersionSpecifiers::from_str(requires).map_err(|_| unfit("cannot be read"))?;
    // The image has the newest release of its minor version.
    let newest = |minor: &&str| {
        Version::from_str(&format!("{minor}.99")).is_ok_and(|version| wanted.contains(&version))
    };
    let found = PREFERRED.iter().find(|minor| newest(minor));
    found.map(|minor| (*minor).to_owned()).ok_or_else(|| unfit("allows none of Python 3.9 to 3.14"))
}
