//! Gradle: the subprojects, and which one is the program. Detection reads build files as text and never runs them.

use std::collections::BTreeSet;

use super::super::choice;
use super::super::findings::Findings;
use super::super::names::{is_path, relative, slashed};
use super::super::tree::Tree;
use super::version::{self, Wanted};
use super::{Project, no_builder};
use crate::builder::dockerfile::Step;
use crate::builder::dockerfile::java::{Listens, Made, Tool};
use crate::builder::outcome::Failure;

/// Most subprojects.
const MAX_PROJECTS: usize = 100;

const SETTINGS: [&str; 2] = ["settings.gradle.kts", "settings.gradle"];
const BUILD: [&str; 2] = ["build.gradle.kts", "build.gradle"];

/// The newest Java that a version of Gradle runs on, from the compatibility matrix of its manual.
const RUNS_ON: [(u32, u32, u32); 8] =
    [(9, 1, 25), (8, 5, 21), (7, 3, 17), (6, 7, 15), (5, 0, 11), (4, 7, 10), (4, 3, 9), (0, 0, 8)];

/// A subproject that may be the program.
#[derive(Clone, Debug)]
struct Candidate {
    directory: String,
    name: String,
    made: Made,
    listens: Listens,
}

/// What the build files say.
pub(super) fn read(tree: Tree<'_>, build: &Step, findings: &mut Findings) -> Result<Project, Failure> {
    let (root, directory) = root(tree)?;
    let base = slashed(&directory);
    let own = if root.path() == tree.path() { String::new() } else { relative(tree.path(), &directory) };
    let projects = projects(root, &base)?;
    let catalog = root.text(&format!("{base}gradle/libs.versions.toml"))?.unwrap_or_default();
    let candidate = if *build == Step::Usual {
        let inside: Vec<&String> =
            projects.iter().filter(|project| own.is_empty() || **project == own).collect();
        choose(tree, root, &base, &inside, &catalog, findings)?
    } else {
        Candidate { directory: own, name: String::new(), made: Made::Jar, listens: Listens::Itself }
    };
    let wrapper = wrapper(root, &base)?;
    let java = java(tree, root, &base, &candidate.directory, wrapper, findings)?;
    let tool = if let Some((major, minor)) = wrapper {
        findings.choose("Gradle", format!("{major}.{minor}"), "gradle/wrapper/gradle-wrapper.properties");
        Tool::Wrapper
    } else {
        let major = if java > 21 { 9 } else { 8 };
        findings.choose(
            "Gradle",
            major.to_string(),
            "the default; commit the wrapper (gradle wrapper) for an exact version",
        );
        Tool::Gradle { major }
    };
    if !candidate.directory.is_empty() {
        findings.assume(format!("the program is the subproject {}", candidate.directory));
    }
    Ok(Project {
        java,
        tool,
        source: root.path() != tree.path(),
        manifests: manifests(root, &base, &projects),
        directory,
        module: candidate.directory,
        made: candidate.made,
        listens: candidate.listens,
    })
}

/// Where Gradle is run: the directory above this one whose settings include it, else this one.
fn root(tree: Tree<'_>) -> Result<(Tree<'_>, String), Failure> {
    let mut above = tree.path();
    if tree.first(&SETTINGS).is_some() {
        return Ok((tree, String::new()));
    }
    while !above.is_empty() {
        above = above.rsplit_once('/').map_or("", |(parent, _)| parent);
        if projects(tree.source(), &slashed(above))?.contains(&relative(tree.path(), above)) {
            return Ok((tree.source(), above.to_owned()));
        }
    }
    Ok((tree, String::new()))
}

/// The directories of the projects: the root as an empty one, and those that the settings include.
fn projects(root: Tree<'_>, base: &str) -> Result<Vec<String>, Failure> {
    let mut found = vec![String::new()];
    for name in SETTINGS {
        let text = root.text(&format!("{base}{name}"))?.unwrap_or_default();
        for path in included(&text) {
            let directory = path.trim_start_matches(':').replace(':', "/");
            let has_build = BUILD.iter().any(|file| root.has(&format!("{base}{directory}/{file}")));
            if is_path(&directory) && has_build && found.len() < MAX_PROJECTS && !found.contains(&directory) {
                found.push(directory);
            }
        }
    }
    Ok(found)
}

