//! Directories and base paths of sites, as tools name them. Only plain ones get into a Dockerfile.

use super::super::findings::Findings;
use super::super::names::is_path;
use super::super::no_builder;
use super::super::tree::Tree;
use super::Source;
use super::javascript::directory;
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;

/// A directory that a tool writes, relative to `root`, inside of the project; `said` names the setting in errors.
pub(super) fn output(source: &Source<'_>, root: &str, path: &str, said: &str) -> Result<String, Failure> {
    // In a workspace the whole source is present, so a package may write outside of its own directory.
    let here = source.directory();
    let depth = if here.is_empty() { 0 } else { here.split('/').count() };
    let plain = |text: String| (text.is_empty() || is_path(&text)).then_some(text);
    let inside = directory(root, path).and_then(plain);
    let above = || {
        let whole = directory(&[here, root].join("/"), path).and_then(plain)?;
        Some(format!("{}{whole}", "../".repeat(depth)))
    };
    inside.or_else(|| above().filter(|_| depth > 0)).ok_or_else(|| {
        no_builder(format!(
            "{said} is not a plain directory inside the source; write one such as \"dist\", or set \
            spec.build.outputDirectory"
        ))
    })
}

/// A directory below the project that a field names.
pub(in super::super) fn plain(path: &str) -> Result<String, Failure> {
    directory("", path).filter(|path| path.is_empty() || is_path(path)).ok_or_else(|| {
        no_builder(
            "spec.build.outputDirectory is not a plain directory inside the source; write one such as dist",
        )
    })
}

/// The base path of a site: `/`, or `/game/`. None if it is not plain.
pub(super) fn base(text: &str) -> Option<String> {
    let path = match text.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => text,
    };
    let path = path.trim_start_matches("./").trim_matches('/');
    if path.is_empty() || path == "." {
        return Some("/".to_owned());
    }
    is_path(path).then(|| format!("/{path}/"))
}

/// Files of other hosting platforms: reads a Staticfile, and warns about the others.
pub(in super::super) fn hosted(
    tree: Tree<'_>,
    site: &mut Site,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let file = staticfile(tree)?;
    if let Some(root) = file.root {
        site.output = root;
    }
    match file.router {
        Some(true) => site.otherwise = Otherwise::Page("index.html".to_owned()),
        Some(false) => site.otherwise = Otherwise::NotFound,
        None => {}
    }
    for name in ["Caddyfile", "nginx.conf", "_redirects", "netlify.toml", "vercel.json", "firebase.json"] {
        if tree.has(name) {
            findings.warn(format!(
                "{name} is not read: nginx serves the files as docs/frameworks.md describes; to serve them \
                 differently, add a Dockerfile"
            ));
        }
    }
    Ok(())
}

/// What a Staticfile says.
#[derive(Default)]
struct Staticfile {
    /// The directory that is served.
    root: Option<String>,
    /// A page path gets index.html.
    router: Option<bool>,
}

fn staticfile(tree: Tree<'_>) -> Result<Staticfile, Failure> {
    let Some(text) = tree.text("Staticfile")? else { return Ok(Staticfile::default()) };
    let mut file = Staticfile::default();
    for line in text.lines() {
        let Some((key, value)) = line.split('#').next().unwrap_or_default().split_once(':') else { continue };
        let value = value.trim().trim_matches(['"', '\'']);
        let yes = || matches!(value, "true" | "enabled" | "on" | "yes");
        match key.trim() {
            "root" => {
                let root = directory("", value).filter(|root| root.is_empty() || is_path(root));
                let wrong =
                    "root in Staticfile is not a plain directory inside the source; write one such as dist";
                file.root = Some(root.ok_or_else(|| no_builder(wrong))?);
            }
            "index_fallback" | "pushstate" => file.router = Some(yes()),
            _ => {}
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_starts_and_ends_with_a_slash() {
        for (text, path) in [
            ("/", "/"),
            ("", "/"),
            ("./", "/"),
            (".", "/"),
            ("/game/", "/game/"),
            ("docs", "/docs/"),
            ("/a/b", "/a/b/"),
            ("https://who.example/repo", "/repo/"),
            ("https://cdn.example", "/"),
        ] {
            assert_eq!(base(text).as_deref(), Some(path), "{text}");
        }
        for text in ["/a b/", "/a;return 200/", "/../", "/$host/", "/a\nb"] {
            assert_eq!(base(text), None, "{text}");
        }
    }
}
