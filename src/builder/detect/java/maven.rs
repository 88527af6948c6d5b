//! Maven: the modules, and which one is the program.

use super::super::choice;
use super::super::findings::Findings;
use super::super::names::{is_path, relative, resolved, slashed};
use super::super::tree::Tree;
use super::pom::{self, Pom};
use super::version::{self, Wanted};
use super::{Project, main_class, no_builder};
use crate::builder::dockerfile::Step;
use crate::builder::dockerfile::java::{Listens, Made, Tool};
use crate::builder::outcome::Failure;

/// Most modules, and how deep they may be.
const MAX_MODULES: usize = 100;
const DEPTH: usize = 4;

const BOOT: &str = "spring-boot-maven-plugin";

/// A module that may be the program.
#[derive(Clone, Debug)]
struct Candidate {
    /// Below the directory that Maven is run in; empty: there.
    directory: String,
    /// Its pom.xml, and those above it.
    poms: Vec<Pom>,
    made: Made,
}

/// What the pom.xml of the directory that is built says.
pub(super) fn read(tree: Tree<'_>, build: &Step, findings: &mut Findings) -> Result<Project, Failure> {
    let (root, directory) = root(tree)?;
    let base = slashed(&directory);
    let own = if root.path() == tree.path() { String::new() } else { relative(tree.path(), &directory) };
    let modules = modules(root, &base)?;
    let inside: Vec<&String> = modules
        .iter()
        .filter(|module| own.is_empty() || **module == own || module.starts_with(&slashed(&own)))
        .collect();
    let candidate = if *build == Step::Usual {
        choose(tree, root, &base, &inside, findings)?
    } else {
        Candidate { directory: own, poms: poms(root, &directory)?, made: Made::Jar }
    };
    let java = version::image(java(tree, &candidate.poms)?, findings)?;
    let mut manifests: Vec<String> = Vec::new();
    for module in &modules {
        manifests.push(format!("{base}{}pom.xml", slashed(module)));
    }
    if root.has_directory(&format!("{base}.mvn")) {
        manifests.push(format!("{base}.mvn/"));
    }
    let repackage = needs_repackaging(&candidate.poms);
    if !candidate.directory.is_empty() {
        findings.assume(format!("the program is the module {}", candidate.directory));
    }
    Ok(Project {
        java,
        tool: Tool::Maven { repackage },
        source: root.path() != tree.path(),
        directory,
        manifests,
        module: candidate.directory,
        listens: listens(&candidate.poms),
        made: candidate.made,
    })
}

/// Where Maven is run: the highest directory whose pom.xml leads to this one by its modules.
fn root(tree: Tree<'_>) -> Result<(Tree<'_>, String), Failure> {
    let mut above = tree.path();
    let mut highest = None;
    while !above.is_empty() {
        above = above.rsplit_once('/').map_or("", |(parent, _)| parent);
        let base = slashed(above);
        if tree.source().has(&format!("{base}pom.xml")) {
            let own = relative(tree.path(), above);
            if modules(tree.source(), &base)?.contains(&own) {
                highest = Some(above.to_owned());
            }
        }
    }
    // A member is built together with the modules that it needs.
    Ok(highest.map_or((tree, String::new()), |directory| (tree.source(), directory)))
}

/// The modules of the pom.xml at `base`, itself as an empty one first.
fn modules(root: Tree<'_>, base: &str) -> Result<Vec<String>, Failure> {
    let mut found = vec![String::new()];
    let mut level = found.clone();
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for module in level {
            let file = format!("{base}{}pom.xml", slashed(&module));
            let Some(text) = root.text(&file)? else { continue };
            for name in Pom::parse(&file, &text)?.modules {
                let path = format!("{}{}", slashed(&module), name.trim_end_matches('/'));
                if is_path(&path) && root.has(&format!("{base}{path}/pom.xml")) && found.len() < MAX_MODULES {
                    found.push(path.clone());
                    next.push(path);
                }
            }
        }
        level = next;
    }
    Ok(found)
}

/// The pom.xml of a directory below the context, and those above it that are in the source.
fn poms(root: Tree<'_>, directory: &str) -> Result<Vec<Pom>, Failure> {
    let mut found: Vec<Pom> = Vec::new();
    let mut directory = Some(directory.to_owned());
    while let Some(place) = directory.take().filter(|_| found.len() < DEPTH + 2) {
        let file = format!("{}pom.xml", slashed(&place));
        let Some(text) = root.text(&file)? else { break };
        let pom = Pom::parse(&file, &text)?;
        let above = pom.parent_path.as_deref().and_then(|path| above(&place, path));
        found.push(pom);
        directory = above;
    }
    Ok(found)
}

/// The directory of the parent that a path to its pom.xml names.
fn above(directory: &str, path: &str) -> Option<String> {
    let path = path.trim_end_matches("pom.xml").trim_end_matches('/');
    resolved(directory, path).filter(|place| place != directory)
}

