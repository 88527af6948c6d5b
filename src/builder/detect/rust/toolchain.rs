//! Which Rust compiles a package: the one that a file names, else the newest.

use serde::Deserialize;

use super::super::findings::Findings;
use super::super::names::{is_version, leading};
use super::super::no_builder;
use super::super::tools;
use super::super::tree::Tree;
use super::manifest::Manifest;
use crate::builder::dockerfile::images;
use crate::builder::dockerfile::rust::{self, Toolchain};
use crate::builder::outcome::Failure;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    toolchain: Section,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Section {
    channel: Option<String>,
    components: Vec<String>,
    targets: Vec<String>,
}

/// The toolchain of rust-toolchain.toml, .tool-versions or mise.toml; `rust-version` is a minimum.
pub(super) fn choose(
    tree: Tree<'_>,
    manifest: &Manifest,
    findings: &mut Findings,
) -> Result<Toolchain, Failure> {
    let (section, file) = match written(tree)? {
        Some(found) => found,
        None => match tools::wanted(tree, &["rust"])? {
            Some(wanted) => (Section { channel: Some(wanted.version), ..Section::default() }, wanted.file),
            None => (Section::default(), String::new()),
        },
    };
    let channel = section.channel.as_deref().map_or("stable", str::trim);
    let mut toolchain = match channel {
        "stable" | "latest" | "1" => {
            findings.choose("Rust", "1", newest(manifest, &file));
            Toolchain { image: "1".to_owned(), ..Toolchain::default() }
        }
        channel => {
            let toolchain = of_channel(channel).ok_or_else(|| {
                no_builder(format!(
                    "{file} names the toolchain {channel:?}, which is neither a version nor a channel of Rust; write \
                     one such as 1.92, stable or nightly-2026-01-31, or add a Dockerfile"
                ))
            })?;
            findings.choose("Rust", channel, file.clone());
            toolchain
        }
    };
    warn(&toolchain, &file, findings);
    toolchain.targets = plain(section.targets);
    // Others, such as rustfmt, are for developers.
    toolchain.components = plain(section.components);
    toolchain
        .components
        .retain(|name| matches!(name.as_str(), "rust-src" | "llvm-tools" | "llvm-tools-preview"));
    Ok(toolchain)
}

/// The toolchain file of the directory that is built, else of the root of the source.
fn written(tree: Tree<'_>) -> Result<Option<(Section, String)>, Failure> {
    for tree in [tree, tree.source()] {
        for name in ["rust-toolchain.toml", "rust-toolchain"] {
            let Some(text) = tree.text(name)? else { continue };
            // The older format has only the channel.
            let section = if text.contains('[') {
                tree.toml::<File>(name)?.unwrap_or_default().toolchain
            } else {
                Section { channel: Some(text.trim().to_owned()), ..Section::default() }
            };
            return Ok(Some((section, name.to_owned())));
        }
    }
    Ok(None)
}

fn newest(manifest: &Manifest, file: &str) -> String {
    let least = manifest.package.as_ref().and_then(|package| package.rust_version.as_ref()?.as_str());
    match (least.filter(|version| is_version(version)), file) {
        (_, file) if !file.is_empty() => format!("the newest; {file}"),
        (Some(version), _) => format!("the newest; rust-version in Cargo.toml requires {version} or later"),
        (None, _) => "the newest; the source names no version".to_owned(),
    }
}

/// An image for a version that has one; for others rustup fetches the toolchain into the newest image.
fn of_channel(channel: &str) -> Option<Toolchain> {
    let (first, last) = images::minors(rust::IMAGE);
    if is_version(channel) {
        let minor = leading(channel, 2)?;
        let number: u32 = minor.strip_prefix("1.")?.parse().ok()?;
        if (first..=last).contains(&number) {
            return Some(Toolchain { image: minor, ..Toolchain::default() });
        }
    } else {
        let (name, date) = channel.split_once('-').unwrap_or((channel, ""));
        let dated = date.is_empty()
            || date.len() == 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if !["stable", "beta", "nightly"].contains(&name) || !dated {
            return None;
        }
    }
    Some(Toolchain { image: "1".to_owned(), fetched: Some(channel.to_owned()), ..Toolchain::default() })
}

fn warn(toolchain: &Toolchain, file: &str, findings: &mut Findings) {
    let Some(channel) = &toolchain.fetched else { return };
    let (_, last) = images::minors(rust::IMAGE);
    let number = channel.strip_prefix("1.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    if number.is_some_and(|number| number > last) {
        findings.warn(format!(
            "{file} names Rust {channel}, which is newer than any that this operator knows (1.{last}); rustup fetches \
             it, and the build fails if there is no such release"
        ));
    } else if channel == "nightly" || channel == "beta" {
        findings.warn(format!(
            "{file} names the latest {channel}, so the same source may fail tomorrow; write a date, such as \
             {channel}-2026-01-31"
        ));
    }
}

fn plain(names: Vec<String>) -> Vec<String> {
    let is_plain = |name: &String| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && !name.starts_with('-')
    };
    names.into_iter().filter(is_plain).collect()
}
