//! Which Go builds a module: go.mod names the oldest one that will do, a file for version managers the very one.

use super::super::findings::Findings;
use super::super::tools;
use super::super::tree::Tree;
use super::layout::Layout;
use super::module::Version;
use super::no_builder;
use crate::builder::dockerfile::{go, images};
use crate::builder::outcome::Failure;

/// The image of Go, and the toolchain that it fetches where an exact one is asked for.
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
            "{file} asks for Go {version}, and the newest that this operator knows is 1.{newest}; lower it (go mod edit \
             -go=1.{newest} -toolchain=none), or add a Dockerfile"
        )));
    }
    let Some((wanted, file)) = wanted(tree)? else {
        let because = match least {
            Some((version, file)) => format!("the newest; {file} asks for {version} or later"),
            None => "the newest; nothing asks for a version".to_owned(),
        };
        findings.choose("Go", format!("1.{newest}"), because);
        return Ok(go::Version { minor: newest, exact: None });
    };
    if wanted.major != 1 || wanted.minor > newest {
        return Err(no_builder(format!(
            "{file} asks for Go {wanted}, and the newest that this operator knows is 1.{newest}; lower it, or add a \
             Dockerfile"
        )));
    }
    if let Some((version, module)) = least.filter(|(version, _)| {
        (version.minor, version.patch) > (wanted.minor, wanted.patch.or(Some(u32::MAX)))
    }) {
        findings.warn(format!(
            "{file} asks for Go {wanted}, but {module} for {version} or later: 1.{newest} is taken"
        ));
        findings.choose(
            "Go",
            format!("1.{newest}"),
            format!("the newest; {module} asks for {version} or later"),
        );
        return Ok(go::Version { minor: newest, exact: None });
    }
    findings.choose("Go", wanted.to_string(), file);
    // Below the oldest image, and for every exact version, the image fetches what its own Go is not.
    let exact = (wanted.patch.is_some() || wanted.minor < oldest).then(|| wanted.to_string());
    let minor = if wanted.minor < oldest { newest } else { wanted.minor };
    Ok(go::Version { minor, exact })
}

/// The highest version that a module asks for, and the line that does.
fn minimum(layout: &Layout<'_>) -> Option<(Version, String)> {
    let versions = layout.modules.iter().flat_map(|(base, module)| {
        let named = |word: &str, version: Option<Version>| {
            version.map(|version| (version, format!("{word} in {base}go.mod")))
        };
        [named("go", module.go), named("toolchain", module.toolchain)]
    });
    versions.flatten().max_by_key(|(version, _)| *version)
}

/// What .tool-versions, mise.toml or .go-version ask for; `latest` asks for nothing.
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