fn choose(
    tree: Tree<'_>,
    root: Tree<'_>,
    base: &str,
    modules: &[&String],
    findings: &mut Findings,
) -> Result<Candidate, Failure> {
    let mut found = Vec::new();
    for module in modules {
        found.extend(candidate(root, base, module)?);
    }
    let names: Vec<String> = found.iter().map(|candidate| candidate.poms[0].artifact.clone()).collect();
    if found.len() > 1 {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let chosen = choice::choose(tree, &names, None, findings)?.ok_or_else(|| {
            no_builder(format!(
                "there are several programs: the modules {}; choose one with the path of the source, such as {}",
                names.join(", "),
                found[0].directory
            ))
        })?;
        return Ok(found.swap_remove(chosen.index));
    }
    found.pop().ok_or_else(|| {
        no_builder(
            "pom.xml does not say what to start. It has no mainClass and no plugin that makes a self-contained jar \
             (Spring Boot, Quarkus, shade, assembly). src/main has no class with a main method, or several. \
             Name the class in the property exec.mainClass of pom.xml",
        )
    })
}

/// A module as a program; None if it is not a program.
fn candidate(root: Tree<'_>, base: &str, module: &str) -> Result<Option<Candidate>, Failure> {
    let directory = format!("{base}{module}");
    let poms = poms(root, directory.trim_end_matches('/'))?;
    let Some(own) = poms.first() else { return Ok(None) };
    let runs = |plugin: &str| poms.iter().any(|pom| pom.runs(plugin));
    let classes = main_class::find(root, &slashed(&directory))?;
    let packaging = own.packaging.as_str();
    let is_program =
        !classes.is_empty() || own.runs("quarkus-maven-plugin") || pom::main_class(&poms[..1]).is_some();
    if packaging == "pom" || !is_program {
        return Ok(None);
    }
    let made = if runs("quarkus-maven-plugin") {
        Made::Quarkus
    } else if runs(BOOT) {
        if packaging == "war" { Made::War } else { Made::Jar }
    } else if packaging == "war" {
        return Err(no_builder(format!(
            "{} has the packaging war, which needs an application server; change it to jar, make it executable with \
             Spring Boot, or add a Dockerfile",
            own.artifact
        )));
    } else if runs("maven-shade-plugin")
        || runs("maven-assembly-plugin")
        || has_parent(&poms, "micronaut-parent")
    {
        Made::Jar
    } else {
        match pom::main_class(&poms).or_else(|| main_class::choose(&classes).cloned()) {
            Some(class) => Made::Classes(class),
            None => return Ok(None),
        }
    };
    Ok(Some(Candidate { directory: module.to_owned(), poms, made }))
}

/// The version of Java: from a version manager file, else the target of the compiler.
fn java(tree: Tree<'_>, poms: &[Pom]) -> Result<Option<Wanted>, Failure> {
    if let Some(wanted) = version::of_files(tree)? {
        return Ok(Some(wanted));
    }
    let compiler = "maven-compiler-plugin";
    for (setting, property) in [
        ("release", "maven.compiler.release"),
        ("", "java.version"),
        ("target", "maven.compiler.target"),
        ("source", "maven.compiler.source"),
        ("", "kotlin.compiler.jvmTarget"),
    ] {
        let named =
            poms.iter().find_map(|pom| pom.configured(compiler, setting).or_else(|| pom.property(property)));
        let version =
            named.and_then(|value| pom::resolved(value, poms)).and_then(|value| version::parse(&value));
        // Compilers support --release since Java 9.
        let lowest = if setting == "release" { 9 } else { 1 };
        if let Some(version) = version {
            let because = format!("{property} in pom.xml");
            return Ok(Some(Wanted { version: version.max(lowest), because }));
        }
    }
    let parent = poms
        .iter()
        .filter_map(|pom| pom.parent.as_ref())
        .find(|(artifact, _)| artifact == "spring-boot-starter-parent");
    let major = parent.and_then(|(_, version)| version.split('.').next()?.parse::<u32>().ok());
    Ok(major
        .filter(|major| *major >= 3)
        .map(|major| Wanted { version: 17, because: format!("the minimum for Spring Boot {major}") }))
}

fn listens(poms: &[Pom]) -> Listens {
    let depends = |group: &str| poms.iter().any(|pom| pom.depends(group));
    let runs = |plugin: &str| poms.iter().any(|pom| pom.runs(plugin));
    if runs(BOOT) || depends("org.springframework.boot") {
        Listens::Spring
    } else if runs("quarkus-maven-plugin") {
        Listens::Quarkus
    } else if runs("micronaut-maven-plugin") || depends("io.micronaut") {
        Listens::Micronaut
    } else {
        Listens::Itself
    }
}

/// Spring Boot's parent runs the plugin that makes the jar. Without that parent an execution must do so.
fn needs_repackaging(poms: &[Pom]) -> bool {
    let starter = has_parent(poms, "spring-boot-starter-parent");
    poms.iter().any(|pom| pom.runs(BOOT)) && !starter && !poms.iter().any(|pom| pom.executes(BOOT))
}

fn has_parent(poms: &[Pom], name: &str) -> bool {
    poms.iter().filter_map(|pom| pom.parent.as_ref()).any(|(artifact, _)| artifact == name)
}
