//! A workspace: several packages with one lock file, for npm, pnpm, Yarn and Bun.

use std::collections::BTreeSet;

use super::super::findings::Findings;
use super::super::names::is_path;
use super::super::no_builder;
use super::super::tree::Tree;
use super::package::Package;
use super::package_manager::yaml;
use crate::builder::outcome::Failure;

/// Limits of the search: directories and depth.
const MAX_DIRECTORIES: usize = 2_000;
const MAX_DEPTH: usize = 5;

/// A package of a workspace.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Relative to the root of the workspace.
    pub(super) path: String,
    pub(super) package: Package,
}

/// All packages of a workspace besides its root.
#[derive(Clone, Debug, Default)]
pub(super) struct Workspace {
    pub(super) members: Vec<Member>,
}

/// Files that identify a program or a site, as opposed to a library.
const PROGRAMS: [&str; 14] = [
    "next.config.js",
    "next.config.mjs",
    "next.config.ts",
    "nuxt.config.ts",
    "nuxt.config.js",
    "astro.config.mjs",
    "astro.config.ts",
    "svelte.config.js",
    "react-router.config.ts",
    "remix.config.js",
    "angular.json",
    "index.html",
    "gatsby-config.js",
    "app.config.ts",
];

impl Workspace {
    /// The workspace whose root is this directory; None if it is not the root of one.
    pub(super) fn read(tree: Tree<'_>) -> Result<Option<Self>, Failure> {
        let settings = yaml(tree, "pnpm-workspace.yaml")?;
        let listed = settings.get("packages").and_then(serde_json::Value::as_array);
        let mut patterns: Vec<String> =
            listed.into_iter().flatten().filter_map(|text| text.as_str()).map(str::to_owned).collect();
        if patterns.is_empty() {
            patterns = Package::read(tree)?.map(|package| package.workspaces()).unwrap_or_default();
        }
        if patterns.is_empty() {
            return Ok(None);
        }
        let mut members = Vec::new();
        for path in directories(tree, &patterns)? {
            if !is_member(&path, &patterns) {
                continue;
            }
            let file = format!("{path}/package.json");
            if let Some(package) = tree.json::<Package>(&file)? {
                members.push(Member { path, package });
            }
        }
        Ok(Some(Self { members }))
    }

    /// The member in a directory.
    pub(super) fn at(&self, path: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.path == path)
    }

    /// The member of a name.
    pub(super) fn named(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.package.name.as_deref() == Some(name))
    }

    /// The members that one needs, in build order: each after those that it needs, itself last.
    pub(super) fn needed_by<'m>(&'m self, member: &'m Member) -> Vec<&'m Member> {
        let mut found = Vec::new();
        self.collect(member, &mut BTreeSet::new(), &mut found);
        found
    }

    fn collect<'m>(&'m self, member: &'m Member, seen: &mut BTreeSet<&'m str>, found: &mut Vec<&'m Member>) {
        if !seen.insert(&member.path) {
            return;
        }
        for needed in self
            .members
            .iter()
            .filter(|other| other.package.name.as_deref().is_some_and(|name| member.package.has(name)))
        {
            self.collect(needed, seen, found);
        }
        found.push(member);
    }

    /// The only member that is a program, for a root that starts nothing.
    pub(super) fn program(&self, root: Tree<'_>, findings: &mut Findings) -> Result<&Member, Failure> {
        let is_program = |member: &&Member| {
            member.package.scripts.contains_key("start")
                || PROGRAMS.iter().any(|file| root.has(&format!("{}/{file}", member.path)))
        };
        let programs: Vec<&Member> = self.members.iter().filter(is_program).collect();
        let names = |members: &mut dyn Iterator<Item = &Member>| {
            let paths: Vec<&str> = members.take(20).map(|member| member.path.as_str()).collect();
            paths.join(", ")
        };
        match programs.as_slice() {
            [only] => {
                findings.assume(format!(
                    "the root of this workspace starts nothing, so the build picks its only program, {}; set the path \
                     of the source to name it",
                    only.path
                ));
                Ok(only)
            }
            [] if self.members.is_empty() => Err(no_builder(
                "package.json is the root of a workspace without packages; correct its \"workspaces\" (or packages in \
                 pnpm-workspace.yaml), or add a \"start\" script",
            )),
            [] => Err(no_builder(format!(
                "package.json is the root of a workspace and none of its packages has a \"start\" script: {}; add one, or set \
                 the path of the source to the package that runs",
                names(&mut self.members.iter())
            ))),
            several => Err(no_builder(format!(
                "package.json is the root of a workspace with several programs; set the path of the source to one of \
                 {}, or add a \"start\" script to the root",
                names(&mut several.iter().copied())
            ))),
        }
    }
}

