//! Astro: files, or a server with the adapter for Node.

use super::super::findings::Findings;
use super::super::no_builder;
use super::config::Config;
use super::javascript::Value;
use super::{Source, Way, frameworks, paths, site};
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;

/// Adapters whose output runs only on one hosting platform.
const HOSTED: [&str; 5] =
    ["@astrojs/vercel", "@astrojs/netlify", "@astrojs/cloudflare", "@astrojs/deno", "@deno/astro-adapter"];

/// How Astro is built and served.
pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let (build, call) = frameworks::build(source, &["astro"], "build", "astro build", findings)?;
    let config = Config::read(source, &["astro.config"])?;
    let said = call.as_ref().and_then(|call| call.option(&["--outDir", "--out-dir"])).map(str::to_owned);
    let output = said.or_else(|| config.text("outDir", findings)).unwrap_or_else(|| "dist".to_owned());
    let output = paths::output(source, "", &output, "outDir in astro.config")?;
    let adapter =
        source.package.has("@astrojs/node") && (config.get("adapter").is_some() || config.file.is_empty());
    if adapter {
        if config.given(&["node"]).and_then(|options| options.get("mode")).and_then(Value::text)
            == Some("middleware")
        {
            return Err(no_builder(
                "astro.config gives @astrojs/node mode: \"middleware\", which starts no server; set mode: \
                 \"standalone\", or add a \"start\" script for your own server",
            ));
        }
        let file = format!("{output}/server/entry.mjs");
        return Ok(Way::program("Astro", build, Some(&["node", &file])));
    }
    let hosted = HOSTED.iter().find(|name| source.package.has(name) && config.get("adapter").is_some());
    if let Some(adapter) = hosted {
        return Err(no_builder(format!(
            "astro.config uses the adapter {adapter}, whose output runs only on that platform; use @astrojs/node \
             instead (npx astro add node), or remove the adapter"
        )));
    }
    if matches!(config.get("output").and_then(Value::text), Some("server" | "hybrid")) {
        return Err(no_builder(
            "astro.config requires a server, but package.json has no @astrojs/node; add it (npx astro add node), or \
             remove output: \"server\"",
        ));
    }
    let mut made = Site::new(output, Otherwise::NotFound);
    let said = call.as_ref().and_then(|call| call.option(&["--base"])).map(str::to_owned);
    if let Some(path) = said.or_else(|| config.text("base", findings)) {
        site::answer_at(&path, &mut made, findings);
    }
    Ok(Way::site("Astro", build, made))
}
