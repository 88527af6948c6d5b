//! Versions of tools in version manager files: .tool-versions of asdf, mise.toml of mise.

use super::tree::Tree;
use crate::builder::outcome::Failure;

/// The configurations of mise, in the order in which it prefers them.
const MISE: [&str; 5] =
    ["mise.toml", ".mise.toml", "mise/config.toml", ".mise/config.toml", ".config/mise.toml"];

/// A version as a file names it, unread: `22`, `20.11.1`, `lts`, `temurin-21.0.2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) version: String,
    /// The file, and its line where it has lines: `.tool-versions, line 2`.
    pub(super) file: String,
}

/// The version of a tool that the source names, by any of its names (`node`, `nodejs`). The directory that is built
/// comes before the root of its source.
pub(super) fn wanted(tree: Tree<'_>, names: &[&str]) -> Result<Option<Wanted>, Failure> {
    for tree in [tree, tree.source()] {
        if let Some(found) = asdf(tree, names)? {
            return Ok(Some(found));
        }
        for file in MISE {
            if let Some(found) = mise(tree, file, names)? {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// A line is a tool and its versions, of which the first counts.
fn asdf(tree: Tree<'_>, names: &[&str]) -> Result<Option<Wanted>, Failure> {
    let file = ".tool-versions";
    let text = tree.text(file)?.unwrap_or_default();
    let found = text.lines().enumerate().find_map(|(index, line)| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let tool = words.next()?;
        let version = words.next()?;
        names
            .contains(&tool)
            .then(|| Wanted { version: version.to_owned(), file: format!("{file}, line {}", index + 1) })
    });
    Ok(found)
}

/// `[tools]` holds a version, a list of them, or a table with one.
fn mise(tree: Tree<'_>, file: &str, names: &[&str]) -> Result<Option<Wanted>, Failure> {
    let Some(configuration) = tree.toml::<toml::Table>(file)? else { return Ok(None) };
    let list = configuration.get("tools").and_then(toml::Value::as_table);
    let found = list.and_then(|list| names.iter().find_map(|name| list.get(*name)));
    let version = found.and_then(|value| {
        let first = value.as_array().and_then(|list| list.first()).unwrap_or(value);
        match first.get("version").unwrap_or(first) {
            toml::Value::String(version) => Some(version.clone()),
            toml::Value::Integer(version) => Some(version.to_string()),
            toml::Value::Float(version) => Some(version.to_string()),
            _ => None,
        }
    });
    let Some(version) = version else { return Ok(None) };
    Ok(Some(match locked(tree, file, names, &version)? {
        Some((version, file)) => Wanted { version, file },
        None => Wanted { version, file: file.to_owned() },
    }))
}

/// The release that mise locked for a version, in the lock file next to its configuration.
fn locked(
    tree: Tree<'_>,
    file: &str,
    names: &[&str],
    version: &str,
) -> Result<Option<(String, String)>, Failure> {
    let file = file.replace(".toml", ".lock");
    let Some(lock) = tree.toml::<toml::Table>(&file)? else { return Ok(None) };
    let tools = lock.get("tools").and_then(toml::Value::as_table);
    let found = tools.and_then(|tools| names.iter().find_map(|name| tools.get(*name)));
    let first = found.map(|found| found.as_array().and_then(|list| list.first()).unwrap_or(found));
    let release = first.and_then(|tool| tool.get("version")).and_then(toml::Value::as_str);
    let fits = |release: &&str| {
        version == "latest" || *release == version || release.starts_with(&format!("{version}."))
    };
    Ok(release.filter(fits).map(|release| (release.to_owned(), file)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    fn version(files: &[(&str, &str)], names: &[&str]) -> Option<(String, String)> {
        let dir = context(files);
        let root = dir.path().canonicalize().unwrap();
        wanted(Tree::new(&root), names).unwrap().map(|found| (found.version, found.file))
    }

    #[test]
    fn tool_versions_is_a_list_of_tools_with_comments() {
        let files = [(".tool-versions", "# ours\nruby 3.3.0\nnodejs 20.11.1 18.0.0 # LTS\n")];
        let found = version(&files, &["node", "nodejs"]).unwrap();
        assert_eq!((found.0.as_str(), found.1.as_str()), ("20.11.1", ".tool-versions, line 3"));
        assert_eq!(version(&files, &["python"]), None);
    }

    #[test]
    fn mise_names_versions_in_four_ways() {
        for tools in ["node = '22'", "node = 22", "node = ['22', '20']", "node = { version = '22' }"] {
            let text = format!("[tools]\n{tools}\n");
            assert_eq!(version(&[("mise.toml", &text)], &["node"]).unwrap().0, "22", "{tools}");
        }
        assert_eq!(version(&[("mise.toml", "[tools]\nnode = true\n")], &["node"]), None);
        assert_eq!(version(&[("mise.toml", "[env]\nA = '1'\n")], &["node"]), None);
    }

    #[test]
    fn the_mise_lock_file_resolves_a_version_to_a_release() {
        let lock = ("mise.lock", "[[tools.uv]]\nversion = \"0.12.5\"\n");
        for (tools, release) in
            [("uv = 'latest'", "0.12.5"), ("uv = '0.12'", "0.12.5"), ("uv = '0.1'", "0.1")]
        {
            let text = format!("[tools]\n{tools}\n");
            assert_eq!(version(&[("mise.toml", &text), lock], &["uv"]).unwrap().0, release, "{tools}");
        }
    }

    #[test]
    fn the_build_directory_wins_over_the_root_of_the_source() {
        let dir = context(&[
            (".tool-versions", "go 1.25.1\npython 3.12.1"),
            ("api/mise.toml", "[tools]\ngo = '1.24'"),
        ]);
        let root = dir.path().canonicalize().unwrap();
        let tree = Tree::member(&root, "api");
        assert_eq!(wanted(tree, &["go"]).unwrap().unwrap().version, "1.24");
        assert_eq!(wanted(tree, &["python"]).unwrap().unwrap().version, "3.12.1");
    }
}