/// The directories with a package.json, relative, in order; only where a pattern leads.
fn directories(tree: Tree<'_>, patterns: &[String]) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let mut looked_at = 0;
    let mut open = vec![(String::new(), 0)];
    while let Some((directory, depth)) = open.pop() {
        if depth == MAX_DEPTH {
            continue;
        }
        for name in tree.names(&directory)? {
            let path = if directory.is_empty() { name.clone() } else { format!("{directory}/{name}") };
            let leads = patterns.iter().any(|pattern| leads_to(pattern, &path));
            let skipped = name.starts_with('.') || name == "node_modules" || !leads;
            if skipped || !is_path(&path) || !tree.has_directory(&path) {
                continue;
            }
            looked_at += 1;
            if looked_at > MAX_DIRECTORIES {
                return Err(no_builder(format!(
                    "the workspace has more than {MAX_DIRECTORIES} directories; set the path of the source to the package \
                     that runs, or add a Dockerfile"
                )));
            }
            if tree.has(&format!("{path}/package.json")) {
                found.push(path.clone());
            }
            open.push((path, depth + 1));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a pattern may match a directory or one below it.
fn leads_to(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.trim_start_matches("./").trim_end_matches('/').split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    let open = pattern.iter().position(|part| *part == "**");
    let parts = &pattern[..open.unwrap_or(pattern.len())];
    (open.is_some() || path.len() <= parts.len())
        && parts.iter().zip(&path).all(|(part, name)| name_matches(part, name))
}

/// Whether a path matches the patterns; a pattern with `!` excludes.
fn is_member(path: &str, patterns: &[String]) -> bool {
    let matches = |pattern: &str| {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        let pattern: Vec<&str> = pattern.split('/').collect();
        let path: Vec<&str> = path.split('/').collect();
        parts_match(&pattern, &path)
    };
    let (without, with): (Vec<&String>, Vec<&String>) =
        patterns.iter().partition(|pattern| pattern.starts_with('!'));
    with.iter().any(|pattern| matches(pattern)) && !without.iter().any(|pattern| matches(&pattern[1..]))
}

fn parts_match(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) if parts_match(rest, path) => true,
        (Some((&"**", _)), Some((_, path))) => parts_match(pattern, path),
        (Some((part, pattern)), Some((name, path))) => name_matches(part, name) && parts_match(pattern, path),
        _ => false,
    }
}

/// A name against a pattern with at most a few `*`.
fn name_matches(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(before) else { return false };
    if !after.contains('*') {
        return rest.ends_with(after);
    }
    (0..=rest.len()).any(|at| rest.is_char_boundary(at) && name_matches(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::detect::tests::context;

    #[test]
    fn members_match_the_workspace_patterns() {
        let patterns = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        for (pattern, path) in [
            ("packages/*", "packages/a"),
            ("./packages/*", "packages/a"),
            ("apps/**", "apps/a/b"),
            ("apps/**", "apps/a"),
            ("tools/cli-*", "tools/cli-x"),
            ("web", "web"),
            ("*", "web"),
        ] {
            assert!(is_member(path, &patterns(&[pattern])), "{pattern} {path}");
        }
        for (pattern, path) in
            [("packages/*", "packages/a/b"), ("packages/*", "apps/a"), ("a*", "b"), ("", "a")]
        {
            assert!(!is_member(path, &patterns(&[pattern])), "{pattern} {path}");
        }
        assert!(!is_member("packages/old", &patterns(&["packages/*", "!packages/old"])));
        for (pattern, path) in
            [("packages/*", "packages"), ("./packages/*", "packages/a"), ("apps/**", "apps/a/b")]
        {
            assert!(leads_to(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [("packages/*", "docs"), ("packages/*", "packages/a/b"), ("apps/**", "docs/a")]
        {
            assert!(!leads_to(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn dependencies_of_a_member_come_before_it() {
        let dir = context(&[
            ("package.json", r#"{"workspaces":{"packages":["packages/*","apps/*"]}}"#),
            ("packages/a/package.json", r#"{"name":"a","dependencies":{"b":"*"}}"#),
            ("packages/b/package.json", r#"{"name":"b","devDependencies":{"a":"*"}}"#),
            ("packages/c/package.json", r#"{"name":"c"}"#),
            ("packages/node_modules/x/package.json", r#"{"name":"x"}"#),
            ("apps/web/package.json", r#"{"name":"web","dependencies":{"a":"workspace:*"}}"#),
        ]);
        let root = dir.path().canonicalize().unwrap();
        let workspace = Workspace::read(Tree::new(&root)).unwrap().unwrap();
        let web = workspace.at("apps/web").unwrap();
        let paths: Vec<&str> = workspace.needed_by(web).iter().map(|member| member.path.as_str()).collect();
        assert_eq!(paths, ["packages/b", "packages/a", "apps/web"], "a cycle ends");
        assert_eq!(workspace.members.len(), 4);
        assert_eq!(workspace.named("c").map(|member| member.path.as_str()), Some("packages/c"));
    }
}
