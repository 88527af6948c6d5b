//! What a lock file says: whether it matches package.json, and which packages it has.

use serde_json::Value;

use super::package::Package;

/// The packages of package.json that npm's lock file lacks or has with another requirement. A lock file of npm 6 does
/// not repeat the requirements.
pub(super) fn missing(lock: &str, package: &Package) -> Vec<String> {
    let Some(root) = root(lock) else { return vec![] };
    let mut missing = Vec::new();
    for (field, packages) in package.locked() {
        for (name, version) in packages {
            let known = root.get(field).and_then(|known| known.get(name));
            // An optional package may be in both fields; the lock file keeps one.
            let elsewhere = root.get("optionalDependencies").and_then(|known| known.get(name));
            if known.or(elsewhere) != Some(version) {
                missing.push(name.chars().filter(|char| !char.is_control()).take(80).collect());
            }
        }
    }
    missing
}

/// The entry of the project itself: `"packages": {"": {…}}`.
fn root(lock: &str) -> Option<Value> {
    let packages = &lock[lock.find("\"packages\"")?..];
    let entry = &packages[packages.find("\"\"")? + 2..];
    let entry = entry.trim_start().strip_prefix(':')?;
    serde_json::Deserializer::from_str(entry).into_iter::<Value>().next()?.ok()
}

/// Whether a lock file of any package manager has a package. A mere mention by another package does not count.
pub(super) fn has(lock: &str, name: &str) -> bool {
    // If npm lists packages by directory, `"a": {` is another package's entry for an optional one.
    let by_directory = lock.contains("\"node_modules/");
    lock.lines().any(|line| is_entry(line, name, by_directory))
}

/// Whether a line starts the entry of a package: `"node_modules/a": {`, `a@1:`, `/a@1:`, `/a/1:`, `"a": ["a@1", …`, and
/// `"a": {` of npm 6.
fn is_entry(line: &str, name: &str, by_directory: bool) -> bool {
    let Some(at) = line.find(name) else { return false };
    let (before, after) = (line[..at].trim_start(), &line[at + name.len()..]);
    let nested = before.starts_with("\"node_modules/") && before.ends_with("node_modules/");
    match before {
        _ if nested => after.starts_with("\": {"),
        "\"" if after.starts_with("\": [") || after.trim_end() == "\": {" && !by_directory => true,
        "" | "\"" | "'" | "/" | "'/" => {
            let version =
                after.strip_prefix('@').or_else(|| after.strip_prefix('/').filter(|_| before.ends_with('/')));
            version.is_some_and(|version| !version.is_empty())
        }
        _ => false,
    }
}

/// Whether it has a package that is fetched from a Git repository.
pub(super) fn has_git(lock: &str) -> bool {
    [
        "git+ssh://",
        "git+https://",
        "git+http://",
        "git://",
        "git@github.com:",
        "type: git",
        "repo: git",
        "github:",
    ]
    .iter()
    .any(|mark| lock.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(text: &str) -> Package {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn packages_missing_from_an_npm_lock_file_are_named() {
        let lock = r#"{"name": "a", "lockfileVersion": 3, "packages": {
            "": {"dependencies": {"dayjs": "1.11.13"}, "optionalDependencies": {"fsevents": "2"}},
            "node_modules/dayjs": {"version": "1.11.13"}}}"#;
        assert!(missing(lock, &package(r#"{"dependencies":{"dayjs":"1.11.13"}}"#)).is_empty());
        let both =
            r#"{"dependencies":{"dayjs":"1.11.13","fsevents":"2"},"optionalDependencies":{"fsevents":"2"}}"#;
        assert!(missing(lock, &package(both)).is_empty());
        let more = package(r#"{"dependencies":{"dayjs":"1.11.14"},"devDependencies":{"is-number":"7"}}"#);
        assert_eq!(missing(lock, &more), ["dayjs", "is-number"]);
        assert!(
            missing("{\"lockfileVersion\": 1}", &more).is_empty(),
            "npm 6 does not record the requested packages"
        );
        assert!(missing("", &more).is_empty());
    }

    #[test]
    fn a_package_is_found_in_the_lock_file_of_any_package_manager() {
        for lock in [
            r#""node_modules/bcrypt": {"#,
            r#""node_modules/a/node_modules/bcrypt": {"#,
            "  bcrypt@5.1.1:\n",
            "  /bcrypt@5.1.1:\n",
            "  /bcrypt/5.1.0:\n",
            "\nbcrypt@^5.0.0:\n",
            "\"bcrypt@npm:^5.0.0\":\n",
            r#"    "bcrypt": ["bcrypt@5.1.1", "#,
            "  \"dependencies\": {\n    \"bcrypt\": {\n      \"version\": \"5.1.1\",",
        ] {
            assert!(has(lock, "bcrypt"), "{lock}");
        }
        for lock in [
            "\"node_modules/bcryptjs\": {",
            "my-bcrypt@1:",
            "@x/bcrypt@1:",
            "bcrypt",
            r#"        "bcrypt": "^5.0.0""#,
            "      bcrypt: ^5.0.0",
            r#"        "bcrypt": {"optional": true}"#,
            "\"node_modules/orm\": {\n  \"peerDependenciesMeta\": {\n    \"bcrypt\": {\n      \"optional\": true",
        ] {
            assert!(!has(lock, "bcrypt"), "{lock}");
        }
    }
}
