//! Which files of a source a generated Dockerfile sees: our own ignore list, then the project's .dockerignore, except
//! for files that the build needs. The project's list may have been written for another image.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::tree::Tree;
use super::{Framework, Generated};
use crate::builder::outcome::Failure;
use pattern::Patterns;

mod pattern;

/// What no build needs. The project's own list may include a file again with `!`.
const ALWAYS: [&str; 9] = [
    ".git",
    ".gitignore",
    ".dockerignore",
    "Dockerfile*",
    "**/node_modules",
    "**/__pycache__",
    ".venv",
    "*.log",
    "**/.DS_Store",
];

/// Environment files of one machine. All other environment files belong to the build.
const LOCAL: [&str; 2] = ["**/.env.local", "**/.env.*.local"];

/// What an unbuilt site must not serve: dot files, secrets, source code, files of tools.
const NOT_SERVED: [&str; 42] = [
    "**/.*",
    "!**/.well-known",
    "**/*.key",
    "**/*.pem",
    "**/*.p12",
    "**/*.pfx",
    "**/*.kdbx",
    "**/id_rsa*",
    "**/id_ed25519*",
    "**/*.sql",
    "**/*.sqlite",
    "**/*.sqlite3",
    "**/*.db",
    "**/*.bak",
    "**/*.php",
    "**/*.py",
    "**/*.rb",
    "**/*.pl",
    "**/*.cgi",
    "**/*.sh",
    "**/*.go",
    "**/*.rs",
    "**/*.java",
    "**/*.cs",
    "**/*.jsp",
    "**/*.aspx",
    "**/*.tf",
    "**/*.tfvars",
    "**/*.tfstate",
    "**/docker-compose*.y*ml",
    "**/compose*.y*ml",
    "**/package.json",
    "**/package-lock.json",
    "**/npm-shrinkwrap.json",
    "**/yarn.lock",
    "**/pnpm-lock.yaml",
    "**/bun.lock*",
    "Makefile",
    "Procfile",
    "Staticfile",
    "Caddyfile",
    "nginx.conf",
];

/// Directories and files that builds usually read.
const SOURCES: [&str; 35] = [
    "src",
    "app",
    "apps",
    "packages",
    "pages",
    "components",
    "lib",
    "server",
    "public",
    "static",
    "content",
    "styles",
    "assets",
    "prisma",
    "migrations",
    "templates",
    "cmd",
    "internal",
    "pkg",
    "scripts",
    "index.html",
    "tsconfig.json",
    "tsconfig.app.json",
    "tsconfig.node.json",
    "angular.json",
    "svelte.config.js",
    "vite.config.ts",
    "vite.config.js",
    "next.config.js",
    "next.config.mjs",
    "package.json",
    "index.js",
    "server.js",
    "main.py",
    "app.py",
];

/// Most names that a message lists.
const NAMED: usize = 5;
/// Limits of the search: entries of the source, and depth.
const LOOKED_AT: usize = 20_000;
const DEPTH: usize = 12;

/// The file `Dockerfile.dockerignore` for a generated Dockerfile, and the warnings about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) struct Ignore {
    pub(in crate::builder) text: String,
    pub(in crate::builder) said: Vec<String>,
}

/// What is ignored in the context `tree` of a generated Dockerfile.
pub(super) fn of(tree: Tree<'_>, generated: &Generated) -> Result<Ignore, Failure> {
    let as_it_is = generated.framework == Framework::Static && !generated.text.contains(" AS build");
    let served: &[&str] = if as_it_is { &NOT_SERVED } else { &[] };
    let mut text = String::new();
    for line in ALWAYS.iter().chain(&LOCAL).chain(served) {
        let _ = writeln!(text, "{line}");
    }
    let mut said = Vec::new();
    if let Some(own) = tree.text(".dockerignore")? {
        text.push_str(&reconciled(&own, tree, &needed(tree, generated), &mut said));
    }
    said.extend(left_out(tree, &Patterns::read(&text), as_it_is)?);
    Ok(Ignore { text, said })
}

