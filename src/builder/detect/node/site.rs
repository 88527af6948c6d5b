//! Builders of static sites: what each of them writes, where its configuration says so, and how its pages are served.

use super::super::findings::Findings;
use super::super::no_builder;
use super::config::Config;
use super::invocation::{self, Invocation};
use super::package::Package;
use super::paths;
use super::{Source, Way, expo, frameworks, react_scripts, vitepress};
use crate::builder::dockerfile::node::Serve;
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;

/// What builds a static site.
#[derive(Clone, Copy)]
pub(super) struct Builder {
    /// The package that identifies it.
    pub(super) package: &'static str,
    what: &'static str,
    /// The programs that it is called by.
    pub(super) tools: &'static [&'static str],
    /// The subcommand that builds; empty if it needs none.
    pub(super) verb: &'static str,
    /// The directory that it writes.
    output: &'static str,
    /// Its pages route in the browser.
    routes: bool,
    /// Its usual call.
    usual: &'static str,
    /// Its configuration: files, the keys of directory and base path.
    config: (&'static [&'static str], &'static str, &'static str),
    /// Its options for directory and base path.
    options: (&'static [&'static str], &'static [&'static str]),
    /// Further adjustments.
    adjust: Option<Adjust>,
}

type Adjust = fn(&Source<'_>, Option<&Invocation>, &mut Site, &mut Findings) -> Result<(), Failure>;

const NONE: Builder = Builder {
    package: "",
    what: "",
    tools: &[],
    verb: "build",
    output: "dist",
    routes: false,
    usual: "",
    config: (&[], "", ""),
    options: (&[], &[]),
    adjust: None,
};

/// Builders, each before those that it uses.
static BUILDERS: [Builder; 20] = [
    Builder {
        package: "vitepress",
        what: "VitePress",
        tools: &["vitepress"],
        usual: "vitepress build",
        adjust: Some(vitepress::adjust),
        ..NONE
    },
    Builder {
        package: "vuepress",
        what: "VuePress",
        tools: &["vuepress", "vuepress-vite", "vuepress-webpack"],
        usual: "vuepress build",
        adjust: Some(vitepress::adjust),
        ..NONE
    },
    Builder {
        package: "@docusaurus/core",
        what: "Docusaurus",
        tools: &["docusaurus"],
        output: "build",
        usual: "docusaurus build",
        config: (&["docusaurus.config"], "", "baseUrl"),
        options: (&["--out-dir"], &[]),
        ..NONE
    },
    Builder {
        package: "@11ty/eleventy",
        what: "Eleventy",
        tools: &["eleventy", "eleventy@3"],
        verb: "",
        output: "_site",
        usual: "eleventy",
        config: (&["eleventy.config", ".eleventy"], "dir.output", ""),
        options: (&["--output"], &[]),
        ..NONE
    },
    Builder {
        package: "gatsby",
        what: "Gatsby",
        tools: &["gatsby"],
        output: "public",
        usual: "gatsby build",
        ..NONE
    },
    Builder {
        package: "hexo",
        what: "Hexo",
        tools: &["hexo"],
        verb: "generate",
        output: "public",
        usual: "hexo generate",
        ..NONE
    },
    Builder {
        package: "expo",
        what: "Expo",
        tools: &["expo"],
        verb: "export",
        routes: true,
        usual: "expo export --platform web",
        options: (&["--output-dir"], &[]),
        adjust: Some(expo::adjust),
        ..NONE
    },
    Builder {
        package: "react-scripts",
        what: "Create React App",
        tools: &["react-scripts", "craco", "react-app-rewired"],
        output: "build",
        routes: true,
        usual: "react-scripts build",
        adjust: Some(react_scripts::adjust),
        ..NONE
    },
    Builder {
        package: "@vue/cli-service",
        what: "Vue",
        tools: &["vue-cli-service"],
        routes: true,
        usual: "vue-cli-service build",
        config: (&["vue.config"], "outputDir", "publicPath"),
        options: (&["--dest"], &[]),
        ..NONE
    },
    Builder {
        package: "ember-cli",
        what: "Ember",
        tools: &["ember"],
        routes: true,
        usual: "ember build --environment=production",
        options: (&["--output-path", "-o"], &[]),
        ..NONE
    },
    Builder {
        package: "@quasar/app-vite",
        what: "Quasar",
        tools: &["quasar"],
        output: "dist/spa",
        routes: true,
        usual: "quasar build",
        ..NONE
    },
    Builder {
        package: "@slidev/cli",
        what: "Slidev",
        tools: &["slidev"],
        routes: true,
        usual: "slidev build",
        options: (&["--out", "-o"], &["--base"]),
        ..NONE
    },
    Builder {
        package: "@rsbuild/core",
        what: "Rsbuild",
        tools: &["rsbuild"],
        routes: true,
        usual: "rsbuild build",
        config: (&["rsbuild.config"], "output.distPath.root", "server.base"),
        options: (&["--dist-path"], &["--base"]),
        ..NONE
    },
    VITE,
    Builder {
        package: "parcel",
        what: "Parcel",
        tools: &["parcel"],
        routes: true,
        usual: "parcel build index.html",
        options: (&["--dist-dir"], &["--public-url"]),
        ..NONE
    },
    Builder {
        package: "parcel-bundler",
        what: "Parcel",
        tools: &["parcel"],
        routes: true,
        usual: "parcel build index.html",
        options: (&["--out-dir", "-d"], &["--public-url"]),
        ..NONE
    },
    Builder {
        package: "preact-cli",
        what: "Preact",
        tools: &["preact"],
        output: "build",
        routes: true,
        usual: "preact build",
        options: (&["--dest"], &[]),
        ..NONE
    },
    Builder {
        package: "webpack-cli",
        what: "webpack",
        tools: &["webpack", "webpack-cli"],
        verb: "",
        routes: true,
        usual: "webpack --mode=production",
        config: (
            &["webpack.config", "webpack.prod", "webpack.config.prod"],
            "output.path",
            "output.publicPath",
        ),
        options: (&["--output-path", "-o"], &[]),
        ..NONE
    },
    Builder {
        package: "storybook",
        what: "Storybook",
        tools: &["storybook", "build-storybook"],
        output: "storybook-static",
        usual: "storybook build",
        options: (&["--output-dir", "-o"], &[]),
        ..NONE
    },
    Builder {
        package: "@marp-team/marp-cli",
        what: "Marp",
        tools: &["marp"],
        verb: "",
        usual: "marp",
        options: (&["--output", "-o"], &[]),
        ..NONE
    },
];

pub(super) const VITE: Builder = Builder {
    package: "vite",
    what: "Vite",
    tools: &["vite"],
    routes: true,
    usual: "vite build",
    config: (&["vite.config"], "build.outDir", "base"),
    options: (&["--outDir"], &["--base"]),
    ..NONE
};

impl Builder {
    /// Whether a script calls it to build.
    pub(super) fn is_built_by(&self, package: &Package, line: &str) -> bool {
        let call = invocation::of(package, line, self.tools);
        let serves = |call: &Invocation| {
            ["serve", "--serve", "--watch", "dev", "start"].iter().any(|word| call.has(word))
        };
        call.is_some_and(|call| if self.verb.is_empty() { !serves(&call) } else { call.has(self.verb) })
    }
}

/// The builder of a package.json: the one that its `build` script calls, else the first whose package is present.
pub(super) fn builder(package: &Package) -> Option<Builder> {
    let there = || BUILDERS.iter().filter(|builder| package.has(builder.package));
    let line = package.scripts.get("build").map_or("", String::as_str);
    let called = there().find(|builder| builder.is_built_by(package, line));
    called
        .or_else(|| {
            there().find(|builder| builder.package != "storybook" && builder.package != "webpack-cli")
        })
        .copied()
}

/// How a static site is built and served.
pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let builder = builder(&source.package).ok_or_else(|| {
        no_builder(
            "package.json has no known static site builder (such as vite); add a \"start\" script, set \
             spec.build.outputDirectory to the directory of the built pages, or add a Dockerfile",
        )
    })?;
    way_of(source, &builder, findings)
}

