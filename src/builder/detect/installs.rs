//! Which build arguments the installation of packages needs: those that package managers read from their environment,
//! and those that their files name.

use std::collections::BTreeSet;

use super::tree::Tree;
use super::{Settings, arguments};

/// Files in which package managers replace the names of variables.
const FILES: [&str; 10] = [
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    "bunfig.toml",
    "pip.conf",
    "requirements.txt",
    "pyproject.toml",
    "Gemfile",
    "settings.xml",
    "NuGet.Config",
];

/// Names, or prefixes of names, of variables that package managers read.
const READ: [&str; 16] = [
    "NPM_CONFIG_",
    "npm_config_",
    "YARN_",
    "BUN_CONFIG_",
    "PIP_",
    "UV_",
    "POETRY_",
    "PDM_",
    "PIPENV_",
    "BUNDLE_",
    "COMPOSER_",
    "GOPRIVATE",
    "GOPROXY",
    "GONOSUMDB",
    "GOFLAGS",
    "CARGO_",
];

/// The names of `spec.build.args` that must be declared before packages are installed.
pub(super) fn arguments_of(tree: Tree<'_>, settings: &Settings) -> BTreeSet<String> {
    let names = arguments(settings);
    if names.is_empty() {
        return BTreeSet::new();
    }
    // A member of a workspace is installed by the files of its root.
    let trees = [tree, tree.source()];
    let texts: Vec<String> = trees.iter().flat_map(|tree| FILES.iter().map(|file| tree.head(file))).collect();
    let needed = |name: &String| {
        READ.iter().any(|read| name.starts_with(read)) || texts.iter().any(|text| mentions(text, name))
    };
    names.into_iter().filter(needed).collect()
}

/// Whether a text names a variable: `${NAME}`, `${NAME-…}`, `$NAME`, `%NAME%`, `${env.NAME}`, `ENV["NAME"]`.
fn mentions(text: &str, name: &str) -> bool {
    let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        let marked = ["$", "${", "%", "${env.", "ENV[\"", "ENV['", "ENV.fetch(\"", "ENV.fetch('"]
            .iter()
            .any(|mark| before.ends_with(mark));
        marked && !after.starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_arguments_read_by_a_package_manager_are_needed_to_install() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::write(root.join(".npmrc"), "//r.example/:_authToken=${NPM_TOKEN}\nregistry=$REGISTRY\n")
            .unwrap();
        std::fs::write(root.join("Gemfile"), "source \"https://#{ENV['GEMS']}@gems.example\"\n").unwrap();
        let names =
            ["NPM_TOKEN", "NPM_TOKE", "REGISTRY", "GEMS", "PIP_INDEX_URL", "VITE_API_URL", "COMPOSER_AUTH"];
        let args = names.iter().map(|&name| (name.to_owned(), String::new())).collect();
        let needed = arguments_of(Tree::new(&root), &Settings { args, ..Settings::default() });
        let needed: Vec<&str> = needed.iter().map(String::as_str).collect();
        assert_eq!(needed, ["COMPOSER_AUTH", "GEMS", "NPM_TOKEN", "PIP_INDEX_URL", "REGISTRY"]);
    }
}
