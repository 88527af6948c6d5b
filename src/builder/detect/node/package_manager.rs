//! Chooses the package manager: the one whose lock file exists, else the one that the project names. Its version is the
//! one that the project names, else the one that wrote the lock file.

use nodejs_semver::Range;
use serde_json::Value;

use super::super::findings::Findings;
use super::super::names::is_version;
use super::super::tree::Tree;
use super::super::{no_builder, tools};
use super::Source;
use super::lock;
use super::package::{self, Package};
use super::version::Node;
use crate::builder::dockerfile::node::Manager;
use crate::builder::outcome::Failure;

/// Lock files and whose they are.
const LOCKS: [(&str, &str); 6] = [
    ("npm-shrinkwrap.json", "npm"),
    ("package-lock.json", "npm"),
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
];

/// A package manager and how it finds the source.
pub(super) struct Chosen {
    pub(super) manager: Manager,
    pub(super) lock: Option<&'static str>,
    /// The lock file exists and matches package.json.
    pub(super) locked: bool,
}

/// What the project says about its package manager.
struct Wanted {
    name: &'static str,
    version: Option<String>,
    file: String,
}

/// The package manager and its lock file.
pub(super) fn choose(source: &Source<'_>, node: &Node, findings: &mut Findings) -> Result<Chosen, Failure> {
    let tree = source.root();
    let there: Vec<(&'static str, &'static str)> =
        LOCKS.into_iter().filter(|(file, _)| tree.has(file)).collect();
    let wanted = wanted(source, tree)?;
    let (name, lock) = match there.as_slice() {
        [] => (wanted.first().map_or("npm", |wanted| wanted.name), None),
        [(file, name), others @ ..] if others.iter().all(|(_, other)| other == name) => (*name, Some(*file)),
        several => {
            let chosen =
                wanted.iter().find_map(|wanted| several.iter().find(|(_, name)| *name == wanted.name));
            let (file, name) = chosen.ok_or_else(|| {
                let files: Vec<&str> = several.iter().map(|(file, _)| *file).collect();
                no_builder(format!(
                    "the source has {}; remove all but one, or name the package manager in package.json, such as \
                     \"packageManager\": \"{}@<version>\"",
                    files.join(" and "),
                    several[0].1
                ))
            })?;
            (*name, Some(*file))
        }
    };
    let named = wanted.into_iter().find(|wanted| wanted.name == name && wanted.version.is_some());
    let manager = manager(name, lock, named, source, node, findings)?;
    if lock.is_none() && source.asks_for_packages() {
        let file = LOCKS.iter().find(|(_, whose)| *whose == name).map_or("a lock file", |(file, _)| file);
        let file = if name == "npm" { "package-lock.json" } else { file };
        findings.assume(format!(
            "{file} is missing, so each build may install different versions; commit the lock file"
        ));
    }
    let locked = lock.is_some() && is_in_step(source, tree, lock, findings);
    Ok(Chosen { manager, lock, locked })
}

/// Everything that names a package manager, the most explicit one first.
fn wanted(source: &Source<'_>, tree: Tree<'_>) -> Result<Vec<Wanted>, Failure> {
    let mut found = Vec::new();
    let mut add = |name: &str, version: Option<&str>, file: String| {
        let known = ["pnpm", "yarn", "bun", "npm"].into_iter().find(|known| *known == name);
        let version = version.filter(|text| is_range(text)).map(str::to_owned);
        found.extend(known.map(|name| Wanted { name, version, file }));
    };
    for package in source.packages() {
        if let Some((name, version)) = package.package_manager() {
            add(name, version, "\"packageManager\" in package.json".to_owned());
        }
    }
    if let Some(text) = tree.text(".bun-version")? {
        add(
            "bun",
            text.lines().next().map(|line| line.trim().trim_start_matches('v')),
            ".bun-version".to_owned(),
        );
    }
    for name in ["pnpm", "yarn", "bun"] {
        for package in source.packages() {
            if let Some(version) = package.volta(name) {
                add(name, Some(version), "\"volta\" in package.json".to_owned());
            }
        }
        if let Some(wanted) = tools::wanted(source.tree, &[name])? {
            add(name, Some(&wanted.version), wanted.file);
        }
    }
    for name in ["pnpm", "yarn", "bun"] {
        for package in source.packages() {
            if let Some(version) = package.engine(name) {
                add(name, Some(version), "\"engines\" in package.json".to_owned());
            }
        }
    }
    if tree.has("pnpm-workspace.yaml") {
        add("pnpm", None, "pnpm-workspace.yaml".to_owned());
    }
    let starts = source.package.scripts.get("start").map_or("", String::as_str);
    if starts.starts_with("bun ") || tree.has("bunfig.toml") {
        add("bun", None, "the \"start\" script or bunfig.toml".to_owned());
    }
    Ok(found)
}

