//! What the files of a directory import from outside of it without a package.json entry: workspace members by name,
//! files by path, and aliases of the TypeScript configuration at the root.

use super::super::names::{is_path, resolved, slashed};
use super::super::tree::Tree;
use super::super::workspace::Needs;
use super::configurations;
use super::workspace::Workspace;
use crate::builder::outcome::Failure;

/// Limits: directories that are searched, and the length of an import.
const MAX_DIRECTORIES: usize = 5_000;
const MAX_NAME: usize = 256;
/// Files that import others.
const SOURCES: [&str; 17] = [
    "astro", "cjs", "css", "cts", "js", "jsx", "less", "mdx", "mjs", "mts", "sass", "scss", "svelte", "ts",
    "tsx", "vue", "styl",
];
/// What precedes the name of an import.
const BEFORE: [&str; 9] =
    ["from", "import", "import(", "require(", "require.resolve(", "@import", "@use", "@forward", "url("];
/// Extensions that an import may omit.
const ENDS: [&str; 10] = [".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".vue", ".css", ".scss"];

/// An alias: `@acme/*` and its target `libs/*/src`.
struct Alias {
    pattern: String,
    target: String,
}

/// What imports are resolved with.
#[derive(Default)]
pub(super) struct Imports {
    aliases: Vec<Alias>,
}

impl Imports {
    /// Reads the aliases of the configurations at the root of the source.
    pub(super) fn read(root: Tree<'_>) -> Result<Self, Failure> {
        let mut aliases = Vec::new();
        for file in ["tsconfig.base.json", "tsconfig.json"] {
            let configuration = configurations::read(root, file)?.unwrap_or_default();
            let (base, named) = configurations::aliases(&configuration);
            aliases.extend(named.into_iter().map(|(pattern, target)| Alias {
                pattern: pattern.to_owned(),
                target: format!("{base}/{target}"),
            }));
        }
        Ok(Self { aliases })
    }

    /// What the files of a directory and below it import from elsewhere in the source.
    pub(super) fn needs(
        &self,
        tree: Tree<'_>,
        workspace: &Workspace,
        needs: &mut Needs,
    ) -> Result<(), Failure> {
        let (mut open, mut looked_at) = (vec![String::new()], 0);
        while let Some(directory) = open.pop() {
            looked_at += 1;
            if looked_at > MAX_DIRECTORIES {
                needs.everything(format!("{} has more than {MAX_DIRECTORIES} directories", tree.path()));
                return Ok(());
            }
            for name in tree.names(&directory)? {
                let path = format!("{directory}{name}");
                let end = name.rsplit_once('.').map_or("", |(_, end)| end);
                if SOURCES.contains(&end) && tree.has(&path) {
                    let from = format!("{}/{directory}", tree.path());
                    for import in specifiers(&tree.long(&path)) {
                        self.import(tree, &from, import, workspace, needs);
                    }
                } else if !name.starts_with('.')
                    && name != "node_modules"
                    && is_path(&path)
                    && tree.has_directory(&path)
                {
                    open.push(format!("{path}/"));
                }
            }
        }
        Ok(())
    }

    /// What one import, in a file of the directory `from`, means.
    fn import(&self, tree: Tree<'_>, from: &str, import: &str, workspace: &Workspace, needs: &mut Needs) {
        let import = import.split(['?', '#']).next().unwrap_or_default();
        if import.starts_with("../") {
            if let Some(path) = resolved(from, import) {
                place(tree, &path, needs);
            }
            return;
        }
        let scoped = usize::from(import.starts_with('@'));
        let name = import.match_indices('/').nth(scoped).map_or(import, |(at, _)| &import[..at]);
        workspace.named(name).into_iter().for_each(|member| needs.path(member.path.clone()));
        for target in self.aliases.iter().filter_map(|alias| alias.of(import)) {
            if let Some(path) = resolved("", &target) {
                place(tree, &path, needs);
            }
        }
    }
}

impl Alias {
    /// The path that an import by this name means.
    fn of(&self, import: &str) -> Option<String> {
        let Some((start, end)) = self.pattern.split_once('*') else {
            return (self.pattern == import).then(|| self.target.clone());
        };
        let star = import.strip_prefix(start)?.strip_suffix(end)?;
        Some(self.target.replacen('*', star, 1))
    }
}

/// Adds an imported path of the source: its package; without one its directory, or only the file if that directory
/// contains the importing one.
fn place(tree: Tree<'_>, path: &str, needs: &mut Needs) {
    let (own, root) = (slashed(tree.path()), tree.source());
    if slashed(path).starts_with(&own) {
        return;
    }
    let holds_own = |directory: &str| own.starts_with(&slashed(directory));
    let above = std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(above, _)| above));
    let is_package =
        |path: &&str| ["package.json", "project.json"].iter().any(|file| root.has(&format!("{path}/{file}")));
    if let Some(package) = above.take_while(|path| !holds_own(path)).find(is_package) {
        return needs.path(package);
    }
    let files = std::iter::once(path.to_owned()).chain(ENDS.iter().map(|end| format!("{path}{end}")));
    let found: Vec<String> = files.filter(|file| root.has(file)).collect();
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    if root.has_directory(path) {
        needs.path(path);
    } else if !found.is_empty() && !holds_own(directory) {
        needs.path(directory);
    }
    for file in found {
        needs.path(file);
    }
}

/// The names in quotes that a text imports.
fn specifiers(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, quote) in text.match_indices(['"', '\'', '`']) {
        let before = text[..at].trim_end();
        if BEFORE.iter().any(|word| before.ends_with(word)) {
            let rest = text[at + 1..].split('\n').next().unwrap_or_default();
            found.extend(rest.find(quote).filter(|end| (1..=MAX_NAME).contains(end)).map(|end| &rest[..end]));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_the_quoted_names_after_import_keywords() {
        let text = "import a from \"@acme/ui\";\nexport * from '../x'\nconst b = require(`./y`), c = \"../no\";\n\
                    await import( '../../z?raw' );\n@import \"../a.css\";\nbackground: url('../b.png');\n// don't import 'it\n";
        assert_eq!(specifiers(text), ["@acme/ui", "../x", "./y", "../../z?raw", "../a.css", "../b.png"]);
    }

    #[test]
    fn an_alias_maps_to_a_path() {
        let alias =
            |pattern: &str, target: &str| Alias { pattern: pattern.to_owned(), target: target.to_owned() };
        assert_eq!(alias("@a/*", "./libs/*/src").of("@a/ui").as_deref(), Some("./libs/ui/src"));
        assert_eq!(
            alias("@a/ui", "./libs/ui/src/index.ts").of("@a/ui").as_deref(),
            Some("./libs/ui/src/index.ts")
        );
        assert_eq!(alias("@a/ui", "x").of("@a/ui/b"), None);
    }
}