/// The names that `include` is given, in one line or several.
fn included(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = false;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        let rest = line.strip_prefix("include").filter(|rest| rest.starts_with(['(', ' ', '"', '\'']));
        let Some(rest) = rest.or_else(|| open.then_some(line)) else { continue };
        found.extend(quoted(rest).into_iter().map(str::to_owned));
        let continues = rest.trim_end().ends_with([',', '(']);
        open = continues && !rest.contains(')');
    }
    found
}

/// The texts in quotes of a line.
fn quoted(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find(['"', '\'']) {
        let quote = &rest[start..=start];
        let Some(end) = rest[start + 1..].find(quote) else { break };
        found.push(&rest[start + 1..start + 1 + end]);
        rest = &rest[start + 2 + end..];
    }
    found
}

/// The text of the build file of a project.
fn build_file(root: Tree<'_>, base: &str, project: &str) -> Result<String, Failure> {
    for name in BUILD {
        if let Some(text) = root.text(&format!("{base}{}{name}", slashed(project)))? {
            return Ok(text);
        }
    }
    Ok(String::new())
}

/// The ids of the plugins that a build file applies.
fn plugins(text: &str, catalog: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut block = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("plugins") && line.contains('{') {
            block = true;
        }
        if line.starts_with("//") || line.ends_with("apply false") || line.ends_with("apply(false)") {
            continue;
        }
        let applies = line.starts_with("apply") && line.contains("plugin");
        if line.contains("id(") || line.contains("id ") || applies {
            found.extend(quoted(line).first().map(|id| (*id).to_owned()));
        }
        if let Some(alias) = line.split("libs.plugins.").nth(1).filter(|_| block) {
            let alias: String =
                alias.chars().take_while(|char| char.is_alphanumeric() || *char == '.').collect();
            found.extend(of_catalog(catalog, &alias));
        }
        if block {
            let words = line
                .trim_matches(|char: char| "`{} ".contains(char))
                .trim_start_matches("plugins")
                .trim_matches(['{', '}', ' ', '`']);
            found.extend(words.split([';', ' ']).filter(|word| *word == "application").map(str::to_owned));
        }
        block &= !(line.ends_with('}') && !line.contains('{')
            || line.starts_with("plugins") && line.ends_with('}'));
    }
    found
}

/// The id behind an alias such as `spring.boot` of the version catalog.
fn of_catalog(catalog: &str, alias: &str) -> Option<String> {
    let catalog: toml::Table = toml::from_str(catalog).ok()?;
    let plugins = catalog.get("plugins")?.as_table()?;
    let (_, plugin) = plugins.iter().find(|(name, _)| name.replace(['-', '_'], ".") == alias)?;
    let named = plugin.get("id").and_then(toml::Value::as_str);
    named.or_else(|| plugin.as_str()?.split(':').next()).map(str::to_owned)
}

fn choose(
    tree: Tree<'_>,
    root: Tree<'_>,
    base: &str,
    projects: &[&String],
    catalog: &str,
    findings: &mut Findings,
) -> Result<Candidate, Failure> {
    let mut found = Vec::new();
    for project in projects {
        let text = build_file(root, base, project)?;
        found.extend(candidate(project, &text, &plugins(&text, catalog)));
    }
    if found.len() > 1 {
        let names: Vec<&str> = found.iter().map(|candidate| candidate.name.as_str()).collect();
        let chosen = choice::choose(tree, &names, None, findings)?.ok_or_else(|| {
            no_builder(format!(
                "there are several programs: the subprojects {}; choose one with the path of the source, such as {}",
                names.join(", "),
                found[0].directory
            ))
        })?;
        return Ok(found.swap_remove(chosen.index));
    }
    found.pop().ok_or_else(|| {
        no_builder(
            "the Gradle build does not say what to start; apply the plugin application with a mainClass, or the plugin \
             of Spring Boot, Quarkus, Ktor, Micronaut or Shadow, to the project to run",
        )
    })
}

