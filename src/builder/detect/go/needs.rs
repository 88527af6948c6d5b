//! Which other modules of the source a module needs: those that it requires, replaces or imports.

use super::super::Context;
use super::super::findings::Findings;
use super::super::names::{is_path, slashed};
use super::super::tree::Tree;
use super::super::workspace::Needs;
use super::layout::{self, Layout};
use super::module::{self, Module};
use super::resolve;
use crate::builder::outcome::Failure;

/// Most directories of a module that are searched.
const MAX_DIRECTORIES: usize = 5_000;

/// What the module of a directory needs, if there is one.
pub(in super::super) fn needs(tree: Tree<'_>, needs: &mut Needs) -> Result<(), Failure> {
    if tree.first(&["go.mod", "go.work", "main.go"]).is_none() {
        return Ok(());
    }
    let layout = layout::read(tree, &mut Findings::default())?;
    let Some(own) = layout.member.clone().filter(|_| layout.context == Context::Source) else {
        return Ok(());
    };
    needs.root(&layout.directory);
    needs.path(own.trim_end_matches('/'));
    needs.path(format!("{}vendor", slashed(&layout.directory)));
    // Members are built with the versions that all of them require together.
    for file in &layout.manifests {
        needs.path(file.clone());
    }
    let module = layout.modules.iter().find(|(base, _)| *base == own).map(|(_, module)| module);
    let required = |name: &str| module.is_some_and(|module| module.requires.iter().any(|path| path == name));
    let (known, unknown): (Vec<_>, Vec<_>) =
        local(&layout)?.into_iter().filter(|(_, place)| *place != own).partition(|(name, _)| required(name));
    for (_, place) in known {
        needs.path(place.trim_end_matches('/'));
    }
    imported(layout.tree, &own, unknown, needs)
}

/// The modules that are in the source: by what they are imported, and where they are (with a slash at the end).
fn local(layout: &Layout<'_>) -> Result<Vec<(String, String)>, Failure> {
    let file = format!("{}go.work", slashed(&layout.directory));
    let work = layout.tree.text(&file)?.map(|text| module::workspace(&file, &text)).transpose()?;
    let replaces = |base: &str, module: &Module| -> Vec<(String, String)> {
        let place = |target: &String| Some(slashed(&resolve(base, target)?));
        module.replaced.iter().filter_map(|(name, target)| Some((name.clone(), place(target)?))).collect()
    };
    let mut found = work.map(|(_, work)| replaces(&layout.directory, &work)).unwrap_or_default();
    for (base, module) in &layout.modules {
        found.extend(module.path.clone().map(|path| (path, base.clone())));
        found.extend(replaces(base, module));
    }
    Ok(found)
}

/// Of a workspace, members may be imported without being required: adds those whose name is in a file of the module at
/// `base`.
fn imported(
    root: Tree<'_>,
    base: &str,
    mut others: Vec<(String, String)>,
    needs: &mut Needs,
) -> Result<(), Failure> {
    let (mut open, mut looked_at) = (vec![base.to_owned()], 0);
    while let Some(directory) = open.pop().filter(|_| !others.is_empty()) {
        looked_at += 1;
        if looked_at > MAX_DIRECTORIES {
            needs.everything(format!("{base} has more than {MAX_DIRECTORIES} directories"));
            return Ok(());
        }
        for name in root.names(&directory)? {
            let path = format!("{directory}{name}");
            if name.strip_suffix(".go").is_some() && root.has(&path) {
                let text = root.long(&path);
                let (used, rest) = others.into_iter().partition(|(name, _)| imports(&text, name));
                others = rest;
                let used: Vec<(String, String)> = used;
                for (_, place) in used {
                    needs.path(place.trim_end_matches('/'));
                }
            } else if is_path(&path) && root.has_directory(&path) && !root.has(&format!("{path}/go.mod")) {
                open.push(format!("{path}/"));
            }
        }
    }
    Ok(())
}

/// Whether a text has the name of a module, or of a package in it, in quotes.
fn imports(text: &str, module: &str) -> bool {
    text.match_indices(module).any(|(at, _)| {
        let after = text[at + module.len()..].chars().next();
        text[..at].ends_with(['"', '`']) && matches!(after, Some('"' | '`' | '/'))
    })
}
