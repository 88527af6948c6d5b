//! Vite and other builders of static sites.

use super::super::names::is_path;
use super::super::no_builder;
use super::package::Package;
use super::{Source, Way, quoted};
use crate::build::dockerfile::node::Serve;
use crate::build::dockerfile::site::{Otherwise, Site};
use crate::build::outcome::Failure;

/// What builds a static site.
#[derive(Clone, Copy, Debug)]
pub(super) struct Builder {
    /// The package that is asked for.
    pub(super) package: &'static str,
    what: &'static str,
    /// The directory that it writes.
    output: &'static str,
    /// Its pages route in the browser.
    routes: bool,
    /// Its usual `build` script.
    usual: &'static str,
}

const BUILDERS: [Builder; 7] = [
    Builder {
        package: "vitepress",
        what: "VitePress",
        output: ".vitepress/dist",
        routes: false,
        usual: "vitepress build",
    },
    Builder {
        package: "@11ty/eleventy",
        what: "Eleventy",
        output: "_site",
        routes: false,
        usual: "eleventy",
    },
    Builder { package: "gatsby", what: "Gatsby", output: "public", routes: false, usual: "gatsby build" },
    Builder {
        package: "react-scripts",
        what: "Create React App",
        output: "build",
        routes: true,
        usual: "react-scripts build",
    },
    Builder {
        package: "@vue/cli-service",
        what: "Vue",
        output: "dist",
        routes: true,
        usual: "vue-cli-service build",
    },
    Builder { package: "vite", what: "Vite", output: "dist", routes: true, usual: "vite build" },
    Builder {
        package: "parcel",
        what: "Parcel",
        output: "dist",
        routes: true,
        usual: "parcel build index.html",
    },
];

/// The builder that a package.json asks for.
pub(super) fn builder(package: &Package) -> Option<Builder> {
    BUILDERS.into_iter().find(|builder| package.has(builder.package))
}

/// How a static site is built and served.
pub(super) fn way(source: &Source<'_>) -> Result<Way, Failure> {
    let builder = builder(&source.package).ok_or_else(|| {
        no_builder(
            "package.json asks for no builder of static sites that is known (such as vite); add a \"start\" script, or a \
             Dockerfile",
        )
    })?;
    let mut output = builder.output.to_owned();
    if builder.package == "vite" {
        let configuration = source.configuration("vite")?;
        if let Some(directory) = quoted(&configuration, "outDir") {
            let directory = directory.trim_start_matches("./").trim_end_matches('/');
            if !is_path(directory) {
                return Err(no_builder(
                    "outDir in vite.config is no plain directory inside the source; write one such as \"dist\"",
                ));
            }
            directory.clone_into(&mut output);
        }
    }
    let otherwise =
        if builder.routes { Otherwise::Page("index.html".to_owned()) } else { Otherwise::NotFound };
    let build = Some(source.build(builder.usual)?);
    Ok(Way { what: builder.what, build, cache: None, serve: Serve::Site(Site::new(output, otherwise)) })
}
