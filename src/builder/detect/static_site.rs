//! A static site without a build: which of its directories is served.

use super::findings::Findings;
use super::node::paths;
use super::tree::Tree;
use super::{Context, Generated, missing, no_builder, node};
use crate::builder::dockerfile::site::{self, Otherwise, Site};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

/// Where finished pages are, the source itself first.
const INDEX: [&str; 9] = [
    "index.html",
    "public/index.html",
    "dist/index.html",
    "docs/index.html",
    "_site/index.html",
    "build/index.html",
    "out/index.html",
    "www/index.html",
    "site/index.html",
];

/// The page that identifies a static site.
pub(super) fn page(tree: Tree<'_>) -> Option<&'static str> {
    tree.first(&INDEX)
}

/// The file that identifies a static site, or the field that does.
pub(super) fn sign(tree: Tree<'_>, settings: &Settings) -> Option<&'static str> {
    let named = settings.output_directory.as_deref().is_some_and(|directory| tree.has_directory(directory));
    named
        .then_some("spec.build.outputDirectory")
        .or_else(|| tree.first(&["Staticfile"]))
        .or_else(|| page(tree))
}

/// The recipe of a site without a build, or of one that a package.json builds.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    if node::builds_site(tree, settings)? {
        return node::recipe(tree, settings);
    }
    if settings.command.is_some() {
        return Err(no_builder(
            "spec.build.command has nothing to build, because nginx serves the files of a static site as they are; \
             remove it, or set spec.build.framework to the tool that builds the site",
        ));
    }
    let mut findings = Findings::default();
    let index = page(tree).and_then(|index| index.strip_suffix("index.html"));
    let mut site = Site {
        built: false,
        ..Site::new(index.unwrap_or_default().trim_end_matches('/'), Otherwise::NotFound)
    };
    paths::hosted(tree, &mut site, &mut findings)?;
    if let Some(directory) = &settings.output_directory {
        site.output = paths::plain(directory)?;
    }
    let there = site.output.is_empty() || tree.has_directory(&site.output);
    if !there || index.is_none() && site.output.is_empty() {
        let file = if there { "index.html".to_owned() } else { site.output };
        return Err(missing(&file, Framework::Static));
    }
    if !site.output.is_empty() {
        findings.assume(format!("nginx serves only {}/", site.output));
    }
    Ok(Generated {
        framework: Framework::Static,
        text: site::files(&site),
        context: Context::Directory,
        findings,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Recipe;
    use super::super::tests::{auto, found};
    use super::*;

    fn served(files: &[(&str, &str)]) -> String {
        match auto(files) {
            Ok(Recipe::Generated(made)) => made.text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn finished_pages_are_served_from_conventional_directories() {
        for directory in ["public", "dist", "docs", "_site", "build", "out", "www", "site"] {
            let text = served(&[(&format!("{directory}/index.html"), ""), ("README.md", "")]);
            assert!(text.contains(&format!("COPY --link {directory}/ /srv/www/\n")), "{text}");
        }
        assert!(served(&[("index.html", ""), ("docs/index.html", "")]).contains("COPY --link . /srv/www/\n"));
    }

    #[test]
    fn a_staticfile_names_the_directory_and_the_router() {
        let text = served(&[("Staticfile", "root: hello\n"), ("hello/index.html", "")]);
        assert!(text.contains("COPY --link hello/ /srv/www/") && text.contains("$uri/ =404;"), "{text}");
        let text = served(&[("Staticfile", "index_fallback: true\n"), ("index.html", "")]);
        assert!(text.contains("$uri/ /index.html;"), "{text}");
        for text in ["root: ../..\n", "root: /etc\n", "root: a b\n", "root: gone\n"] {
            assert!(auto(&[("Staticfile", text), ("index.html", "")]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_configured_directory_is_served() {
        let settings = Settings { output_directory: Some("pages".into()), ..Settings::default() };
        let Ok(Recipe::Generated(made)) = found(&[("pages/a.html", ""), ("README.md", "")], &settings) else {
            panic!()
        };
        assert!(made.text.contains("COPY --link pages/ /srv/www/"), "{}", made.text);
        for directory in ["gone", "../x", "a b", "/etc"] {
            let settings = Settings { output_directory: Some(directory.into()), ..Settings::default() };
            assert!(found(&[("index.html", "")], &settings).is_err(), "{directory}");
        }
    }

    #[test]
    fn configuration_for_other_servers_is_reported_as_ignored() {
        let Ok(Recipe::Generated(made)) = auto(&[("index.html", ""), ("Caddyfile", ":80\n")]) else {
            panic!()
        };
        assert!(
            made.findings.warnings.iter().any(|text| text.contains("Caddyfile is not read")),
            "{:?}",
            made.findings
        );
    }
}