/// A project as a program, by its plugins; None if it is not a program.
fn candidate(project: &str, text: &str, plugins: &BTreeSet<String>) -> Option<Candidate> {
    let has = |id: &str| plugins.contains(id);
    let starts = |start: &str| plugins.iter().any(|id| id.starts_with(start));
    let listens = if has("org.springframework.boot") {
        Listens::Spring
    } else if has("io.quarkus") {
        Listens::Quarkus
    } else if starts("io.micronaut") {
        Listens::Micronaut
    } else if text.contains("EngineMain") {
        Listens::Ktor
    } else {
        Listens::Itself
    };
    // Convention plugins in buildSrc are named after what they apply.
    let application = plugins.iter().any(|id| {
        id == "application" || id.contains("java-application") || id.contains("kotlin-application")
    });
    let made = if has("org.springframework.boot") {
        Made::Task("bootJar")
    } else if has("io.quarkus") {
        Made::Quarkus
    } else if application
        || has("io.ktor.plugin")
        || starts("io.micronaut.application")
        || starts("io.micronaut.minimal.application")
    {
        Made::Distribution
    } else if has("com.github.johnrengelman.shadow")
        || has("com.gradleup.shadow")
        || has("io.github.goooler.shadow")
    {
        Made::Task("shadowJar")
    } else if text.contains("Main-Class") {
        Made::Task("jar")
    } else {
        return None;
    };
    let name = project.rsplit('/').next().unwrap_or_default().to_owned();
    Some(Candidate { directory: project.to_owned(), name, made, listens })
}

/// The version of Gradle that the wrapper fetches; None without a usable wrapper.
fn wrapper(root: Tree<'_>, base: &str) -> Result<Option<(u32, u32)>, Failure> {
    let file = format!("{base}gradle/wrapper/gradle-wrapper.properties");
    let Some(text) = root.text(&file)? else { return Ok(None) };
    let complete =
        root.has(&format!("{base}gradlew")) && root.has(&format!("{base}gradle/wrapper/gradle-wrapper.jar"));
    let url = version::property(&text, "distributionUrl").unwrap_or_default();
    let numbers = url.split("gradle-").last().unwrap_or_default();
    let mut numbers = numbers.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    Ok(numbers.next().map(|major| (major, numbers.next().unwrap_or(0))).filter(|_| complete))
}

/// The version of Java: the one that a file or the build names. The wrapper's Gradle must run on it.
fn java(
    tree: Tree<'_>,
    root: Tree<'_>,
    base: &str,
    project: &str,
    wrapper: Option<(u32, u32)>,
    findings: &mut Findings,
) -> Result<u32, Failure> {
    let mut wanted = version::of_files(tree)?;
    let mut texts = vec![build_file(root, base, project)?, build_file(root, base, "")?];
    for directory in ["buildSrc/src/main/kotlin", "buildSrc/src/main/groovy"] {
        for name in
            root.names(&format!("{base}{directory}"))?.iter().filter(|name| name.contains(".gradle")).take(20)
        {
            texts.extend(root.text(&format!("{base}{directory}/{name}"))?);
        }
    }
    for text in &texts {
        if wanted.is_none() {
            wanted =
                written(text).map(|version| Wanted { version, because: "the Gradle build file".to_owned() });
        }
    }
    let newest = wrapper.map(|version| {
        RUNS_ON.iter().find(|(major, minor, _)| version >= (*major, *minor)).map_or(8, |(_, _, java)| *java)
    });
    let oldest = if wrapper.is_some_and(|(major, _)| major >= 9) { 17 } else { 8 };
    let Some(newest) = newest else {
        return version::image(wanted.map(|wanted| at_least(wanted, 8)), findings);
    };
    let Some(wanted) = wanted else {
        let fits = version::IMAGES.into_iter().rfind(|image| *image <= newest.min(version::DEFAULT));
        let because = "the newest that the wrapper's Gradle runs on, up to the default".to_owned();
        return version::image(Some(Wanted { version: fits.unwrap_or(8), because }), findings);
    };
    let wanted = at_least(wanted, oldest);
    if wanted.version > newest {
        return Err(no_builder(format!(
            "{} requires Java {}, but the Gradle of gradle/wrapper/gradle-wrapper.properties runs on Java {newest} at \
             most; raise it (gradle wrapper --gradle-version 9.1), or lower the version of Java",
            wanted.because, wanted.version
        )));
    }
    version::image(Some(wanted), findings)
}

