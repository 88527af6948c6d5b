//! Angular: static files or a server, as angular.json defines its application.

use serde_json::Value;

use super::super::findings::Findings;
use super::super::names::is_path;
use super::super::no_builder;
use super::{Source, Way, frameworks, paths, site};
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;

pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let (build, call) = frameworks::build(source, &["ng"], "build", "ng build", findings)?;
    let called = call.as_ref().and_then(|call| call.argument("build"));
    let (name, target) = application(source, called)?;
    let options = target.get("options").cloned().unwrap_or_default();
    let said = call.as_ref().and_then(|call| call.option(&["--output-path"])).map(str::to_owned);
    let path = options.get("outputPath");
    let base = path.and_then(|path| path.get("base")).or(path).and_then(Value::as_str).map(str::to_owned);
    let output = said.or(base).unwrap_or_else(|| format!("dist/{name}"));
    let output = paths::output(source, "", &output, "outputPath in angular.json")?;
    // Older builders write the files to the output path, newer ones below it.
    let builder = target.get("builder").and_then(Value::as_str).unwrap_or_default();
    let newer = builder.ends_with(":application");
    let browser = path.and_then(|path| path.get("browser")).and_then(Value::as_str).unwrap_or("browser");
    let serves = options.get("ssr").is_some_and(|ssr| *ssr != Value::Bool(false))
        && options.get("outputMode").and_then(Value::as_str) != Some("static");
    if newer && serves {
        let file = format!("{output}/server/server.mjs");
        return Ok(Way::program("Angular", build, Some(&["node", &file])));
    }
    let browser = Some(browser).filter(|browser| newer && is_path(browser));
    let output = browser.map_or_else(|| output.clone(), |browser| format!("{output}/{browser}"));
    let mut made = Site::new(output, Otherwise::Page("index.html".to_owned()));
    let said = call.as_ref().and_then(|call| call.option(&["--base-href"])).map(str::to_owned);
    let base = said.or_else(|| options.get("baseHref").and_then(Value::as_str).map(str::to_owned));
    if let Some(path) = base {
        site::answer_at(&path, &mut made, findings);
    }
    Ok(Way::site("Angular", build, made))
}

/// The name and the target `build` of the application that is built.
fn application(source: &Source<'_>, called: Option<&str>) -> Result<(String, Value), Failure> {
    let file: Value = source.tree.json("angular.json")?.ok_or_else(|| {
        no_builder("there is no angular.json, which says what Angular builds; add it, or set spec.build.outputDirectory")
    })?;
    let projects = file.get("projects").and_then(Value::as_object);
    let applications: Vec<(&String, &Value)> = projects
        .into_iter()
        .flatten()
        .filter(|(_, project)| project.get("projectType").and_then(Value::as_str) != Some("library"))
        .collect();
    let wanted = called.or_else(|| file.get("defaultProject").and_then(Value::as_str));
    let named = wanted.and_then(|wanted| applications.iter().find(|(name, _)| name.as_str() == wanted));
    let (name, project) = named.or_else(|| applications.first()).ok_or_else(|| {
        no_builder("angular.json has no application; add one, or set spec.build.outputDirectory")
    })?;
    let targets = ["architect", "targets"].iter().find_map(|key| project.get(*key));
    let target = targets.and_then(|targets| targets.get("build")).cloned().unwrap_or_default();
    Ok(((*name).clone(), target))
}
