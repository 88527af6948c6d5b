//! A program in Gleam: gleam.toml, and which Gleam compiles it.

use serde::Deserialize;

use super::assets::Assets;
use super::choice;
use super::findings::Findings;
use super::names::{is_identifier, leading};
use super::tools;
use super::tree::Tree;
use super::{Context, Generated, missing, no_builder, step};
use crate::builder::dockerfile::gleam::{self, Plan};
use crate::builder::dockerfile::{Step, images};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Manifest {
    name: String,
    target: Option<String>,
    /// The versions of Gleam that compile it.
    gleam: Option<String>,
}

/// The recipe for a gleam.toml.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let manifest: Manifest =
        tree.toml("gleam.toml")?.ok_or_else(|| missing("gleam.toml", Framework::Gleam))?;
    let mut findings = Findings::default();
    if !is_identifier(&manifest.name) {
        return Err(no_builder("gleam.toml has no name of letters, digits and '_'; correct its name"));
    }
    if manifest.target.as_deref() == Some("javascript") {
        return Err(no_builder(
            "gleam.toml has the target javascript, for which no Dockerfile can be generated; remove it to compile for \
             Erlang, or add a Dockerfile",
        ));
    }
    let source = format!("src/{}.gleam", manifest.name);
    if !tree.text(&source)?.is_some_and(|text| text.contains("pub fn main(")) {
        findings.warn(format!("{source} has no function main, which the program starts with"));
    }
    let version = version(tree, &manifest, &mut findings)?;
    choice::unused_procfile(tree, &mut findings)?;
    let assets = Assets::find(tree, "");
    assets.sentence().into_iter().for_each(|sentence| findings.assume(sentence));
    let plan = Plan {
        version,
        locked: tree.has("manifest.toml"),
        build: step(settings).unwrap_or(Step::Usual),
        arguments: super::arguments(settings),
        assets,
    };
    Ok(Generated {
        framework: Framework::Gleam,
        text: gleam::text(&plan),
        context: Context::Directory,
        findings,
    })
}

/// The version from a version manager file, else the newest. The version in gleam.toml is a minimum.
fn version(tree: Tree<'_>, manifest: &Manifest, findings: &mut Findings) -> Result<String, Failure> {
    let newest = images::GLEAM[images::GLEAM.len() - 1];
    let wanted = tools::wanted(tree, &["gleam"])?.filter(|wanted| wanted.version != "latest");
    if let Some(wanted) = wanted {
        let asked = wanted.version.trim_start_matches('v').to_owned();
        let known =
            images::GLEAM.iter().rfind(|known| **known == asked || known.starts_with(&format!("{asked}.")));
        let known = known.ok_or_else(|| {
            no_builder(format!(
                "{} requires Gleam {asked:?}, which has no image (there are {}); change it, or add a Dockerfile",
                wanted.file,
                images::GLEAM.join(", ")
            ))
        })?;
        findings.choose("Gleam", *known, wanted.file);
        return Ok((*known).to_owned());
    }
    let least =
        manifest.gleam.as_deref().and_then(|text| text.split(">=").nth(1)).and_then(|text| leading(text, 2));
    let number =
        |text: &str| text.split('.').map(|part| part.parse::<u32>().unwrap_or(0)).take(2).collect::<Vec<_>>();
    if let Some(least) = least.filter(|least| number(least) > number(newest)) {
        return Err(no_builder(format!(
            "gleam.toml requires Gleam {least} or later, but the newest that this operator knows is {newest}; lower \
             it, or add a Dockerfile"
        )));
    }
    findings.choose("Gleam", newest, "the newest; the version in gleam.toml is a minimum");
    Ok(newest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Recipe;
    use super::super::tests::{auto, generated};
    use super::*;

    const TOML: (&str, &str) = ("gleam.toml", "name = \"shop\"\ngleam = \">= 1.9.0\"\n");
    const MAIN: (&str, &str) = ("src/shop.gleam", "pub fn main() {}\n");

    #[test]
    fn a_gleam_program_is_built_as_an_erlang_shipment() {
        let (framework, text) = generated(&[TOML, MAIN, ("manifest.toml", "")]);
        assert_eq!(framework, "Gleam");
        for part in [
            "gleam:v1.13.0-erlang-alpine",
            "COPY gleam.toml manifest.toml ./",
            "gleam export erlang-shipment",
            "[\"/app/entrypoint.sh\", \"run\"]",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn every_version_yields_an_existing_image_or_a_rejection() {
        for version in images::GLEAM {
            let tools = format!("gleam {version}");
            assert!(
                generated(&[TOML, MAIN, (".tool-versions", &tools)])
                    .1
                    .contains(&format!("v{version}-erlang"))
            );
        }
        assert!(generated(&[TOML, MAIN, (".tool-versions", "gleam 1.6")]).1.contains("v1.6.3-erlang"));
        for minor in 0..40 {
            for asked in [format!("gleam 1.{minor}.0"), format!("gleam 1.{minor}")] {
                if let Ok(Recipe::Generated(made)) = auto(&[TOML, MAIN, (".tool-versions", &asked)]) {
                    assert!(images::named(&made.text).into_iter().all(images::is_known), "{}", made.text);
                }
            }
        }
        let future = auto(&[("gleam.toml", "name = \"shop\"\ngleam = \">= 1.99.0\""), MAIN]).unwrap_err();
        assert!(future.message.contains("1.99 or later"), "{}", future.message);
        assert!(auto(&[TOML, MAIN, (".tool-versions", "gleam $(evil)")]).is_err());
    }

    #[test]
    fn unsupported_projects_are_rejected_with_the_reason() {
        assert!(
            auto(&[("gleam.toml", "name = \"a; evil\"")]).unwrap_err().message.contains("correct its name")
        );
        let script = auto(&[("gleam.toml", "name = \"a\"\ntarget = \"javascript\"")]).unwrap_err();
        assert!(script.message.contains("javascript"), "{}", script.message);
    }
}