fn at_least(wanted: Wanted, oldest: u32) -> Wanted {
    Wanted { version: wanted.version.max(oldest), ..wanted }
}

/// The version of Java that a build file writes down.
fn written(text: &str) -> Option<u32> {
    let lines = || text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    for mark in [
        "JavaLanguageVersion.of(",
        "jvmToolchain(",
        "options.release",
        "JavaVersion.VERSION_",
        "JvmTarget.JVM_",
        "sourceCompatibility",
        "targetCompatibility",
        "jvmTarget",
    ] {
        let after = lines().find_map(|line| line.split_once(mark).map(|(_, rest)| rest));
        let number =
            after.map(|rest| rest.trim_start_matches(|char: char| !char.is_ascii_digit()).replace('_', "."));
        if let Some(version) = number.and_then(|number| version::parse(&number)) {
            return Some(version);
        }
    }
    None
}

/// The files that determine the downloads.
fn manifests(root: Tree<'_>, base: &str, projects: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for name in SETTINGS.iter().chain(&["gradle.properties", "gradlew"]) {
        found.push(format!("{base}{name}"));
    }
    for project in projects {
        found.extend(BUILD.iter().map(|name| format!("{base}{}{name}", slashed(project))));
    }
    found.retain(|file| root.has(file));
    for name in ["gradle", "buildSrc", "build-logic"] {
        if root.has_directory(&format!("{base}{name}")) {
            found.push(format!("{base}{name}/"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn included_projects_are_read_in_every_notation() {
        for text in [
            "include(\"app\", \":lib:core\")",
            "include 'app', 'lib:core'",
            "include(\n  \"app\",\n  \"lib:core\",\n)\nfoo(\"no\")",
            "include 'app',\n  'lib:core'",
        ] {
            let found: Vec<String> =
                included(text).iter().map(|name| name.trim_start_matches(':').to_owned()).collect();
            assert_eq!(found, ["app", "lib:core"], "{text}");
        }
        assert!(included("includeBuild(\"x\")\n// include(\"y\")").is_empty());
    }

    #[test]
    fn plugins_are_found_in_every_notation() {
        let catalog = "[plugins]\nspring-boot = { id = \"org.springframework.boot\", version = \"3\" }\nktor = \"io.ktor.plugin:3.0\"\n";
        for (text, id) in [
            ("plugins {\n    application\n}", "application"),
            ("plugins {\n    `application`\n}", "application"),
            ("plugins {\n    id 'application'\n}", "application"),
            ("plugins { application }", "application"),
            ("apply plugin: 'application'", "application"),
            ("plugins {\n id(\"org.springframework.boot\") version \"3.4.0\"\n}", "org.springframework.boot"),
            ("plugins {\n alias(libs.plugins.spring.boot)\n}", "org.springframework.boot"),
            ("plugins {\n alias(libs.plugins.ktor)\n}", "io.ktor.plugin"),
        ] {
            assert!(plugins(text, catalog).contains(id), "{text}");
        }
        assert!(plugins("plugins {\n id(\"io.quarkus\") version \"3\" apply false\n // application\n}\napplication {\n}", catalog).is_empty());
    }

    #[test]
    fn the_java_version_is_found_in_every_notation() {
        for (text, version) in [
            ("languageVersion = JavaLanguageVersion.of(21)", 21),
            ("kotlin { jvmToolchain(17) }", 17),
            ("sourceCompatibility = JavaVersion.VERSION_1_8", 8),
            ("sourceCompatibility = '11'", 11),
            ("targetCompatibility = 1.8", 8),
            ("options.release = 17", 17),
            ("jvmTarget.set(JvmTarget.JVM_21)", 21),
        ] {
            assert_eq!(written(text), Some(version), "{text}");
        }
        assert_eq!(written("// JavaLanguageVersion.of(21)"), None);
    }
}