/// Whether it is a version, a range or `latest` that is safe for npm in single quotes.
pub(in crate::builder::detect) fn is_range(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".^~<>=|*- ".contains(&byte);
    text == "latest"
        || (1..=60).contains(&text.len())
            && text.bytes().all(plain)
            && !text.contains("<<")
            && !text.starts_with('-')
            && Range::parse(text).is_ok()
}

fn manager(
    name: &str,
    lock: Option<&str>,
    named: Option<Wanted>,
    source: &Source<'_>,
    node: &Node,
    findings: &mut Findings,
) -> Result<Manager, Failure> {
    let tree = source.root();
    let head = lock.map(|file| tree.head(file)).unwrap_or_default();
    let (named, because) = named.map_or((None, None), |wanted| (wanted.version, Some(wanted.file)));
    let usual = |version: &str, why: &str| {
        (
            named.clone().unwrap_or_else(|| version.to_owned()),
            because.clone().unwrap_or_else(|| why.to_owned()),
        )
    };
    let wrote = lock.map_or_else(|| "no file names a version".to_owned(), |file| format!("it reads {file}"));
    Ok(match name {
        "pnpm" => {
            let (version, why) = usual(pnpm(&head, lock.is_some(), source, node), &wrote);
            let version = last_pnpm(&version).unwrap_or(version);
            findings.choose("pnpm", &version, why);
            Manager::Pnpm(version)
        }
        "yarn" => yarn(&head, named, because, tree, findings)?,
        "bun" => {
            let (version, why) = usual("1", &wrote);
            findings.choose("Bun", &version, why);
            Manager::Bun(version)
        }
        _ => {
            let version = npm(source, node, &head, named.as_deref());
            if let Some(version) = &version {
                findings.choose(
                    "npm",
                    version,
                    because.unwrap_or_else(|| "Node ships another version".to_owned()),
                );
            }
            Manager::Npm(version)
        }
    })
}

/// The npm to install, if the one that Node ships would reject the project.
fn npm(source: &Source<'_>, node: &Node, lock: &str, named: Option<&str>) -> Option<String> {
    let brought = match node.major {
        ..15 => 6,
        15..19 => 8,
        19 => 9,
        20..24 => 10,
        _ => 11,
    };
    let fits = |range: &str| {
        let brought = Range::parse(format!("{brought}.x"));
        Range::parse(range).is_ok_and(|range| brought.is_ok_and(|brought| range.allows_any(&brought)))
    };
    let strict =
        source.root().head(".npmrc").lines().any(|line| line.replace(' ', "") == "engine-strict=true");
    let engine =
        source.packages().find_map(|package| package.engine("npm")).filter(|text| strict && is_range(text));
    let asked = named.or(engine);
    if let Some(range) = asked {
        return (!fits(range)).then(|| range.to_owned());
    }
    // npm 6 cannot read what npm 7 and later write.
    (brought == 6 && lock.contains("\"lockfileVersion\": 3")).then(|| "8".to_owned())
}

fn yarn(
    head: &str,
    named: Option<String>,
    because: Option<String>,
    tree: Tree<'_>,
    findings: &mut Findings,
) -> Result<Manager, Failure> {
    let settings: Value = yaml(tree, ".yarnrc.yml")?;
    let path = settings.get("yarnPath").and_then(Value::as_str).unwrap_or_default();
    let release = path.rsplit('/').next().and_then(|file| file.strip_prefix("yarn-")?.strip_suffix(".cjs"));
    let format = head.lines().find_map(|line| line.strip_prefix("  version: "));
    let classic = match named.as_deref().or(release) {
        _ if head.contains("# yarn lockfile v1") => true,
        _ if head.contains("__metadata:") => false,
        Some(version) => {
            Range::parse(version).is_ok_and(|range| Range::parse("1").is_ok_and(|one| range.allows_any(&one)))
        }
        None => head.is_empty() && !tree.has(".yarnrc.yml"),
    };
    if classic {
        let fits = |version: &String| version.trim_start_matches('v').starts_with("1.");
        let version = named.filter(fits).unwrap_or_else(|| "1.22.22".to_owned());
        findings.choose("Yarn", &version, because.unwrap_or_else(|| "it reads yarn.lock".to_owned()));
        return Ok(Manager::YarnClassic(version));
    }
    let wrote = match format {
        Some("4") => "2.4.2",
        Some("5" | "6") => "3.8.7",
        _ => "4",
    };
    let release = release.filter(|version| is_version(version));
    let modern = |version: &String| !version.starts_with("1.") && version != "1";
    let (version, why) = match (named.filter(modern), release) {
        (Some(version), _) => (version, because.unwrap_or_default()),
        (None, Some(release)) => (release.to_owned(), "yarnPath in .yarnrc.yml".to_owned()),
        (None, None) => (wrote.to_owned(), "it reads yarn.lock".to_owned()),
    };
    findings.choose("Yarn", &version, why);
    Ok(Manager::Yarn(version))
}

