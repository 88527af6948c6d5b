//! SvelteKit: a server for Node or static files, by its adapter.

use super::super::findings::Findings;
use super::super::names::is_path;
use super::super::no_builder;
use super::config::Config;
use super::javascript::Value;
use super::{Source, Way, frameworks, paths, site};
use crate::builder::dockerfile::Step;
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;

/// The variable that makes adapter-auto use the Node adapter: it belongs to the only host known to it that runs Node.
const AUTO: [(&str, &str); 1] = [("GCP_BUILDPACKS", "1")];

/// How SvelteKit is built and served.
pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let (build, _) = frameworks::build(source, &["vite"], "build", "vite build", findings)?;
    let config = Config::read(source, &["svelte.config"])?;
    let has = |adapter: &str| source.package.has(&format!("@sveltejs/adapter-{adapter}"));
    // A project may have unused adapters; the one that its configuration imports counts.
    let text = if config.file.is_empty() {
        String::new()
    } else {
        source.tree.text(&config.file)?.unwrap_or_default()
    };
    let named = ["node", "static", "auto"].into_iter().find(|name| {
        text.contains(&format!("adapter-{name}'")) || text.contains(&format!("adapter-{name}\""))
    });
    let adapter = named.or_else(|| ["node", "static", "auto"].into_iter().find(|name| has(name)));
    let options = match config.get("kit.adapter") {
        Some(Value::Call(_, given)) => given.first(),
        _ => None,
    };
    let option = |key: &str| options.and_then(|options| options.get(key)).and_then(Value::text);
    match adapter {
        Some("node") => server(source, build, option("out").unwrap_or("build"), findings),
        Some("static") => {
            let output = option("pages").or_else(|| option("assets")).unwrap_or("build");
            let fallback = option("fallback").filter(|page| is_path(page));
            let otherwise = fallback.map_or(Otherwise::NotFound, |page| match page {
                "404.html" => Otherwise::NotFound,
                page => Otherwise::Page(page.to_owned()),
            });
            let mut made = Site::new(paths::output(source, "", output, "pages in svelte.config")?, otherwise);
            if let Some(path) = config.text("kit.paths.base", findings) {
                site::answer_at(&path, &mut made, findings);
            }
            Ok(Way::site("SvelteKit", build, made))
        }
        Some(_) => {
            findings.warn(
                "@sveltejs/adapter-auto installs the adapter for Node in every build, in a version that no lock file \
                 pins; name @sveltejs/adapter-node in svelte.config.js",
            );
            Ok(Way { variables: &AUTO, ..server(source, build, "build", findings)? })
        }
        None => Err(no_builder(
            "package.json has neither @sveltejs/adapter-node (a server) nor @sveltejs/adapter-static (files); add one of \
             them and name it in svelte.config.js",
        )),
    }
}

fn server(source: &Source<'_>, build: Step, output: &str, findings: &mut Findings) -> Result<Way, Failure> {
    findings.assume(
        "SvelteKit rejects forms unless ORIGIN is the public address; set it in spec.run.env, such as \
        https://shop.example.com",
    );
    let output = paths::output(source, "", output, "out in svelte.config")?;
    Ok(Way::program("SvelteKit", build, Some(&["node", &output])))
}
