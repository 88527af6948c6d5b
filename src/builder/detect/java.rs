//! The JVM: Maven or Gradle, the version of Java, and which output of the build starts.

use super::assets::Assets;
use super::findings::Findings;
use super::tree::Tree;
use super::{Generated, no_builder, procfile, step};
use crate::builder::dockerfile::Step;
use crate::builder::dockerfile::java::{self, Made, Plan};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

mod gradle;
mod main_class;
mod maven;
mod pom;
mod version;

const GRADLE: [&str; 5] =
    ["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "gradlew"];

/// The files that say that a directory holds a program for the JVM.
pub(super) const FILES: [&str; 6] =
    ["pom.xml", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "gradlew"];

/// The recipe for a pom.xml, else for Gradle.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let mut findings = Findings::default();
    let build = step(settings).unwrap_or(Step::Usual);
    let project = match tree.first(&FILES) {
        Some("pom.xml") => {
            if tree.first(&GRADLE).is_some() {
                findings.assume("the source has pom.xml and a Gradle build, and Maven builds it");
            }
            maven::read(tree, &build, &mut findings)?
        }
        Some(_) => gradle::read(tree, &build, &mut findings)?,
        None => {
            return Err(no_builder(
                "the build context has no pom.xml, no build.gradle and no settings.gradle, one of which \
                 spec.build.framework: Java needs; correct the field, or set the path of the source",
            ));
        }
    };
    let framework =
        if project.listens == java::Listens::Spring { Framework::SpringBoot } else { Framework::Java };
    let prefix = if project.source { format!("{}/", tree.path()) } else { String::new() };
    let assets = Assets::find(tree, if tree.path().is_empty() { "" } else { &prefix });
    assets.sentence().into_iter().for_each(|sentence| findings.assume(sentence));
    let plan = Plan {
        java: project.java,
        tool: project.tool,
        directory: project.directory,
        manifests: project.manifests,
        module: project.module,
        made: if build == Step::Usual { project.made } else { Made::Jar },
        build,
        arguments: super::arguments(settings),
        listens: project.listens,
        start: started(tree, &mut findings)?,
        assets,
    };
    let context = if project.source { super::Context::Source } else { super::Context::Directory };
    Ok(Generated { framework, text: java::text(&plan), context, findings })
}

/// What both tools say of a project.
#[derive(Clone, Debug)]
struct Project {
    java: u32,
    tool: java::Tool,
    /// The context is the root of the source.
    source: bool,
    directory: String,
    manifests: Vec<String>,
    module: String,
    made: Made,
    listens: java::Listens,
}

/// The line of the Procfile, if it starts a jar.
fn started(tree: Tree<'_>, findings: &mut Findings) -> Result<Option<String>, Failure> {
    let processes = procfile::read(tree)?;
    let Some(process) = procfile::main(&processes) else { return Ok(None) };
    let is_jar =
        |word: &&str| std::path::Path::new(word).extension().is_some_and(|extension| extension == "jar");
    let words: Vec<&str> = process.command.split_whitespace().collect();
    let jars = words.iter().filter(|word| is_jar(word)).count();
    if !words.contains(&"java") || jars != 1 {
        findings.warn(format!(
            "Procfile, line {}: the line does not start a jar with java, so it is not used; set spec.run.command to \
             change how the program starts",
            process.line
        ));
        return Ok(None);
    }
    let words: Vec<&str> =
        words.into_iter().map(|word| if is_jar(&word) { java::JAR } else { word }).collect();
    Ok(Some(words.join(" ")))
}

#[cfg(test)]
mod tests;