/// The pnpm that wrote a lock file, or one that can install a project without one.
fn pnpm(head: &str, locked: bool, source: &Source<'_>, node: &Node) -> &'static str {
    let format = head.lines().find_map(|line| line.strip_prefix("lockfileVersion:"));
    let format = format.map_or("", |text| text.trim().trim_matches(['\'', '"']));
    match format.split('.').next() {
        Some("5") => "7.33.7",
        Some("6") => "8.15.9",
        // 9 and 10 write the same format, but 10 runs package scripts only if a setting allows them. So use 10 for
        // projects with its settings.
        _ if node.major < 16 => "7.33.7",
        _ if node.major < 18 => "8.15.9",
        _ if !locked || knows_pnpm_10(source) => "10.34.9",
        _ => "9.15.9",
    }
}

/// The last releases of pnpm's finished major versions.
const LAST_PNPM: [&str; 4] = ["10.34.9", "9.15.9", "8.15.9", "7.33.7"];

/// The last release that a range allows: reproducible, and usable in the user agent.
fn last_pnpm(range: &str) -> Option<String> {
    let range = Range::parse(range).ok()?;
    let allowed = |release: &&&str| release.parse().is_ok_and(|version| range.satisfies(&version));
    LAST_PNPM.iter().find(allowed).map(|release| (*release).to_owned())
}

/// Whether the project has settings that pnpm reads since version 10.
fn knows_pnpm_10(source: &Source<'_>) -> bool {
    let workspace = yaml(source.root(), "pnpm-workspace.yaml").unwrap_or_default();
    let keys: Vec<&String> = workspace.as_object().map(|keys| keys.keys().collect()).unwrap_or_default();
    !keys.is_empty() && !keys.iter().any(|key| *key == "packages")
        || ["allowBuilds", "onlyBuiltDependencies", "ignoredBuiltDependencies", "overrides"]
            .iter()
            .any(|key| keys.iter().any(|known| known == key))
        || source.packages().any(Package::allows_builds)
}

/// A file of settings; nothing where there is none.
pub(super) fn yaml(tree: Tree<'_>, file: &str) -> Result<Value, Failure> {
    let Some(text) = tree.text(file)? else { return Ok(Value::Null) };
    serde_yaml::from_str(&text)
        .map_err(|error| no_builder(format!("{file} cannot be read: {error}; correct it")))
}

/// Whether npm's lock file matches package.json; otherwise `npm ci` refuses to install.
fn is_in_step(source: &Source<'_>, tree: Tree<'_>, lock: Option<&str>, findings: &mut Findings) -> bool {
    let Some(file) = lock.filter(|file| file.contains("package-lock") || file.contains("shrinkwrap")) else {
        return true;
    };
    let root = if source.is_member() { Package::read(tree).ok().flatten() } else { None };
    let missing = lock::missing(&tree.long(file), root.as_ref().unwrap_or(&source.package));
    if missing.is_empty() {
        return true;
    }
    let names: Vec<&str> = missing.iter().map(String::as_str).take(5).collect();
    findings.warn(format!(
        "{file} does not match package.json ({}), so the build runs npm install instead of npm ci, and each build may \
         install different versions; run npm install and commit {file}",
        names.join(", ")
    ));
    false
}

/// The files that installing needs.
pub(super) fn files(tree: Tree<'_>, manager: &Manager, lock: Option<&'static str>) -> Vec<&'static str> {
    let own: &[&str] = match manager {
        Manager::Npm(_) => &[],
        Manager::Pnpm(_) => &["pnpm-workspace.yaml", ".pnpmfile.cjs", "pnpmfile.cjs", ".pnpmfile.mjs"],
        Manager::YarnClassic(_) => &[".yarnrc"],
        Manager::Yarn(_) => &[".yarnrc.yml"],
        Manager::Bun(_) => &["bunfig.toml"],
    };
    let mut files: Vec<&str> = tree.first(&package::FILES).into_iter().collect();
    files.extend(lock);
    files.extend([".npmrc"].iter().chain(own).filter(|file| tree.has(file)));
    files
}

/// The directories that installing needs.
pub(super) fn directories(tree: Tree<'_>) -> Vec<&'static str> {
    [".yarn", "patches"].into_iter().filter(|name| tree.has_directory(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ranges_that_npm_understands_are_accepted() {
        for good in ["9", "11.5.x", "^10.33.0", ">=9 <11", "latest", "9.0.0-rc.1", "1 || 2"] {
            assert!(is_range(good), "{good}");
        }
        for bad in ["", "9; rm -rf /", "$(evil)", "<<EOF", "9'", "--force", "newest", "9\n10"] {
            assert!(!is_range(bad), "{bad}");
        }
    }
}
