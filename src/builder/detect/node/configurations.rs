//! Files outside of a directory that its TypeScript configurations name.

use serde_json::Value;

use super::super::names::{resolved, slashed};
use super::super::no_builder;
use super::super::tree::Tree;
use super::super::workspace::Needs;
use super::members::{fixed, texts};
use crate::builder::outcome::Failure;

/// Most configurations of a directory that are read.
const MAX_FILES: usize = 20;

/// The files and directories that `tsconfig*.json` extend, refer to, include or give another name.
pub(super) fn needs(tree: Tree<'_>, needs: &mut Needs) -> Result<(), Failure> {
    let names = tree.names("")?;
    let files = names.iter().filter(|name| {
        name.strip_prefix("tsconfig").is_some_and(|rest| rest.strip_suffix(".json").is_some())
    });
    for file in files.take(MAX_FILES) {
        let Some(configuration) = read(tree, file)? else { continue };
        for extended in texts(configuration.get("extends")).into_iter().filter(|path| path.starts_with('.')) {
            extends(tree, extended, needs);
        }
        let references = configuration.get("references").and_then(Value::as_array).into_iter().flatten();
        for path in references.filter_map(|reference| reference.get("path")?.as_str()) {
            needs.beside(tree.path(), path.strip_suffix("/tsconfig.json").unwrap_or(path));
        }
        let (base, aliases) = aliases(&configuration);
        let based =
            |path: &str| Some(path).filter(|path| !path.is_empty()).map(|path| format!("{base}/{path}"));
        let listed = ["include", "files"].into_iter().flat_map(|field| texts(configuration.get(field)));
        let paths = aliases.into_iter().filter_map(|(_, target)| based(fixed(target)));
        for path in paths.chain(listed.map(fixed).map(str::to_owned)) {
            let outside = |path: &String| !slashed(path).starts_with(&slashed(tree.path()));
            resolved(tree.path(), &path).filter(outside).into_iter().for_each(|path| needs.path(path));
        }
    }
    Ok(())
}

/// The aliases of a configuration, each with its target, and the directory that targets are relative to.
pub(super) fn aliases(configuration: &Value) -> (&str, Vec<(&str, &str)>) {
    let options = configuration.get("compilerOptions");
    let base = options.and_then(|options| options.get("baseUrl")?.as_str()).unwrap_or(".");
    let paths = options.and_then(|options| options.get("paths")?.as_object()).into_iter().flatten();
    let aliases = paths.flat_map(|(pattern, targets)| {
        texts(Some(targets)).into_iter().map(|target| (pattern.as_str(), target))
    });
    (base, aliases.collect())
}

/// An extended configuration may itself extend a file next to it, so its whole directory counts, unless it contains
/// this one.
fn extends(tree: Tree<'_>, path: &str, needs: &mut Needs) {
    for file in [path.to_owned(), format!("{path}.json")] {
        let Some(file) = resolved(tree.path(), &file) else { continue };
        let directory = file.rsplit_once('/').map_or("", |(directory, _)| directory);
        let above = slashed(tree.path()).starts_with(&slashed(directory));
        needs.path(if above { &file } else { directory });
    }
}

/// A file of JSON with comments.
pub(super) fn read(tree: Tree<'_>, file: &str) -> Result<Option<Value>, Failure> {
    let parse = |text: String| {
        json5::from_str(&text)
            .map_err(|error| no_builder(format!("{file} cannot be read: {error}; correct it")))
    };
    tree.text(file)?.map(parse).transpose()
}
