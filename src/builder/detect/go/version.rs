//! Which Go builds a module: go.mod names a minimum, a version manager file the exact version.

use super::super::findings::Findings;
use super::super::tools;
use super::super::tree::Tree;
use super::layout::Layout;
use super::module::Version;
use super::no_builder;
use crate::builder::dockerfile::{go, images};
use crate::builder::outcome::Failure;

/// The image of Go, and the toolchain that it fetches if the source names an exact version.
pub(super) fn choose(
    tree: Tree<'_>,
    layout: &Layout<'_>,
    findings: &mut Findings,
) -> Result<go::Version, Failure> {
    let (oldest, newest) = images::minors(go::IMAGE);
    let least = minimum(layout);
    if let Some((version, file)) =
        least.as_ref().filter(|(version, _)| version.major != 1 || version.minor > newest)
    {
        return Err(no_builder(format!(
            "{file} requires Go {version}, but the newest that this operator knows is 1.{newest}; lower it (go mod \
             edit -go=1.{newest} -toolchain=none), or add a Dockerfile"
        )));
    }
    let Some((wanted, file)) = wanted(tree)? else {
        let because = match least {
            Some((version, file)) => format!("the newest; {file} requires {version} or later"),
            None => "the newest; the source names no version".to_owned(),
        };
        findings.choose("Go", format!("1.{newest}"), because);
        return Ok(go::Version { minor: newest, exact: None });
    };
    if wanted.major != 1 || wanted.minor > newest {
        return Err(no_builder(format!(
            "{file} requires Go {wanted}, but the newest that this operator knows is 1.{newest}; lower it, or add a \
             Dockerfile"
        )));
    }
    if let Some((version, module)) = least.filter(|(version, _)| {
        (version.minor, version.patch) > (wanted.minor, wanted.patch.or(Some(u32::MAX)))
    }) {
        findings.warn(format!(
            "{file} names Go {wanted}, but {module} requires {version} or later, so the build uses 1.{newest}"
        ));
        findings.choose(
            "Go",
            format!("1.{newest}"),
            format!("the newest; {module} requires {version} or later"),
        );
        return Ok(go::Version { minor: newest, exact: None });
    }
    findings.choose("Go", wanted.to_string(), file);
    // The image fetches the toolchain for exact versions, and for those older than the oldest image.
    let exact = (wanted.patch.is_some() || wanted.minor < oldest).then(|| wanted.to_string());
    let minor = if wanted.minor < oldest { newest } else { wanted.minor };
    Ok(go::Version { minor, exact })
}

/// The highest version that a module requires, and the line that requires it.
fn minimum(layout: &Layout<'_>) -> Option<(Version, String)> {
    let versions = layout.modules.iter().flat_map(|(base, module)| {
        let named = |word: &str, version: Option<Version>| {
            version.map(|version| (version, format!("{word} in {base}go.mod")))
        };
        [named("go", module.go), named("toolchain", module.toolchain)]
    });
    versions.flatten().max_by_key(|(version, _)| *version)
}

/// The version in .tool-versions, mise.toml or .go-version; `latest` counts as none.
fn wanted(tree: Tree<'_>) -> Result<Option<(Version, String)>, Failure> {
    let found = tools::wanted(tree, &["go", "golang"])?.map(|wanted| (wanted.version, wanted.file));
    let found = match found {
        None => tree.text(".go-version")?.map(|text| (text.trim().to_owned(), ".go-version".to_owned())),
        found => found,
    };
    let Some((text, file)) =
        found.filter(|(text, _)| !matches!(text.as_str(), "" | "latest" | "1" | "system"))
    else {
        return Ok(None);
    };
    match Version::parse(text.trim_start_matches("prefix:")) {
        Some(version) => Ok(Some((version, file))),
        None => Err(no_builder(format!("{file} names no version of Go; write one such as 1.25 or 1.25.3"))),
    }
}
