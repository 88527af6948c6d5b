//! The directories and files of a source that a compiled program may read at run time, by their usual names.

use super::names::is_path;
use super::tree::Tree;

const DIRECTORIES: [&str; 14] = [
    "assets",
    "conf",
    "config",
    "configs",
    "data",
    "i18n",
    "locales",
    "migrations",
    "public",
    "resources",
    "static",
    "templates",
    "views",
    "wwwroot",
];
const FILES: [&str; 8] = [
    "Rocket.toml",
    "app.toml",
    "config.json",
    "config.toml",
    "config.yaml",
    "config.yml",
    "index.html",
    "settings.toml",
];

/// What is copied next to a program: paths below the context; directories end with a slash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::builder) struct Assets(Vec<String>);

impl Assets {
    /// Finds the usual ones in a directory, which is `prefix` below the context (empty, or ending with a slash).
    pub(super) fn find(tree: Tree<'_>, prefix: &str) -> Self {
        let directories = DIRECTORIES.iter().filter(|name| tree.has_directory(name));
        let files = FILES.iter().filter(|name| tree.has(name));
        let names = directories.map(|name| format!("{prefix}{name}/"));
        Self(names.chain(files.map(|name| format!("{prefix}{name}"))).filter(|path| plain(path)).collect())
    }

    /// The COPY instructions, into the working directory of the program.
    pub(in crate::builder) fn copy(&self) -> String {
        self.0.iter().fold(String::new(), |text, path| {
            let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let slash = if path.ends_with('/') { "/" } else { "" };
            text + &format!("COPY --link {path} ./{name}{slash}\n")
        })
    }

    /// A note for the user; None if nothing is copied.
    pub(super) fn sentence(&self) -> Option<String> {
        let names = self.0.join(", ");
        (!names.is_empty()).then(|| format!("copied into the working directory of the program: {names}"))
    }
}

fn plain(path: &str) -> bool {
    is_path(path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    #[test]
    fn assets_of_a_member_are_copied_to_the_start_directory() {
        let dir = context(&[("api/templates/a.html", ""), ("api/Rocket.toml", ""), ("api/src/a.rs", "")]);
        let root = dir.path().canonicalize().unwrap();
        let assets = Assets::find(Tree::member(&root, "api"), "api/");
        assert_eq!(
            assets.copy(),
            "COPY --link api/templates/ ./templates/\nCOPY --link api/Rocket.toml ./Rocket.toml\n"
        );
        assert!(assets.sentence().unwrap().contains("api/templates/"));
        assert_eq!(Assets::default().sentence(), None);
    }
}
