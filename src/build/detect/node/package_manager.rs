//! Which package manager: the one whose lock file is there. Its version is what `packageManager` says, where it does.

use super::super::findings::Findings;
use super::super::names::is_version;
use super::super::no_builder;
use super::super::tree::Tree;
use super::Source;
use crate::build::dockerfile::node::Manager;
use crate::build::outcome::Failure;

/// Lock files and whose they are.
const LOCKS: [(&str, &str); 6] = [
    ("npm-shrinkwrap.json", "npm"),
    ("package-lock.json", "npm"),
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
];

/// The package manager and its lock file.
pub(super) fn choose(
    source: &Source<'_>,
    findings: &mut Findings,
) -> Result<(Manager, Option<&'static str>), Failure> {
    let there: Vec<(&str, &str)> = LOCKS.into_iter().filter(|(file, _)| source.tree.has(file)).collect();
    let wanted = source.package.manager.as_deref().and_then(|text| text.split_once('@'));
    let (name, lock) = match there.as_slice() {
        [] => (wanted.map_or("npm", |(name, _)| name), None),
        [(file, name), others @ ..] if others.iter().all(|(_, other)| other == name) => (*name, Some(*file)),
        several => {
            let chosen = several.iter().find(|(_, name)| wanted.is_some_and(|(wanted, _)| wanted == *name));
            let (file, name) = chosen.ok_or_else(|| {
                let files: Vec<&str> = several.iter().map(|(file, _)| *file).collect();
                no_builder(format!(
                    "there are {}: remove all but one, or name the package manager in package.json, such as \
                     \"packageManager\": \"{}@<version>\"",
                    files.join(" and "),
                    several[0].1
                ))
            })?;
            (*name, Some(*file))
        }
    };
    let version = match wanted {
        Some((wanted, version)) if wanted == name => {
            version.split('+').next().filter(|text| is_version(text))
        }
        _ => None,
    };
    if lock.is_none() {
        let file =
            LOCKS.iter().rev().find(|(_, whose)| *whose == name).map_or("a lock file", |(file, _)| file);
        let file = if name == "npm" { "package-lock.json" } else { file };
        findings.assume(format!(
            "{file} is missing: other versions of the packages may be taken every time; commit the lock file"
        ));
    }
    Ok((manager(name, lock, version, source.tree)?, lock))
}

fn manager(
    name: &str,
    lock: Option<&str>,
    version: Option<&str>,
    tree: Tree<'_>,
) -> Result<Manager, Failure> {
    let or = |default: &str| version.unwrap_or(default).to_owned();
    match name {
        "npm" => Ok(Manager::Npm),
        "pnpm" => Ok(Manager::Pnpm(or(pnpm(&lock.map(|file| tree.head(file)).unwrap_or_default())))),
        "yarn" => {
            let head = lock.map(|file| tree.head(file)).unwrap_or_default();
            let classic = match version {
                Some(version) => version == "1" || version.starts_with("1."),
                None => head.contains("# yarn lockfile v1"),
            };
            Ok(if classic { Manager::YarnClassic(or("1")) } else { Manager::Yarn(or("4")) })
        }
        other => {
            let other: String = other.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
            Err(no_builder(format!(
                "the package manager {other} is not known here; commit the lock file of npm, pnpm or yarn instead, or add a \
                 Dockerfile"
            )))
        }
    }
}

/// The major version of pnpm that wrote a lock file.
fn pnpm(head: &str) -> &'static str {
    let format = head.lines().find_map(|line| line.strip_prefix("lockfileVersion:"));
    let format = format.map_or("", |text| text.trim().trim_matches(['\'', '"']));
    match format.split('.').next() {
        Some("5") => "7",
        Some("6") => "8",
        _ => "10",
    }
}

/// The files that installing needs.
pub(super) fn files(tree: Tree<'_>, manager: &Manager, lock: Option<&'static str>) -> Vec<&'static str> {
    let own: &[&str] = match manager {
        Manager::Npm => &[],
        Manager::Pnpm(_) => &["pnpm-workspace.yaml", ".pnpmfile.cjs"],
        Manager::YarnClassic(_) => &[".yarnrc"],
        Manager::Yarn(_) => &[".yarnrc.yml"],
    };
    let mut files = vec!["package.json"];
    files.extend(lock);
    files.extend([".npmrc"].iter().chain(own).filter(|file| tree.has(file)));
    files
}

/// The directories that installing needs.
pub(super) fn directories(tree: Tree<'_>) -> Vec<&'static str> {
    [".yarn", "patches"].into_iter().filter(|name| tree.has_directory(name)).collect()
}

/// Whether pnpm knows more packages in the source than the one of its root.
pub(super) fn has_members(tree: Tree<'_>) -> bool {
    tree.head("pnpm-workspace.yaml").lines().any(|line| line.starts_with("packages:"))
}

#[cfg(test)]
mod tests {
    use super::pnpm;

    #[test]
    fn a_lock_file_says_which_pnpm_reads_it() {
        assert_eq!(pnpm("lockfileVersion: '9.0'\n"), "10");
        assert_eq!(pnpm("lockfileVersion: '6.0'\n"), "8");
        assert_eq!(pnpm("lockfileVersion: 5.4\n"), "7");
        assert_eq!(pnpm(""), "10");
    }
}
