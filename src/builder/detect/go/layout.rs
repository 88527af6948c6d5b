//! Where the modules of a program are: a single one, one with local replacements, or the members of a go.work.

use super::super::findings::Findings;
use super::super::names::slashed;
use super::super::tree::Tree;
use super::super::{Context, no_builder};
use super::module::{self, Module};
use super::programs;
use super::resolve;
use crate::builder::outcome::Failure;

/// Most modules that are read.
const MAX_MODULES: usize = 100;

/// The modules of a program, and the directory that it is built in.
#[derive(Clone, Debug)]
pub(super) struct Layout<'a> {
    /// The context: the directory that is built, or the root of the source.
    pub(super) tree: Tree<'a>,
    pub(super) context: Context,
    /// Where Go is run, below the context; empty: there.
    pub(super) directory: String,
    /// The modules of the program with the directory of each below the context (empty, or with a slash at its end).
    pub(super) modules: Vec<(String, Module)>,
    /// The files that downloading modules needs, below the context; empty if the modules are in the source.
    pub(super) manifests: Vec<String>,
    /// There is no go.mod, so the build creates one.
    pub(super) init: bool,
    /// The member of the workspace that is built (empty, or with a slash at its end); none: any of them.
    pub(super) member: Option<String>,
}

impl Layout<'_> {
    /// Whether the program may be in the module of this directory.
    pub(super) fn is_searched(&self, base: &str) -> bool {
        self.member.as_deref().is_none_or(|member| member == base)
    }

    /// A directory below the context as a package, from where Go is run.
    pub(super) fn package(&self, directory: &str) -> String {
        let below = directory.strip_prefix(&self.directory).unwrap_or(directory).trim_matches('/');
        if below.is_empty() { ".".to_owned() } else { format!("./{below}") }
    }
}

/// Reads go.work or go.mod, whichever exists.
pub(super) fn read<'a>(tree: Tree<'a>, findings: &mut Findings) -> Result<Layout<'a>, Failure> {
    if let Some(layout) = workspace(tree)? {
        return Ok(layout);
    }
    let Some(text) = tree.text("go.mod")? else { return without_module(tree, findings) };
    let module = Module::parse("go.mod", &text)?;
    let outside = module.replaced.iter().any(|(_, target)| resolve("", target).is_none());
    let (context, root) = if outside { (Context::Source, tree.source()) } else { (Context::Directory, tree) };
    let directory = if outside { tree.path().to_owned() } else { String::new() };
    let base = slashed(&directory);
    let mut local = Vec::new();
    for (name, target) in module.replaced.iter().take(MAX_MODULES) {
        let place =
            resolve(&directory, target).filter(|place| root.has(&format!("{}go.mod", slashed(place))));
        local.push(slashed(&place.ok_or_else(|| {
            no_builder(format!(
                "go.mod replaces {name:?} with {target:?}, but the source has no go.mod there; commit it, or remove \
                 the line (go mod edit -dropreplace)"
            ))
        })?));
    }
    let mut modules = vec![(base.clone(), module)];
    for place in &local {
        modules.push((place.clone(), at(root, place)?));
    }
    check_sums(root, &modules, &[])?;
    let vendored = root.has(&format!("{base}vendor/modules.txt"));
    let manifests = if vendored { vec![] } else { manifests(root, &modules, &[]) };
    let member = Some(base);
    Ok(Layout { tree: root, context, directory, modules, manifests, init: false, member })
}