/// The project's own list, without the parts that contradict the Dockerfile.
fn reconciled(own: &str, tree: Tree<'_>, needed: &BTreeSet<String>, said: &mut Vec<String>) -> String {
    let patterns = Patterns::read(own);
    let lost: Vec<(&String, usize)> =
        needed.iter().filter_map(|path| Some((path, patterns.ignored(path)?))).collect();
    let mut text = format!("{}\n", own.trim_end());
    let Some((first, line)) = lost.first() else { return text };
    let place = match tree.path() {
        "" => ".dockerignore".to_owned(),
        path => format!("{path}/.dockerignore"),
    };
    // An allow-list was written for one image, which is not this one.
    if lost.iter().any(|(_, line)| matches!(patterns.at(*line), "*" | "**" | "**/*")) {
        said.push(format!(
            "{place} is not used: its line {line} excludes {first}, which this build needs, so the file was written \
            for another image"
        ));
        return String::new();
    }
    let names: Vec<&str> = lost.iter().map(|(path, _)| path.as_str()).take(NAMED).collect();
    said.push(format!(
        "{place} excludes {} (line {line}), which this build needs and includes anyway",
        names.join(", ")
    ));
    for (path, _) in lost {
        let _ = writeln!(text, "!{path}");
    }
    text
}

/// The files that the Dockerfile copies or starts by name, and where sources usually are.
fn needed(tree: Tree<'_>, generated: &Generated) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    let mut add = |path: &str| {
        let path = path.trim_start_matches("./").trim_end_matches('/');
        let plain = !path.is_empty() && !path.contains(['*', '?', '[', '\\', '!', '\n']);
        if plain && (tree.has(path) || tree.has_directory(path)) {
            needed.insert(path.to_owned());
        }
    };
    let mut whole = false;
    for line in generated.text.lines() {
        if let Some(words) = line.strip_prefix("COPY ").filter(|words| !words.contains("--from=")) {
            let words: Vec<&str> = words.split_whitespace().filter(|word| !word.starts_with("--")).collect();
            let sources = &words[..words.len().saturating_sub(1)];
            whole |= sources.contains(&".");
            for word in sources {
                add(word);
            }
        } else if line.starts_with("CMD ") {
            line.split(['"', ' ']).for_each(&mut add);
        }
    }
    if whole {
        for name in SOURCES {
            add(name);
        }
    }
    needed.remove(".");
    needed
}

/// A message about excluded files that the user may expect.
fn left_out(tree: Tree<'_>, patterns: &Patterns, as_it_is: bool) -> Result<Option<String>, Failure> {
    let mut found = Vec::new();
    let mut left = LOOKED_AT;
    walk(tree, "", &mut found, &mut left, 0)?;
    let told = |path: &&String| {
        let name = path.rsplit('/').next().unwrap_or_default();
        let usual =
            [".gitignore", ".dockerignore", ".DS_Store"].contains(&name) || name.starts_with("Dockerfile");
        (name.starts_with(".env") || as_it_is && !usual) && patterns.ignored(path).is_some()
    };
    let names: Vec<&str> = found.iter().filter(told).map(String::as_str).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
    let listed = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    Ok(Some(if as_it_is {
        format!(
            "nginx does not serve these files, because they are not part of a site (to serve one, add a line !NAME to .dockerignore): \
            {listed}{more}"
        )
    } else {
        format!("excluded from the build: {listed}{more}")
    }))
}

/// The paths below a directory, without those that never matter.
fn walk(
    tree: Tree<'_>,
    directory: &str,
    found: &mut Vec<String>,
    left: &mut usize,
    depth: usize,
) -> Result<(), Failure> {
    for name in tree.names(directory)? {
        if *left == 0 || matches!(name.as_str(), ".git" | "node_modules" | "__pycache__" | ".venv") {
            continue;
        }
        *left -= 1;
        let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
        if tree.has_directory(&path) && depth < DEPTH {
            walk(tree, &path, found, left, depth + 1)?;
        } else if !path.chars().any(char::is_control) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