pub(super) fn way_of(
    source: &Source<'_>,
    builder: &Builder,
    findings: &mut Findings,
) -> Result<Way, Failure> {
    let (build, call) = frameworks::build(source, builder.tools, builder.verb, builder.usual, findings)?;
    let otherwise =
        if builder.routes { Otherwise::Page("index.html".to_owned()) } else { Otherwise::NotFound };
    let mut site = Site::new(builder.output, otherwise);
    let (files, output, base) = builder.config;
    let config = Config::read(source, files)?;
    let root = config.get("root").and_then(super::javascript::Value::text).unwrap_or_default().to_owned();
    let root = if builder.package == "vite" {
        called_root(call.as_ref(), builder).unwrap_or(root)
    } else {
        String::new()
    };
    let root = paths::output(source, "", &root, "root")?;
    let said = call.as_ref().and_then(|call| call.option(builder.options.0)).map(str::to_owned);
    let read = if output.is_empty() { None } else { config.text(output, findings) };
    if let Some(path) = said.or(read) {
        let key = output.rsplit('.').next().filter(|key| !key.is_empty()).unwrap_or("the output directory");
        site.output = paths::output(source, &root, &path, &format!("{key} in {}", config.file))?;
    } else if !root.is_empty() {
        site.output = format!("{root}/{}", site.output);
    }
    let said = call.as_ref().and_then(|call| call.option(builder.options.1)).map(str::to_owned);
    let read = if base.is_empty() { None } else { config.text(base, findings) };
    if let Some(path) = said.or(read) {
        answer_at(&path, &mut site, findings);
    }
    if let Some(adjust) = builder.adjust {
        adjust(source, call.as_ref(), &mut site, findings)?;
    }
    Ok(Way::site(builder.what, build, site))
}

/// `vite build web`: the directory that the site is in.
fn called_root(call: Option<&Invocation>, builder: &Builder) -> Option<String> {
    call?.argument(builder.verb).map(str::to_owned)
}

/// Serves a site below the path that its pages are made for.
pub(super) fn answer_at(path: &str, site: &mut Site, findings: &mut Findings) {
    // A full URL is that of another host, such as a CDN.
    if path.contains("://") || path.starts_with("//") {
        return;
    }
    match paths::base(path) {
        Some(base) if base == "/" => {}
        Some(base) => {
            findings.assume(format!(
                "the site is served at {base}, as its configuration says; / redirects there"
            ));
            site.base = base;
        }
        None => findings
            .warn("the base path of the site is not a plain path, so the site is served at /".to_owned()),
    }
}

impl Way {
    /// A site with its constant parts.
    pub(super) fn site(what: &'static str, build: crate::builder::dockerfile::Step, site: Site) -> Self {
        Self { what, build: Some(build), cache: None, serve: Serve::Site(site), variables: &[] }
    }
}