/// The workspace of the directory that is built, or the one above that it is a member of.
fn workspace(tree: Tree<'_>) -> Result<Option<Layout<'_>>, Failure> {
    if tree.has("go.work") {
        return members(tree, Context::Directory, "", None).map(Some);
    }
    let mut above = tree.path();
    while let Some((parent, _)) = above.rsplit_once('/').or((!above.is_empty()).then_some(("", ""))) {
        if tree.source().has(&format!("{}go.work", slashed(parent))) {
            let layout = members(tree.source(), Context::Source, parent, Some(tree.path()))?;
            let own = slashed(tree.path());
            let is_member = layout.modules.iter().any(|(base, _)| own.starts_with(base.as_str()));
            return Ok(is_member.then_some(layout));
        }
        above = parent;
    }
    Ok(None)
}

fn members<'a>(
    tree: Tree<'a>,
    context: Context,
    directory: &str,
    member: Option<&str>,
) -> Result<Layout<'a>, Failure> {
    let file = format!("{}go.work", slashed(directory));
    let (uses, work) = module::workspace(&file, &tree.text(&file)?.unwrap_or_default())?;
    let mut modules = Vec::new();
    for used in uses.iter().take(MAX_MODULES) {
        let place = resolve(directory, used).map(|place| slashed(&place));
        match place.filter(|place| tree.has(&format!("{place}go.mod"))) {
            Some(place) => modules.push((place.clone(), at(tree, &place)?)),
            None => {
                return Err(no_builder(format!(
                    "{file} uses {used:?}, but there is no go.mod in it; commit it, correct {file}, or set the path of the \
                     source to the directory that {file} is in"
                )));
            }
        }
    }
    // The workspace's own version counts as one more module without a directory of its own.
    let member = member.map(slashed);
    let extra = [file, format!("{}go.work.sum", slashed(directory))];
    check_sums(tree, &modules, &extra)?;
    let vendored = tree.has(&format!("{}vendor/modules.txt", slashed(directory)));
    let manifests = if vendored {
        vec![]
    } else {
        manifests(tree, &modules, &[&extra[..], &replaced(&modules)].concat())
    };
    if let Some((_, module)) = modules.first_mut() {
        module.go = module.go.max(work.go);
        module.toolchain = module.toolchain.max(work.toolchain);
    }
    let member = member.map(|member| {
        let above = modules.iter().map(|(base, _)| base).filter(|base| member.starts_with(base.as_str()));
        let own = above.max_by_key(|base| base.len());
        own.cloned().unwrap_or(member)
    });
    Ok(Layout { tree, context, directory: directory.to_owned(), modules, manifests, init: false, member })
}

/// The go.mod of the directories that members replace modules by.
fn replaced(modules: &[(String, Module)]) -> Vec<String> {
    let targets = modules.iter().flat_map(|(base, module)| {
        module.replaced.iter().filter_map(|(_, target)| resolve(base, target)).collect::<Vec<_>>()
    });
    let places =
        targets.map(|place| slashed(&place)).filter(|place| modules.iter().all(|(base, _)| base != place));
    places.map(|place| format!("{place}go.mod")).collect()
}

/// A main.go alone: the standard library is enough for it, or it lacks its go.mod.
fn without_module<'a>(tree: Tree<'a>, findings: &mut Findings) -> Result<Layout<'a>, Failure> {
    for text in programs::files(tree, "")? {
        let other = programs::imports(&text)
            .into_iter()
            .find(|path| path.split('/').next().is_some_and(|first| first.contains('.')));
        if let Some(path) = other {
            return Err(no_builder(format!(
                "main.go imports {path:?}, but there is no go.mod; run go mod init and go mod tidy, and commit go.mod \
                 and go.sum"
            )));
        }
    }
    findings.assume("there is no go.mod, so the build creates one; run go mod init and commit it");
    let module = Module { path: Some("app".to_owned()), ..Module::default() };
    Ok(Layout {
        tree,
        context: Context::Directory,
        directory: String::new(),
        modules: vec![(String::new(), module)],
        manifests: vec![],
        init: true,
        member: None,
    })
}

fn at(tree: Tree<'_>, base: &str) -> Result<Module, Failure> {
    let file = format!("{base}go.mod");
    Module::parse(&file, &tree.text(&file)?.unwrap_or_default())
}

/// The files of the modules that downloading reads.
fn manifests(tree: Tree<'_>, modules: &[(String, Module)], extra: &[String]) -> Vec<String> {
    let own = modules.iter().flat_map(|(base, _)| [format!("{base}go.mod"), format!("{base}go.sum")]);
    let mut files: Vec<String> = extra.iter().cloned().chain(own).filter(|file| tree.has(file)).collect();
    files.dedup();
    files
}

/// Go downloads nothing that no go.sum knows.
fn check_sums(tree: Tree<'_>, modules: &[(String, Module)], extra: &[String]) -> Result<(), Failure> {
    let local = |path: &String| {
        modules.iter().any(|(_, module)| {
            module.path.as_ref() == Some(path) || module.replaced.iter().any(|(name, _)| name == path)
        })
    };
    let summed = extra.iter().any(|file| file.ends_with("go.work.sum") && tree.has(file));
    for (base, module) in modules {
        let needs = module.requires.iter().any(|path| !local(path));
        if needs && !summed && !tree.has(&format!("{base}go.sum")) && !tree.has("vendor/modules.txt") {
            return Err(no_builder(format!(
                "{base}go.sum is missing next to {base}go.mod; run go mod tidy and commit it"
            )));
        }
    }
    Ok(())
}
