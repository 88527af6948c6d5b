//! Which directories of a module hold a program.

use super::super::names::is_path;
use super::super::tree::Tree;
use super::constraint::is_compiled;
use crate::builder::outcome::Failure;

/// Limits of the search: files of a directory, and directories.
const MAX_FILES: usize = 200;
const MAX_DIRECTORIES: usize = 500;
/// How deep below the module a program is looked for.
const DEPTH: usize = 4;

/// Directories that are never searched for a program.
const APART: [&str; 12] = [
    "vendor",
    "testdata",
    "node_modules",
    "example",
    "examples",
    "test",
    "tests",
    "tools",
    "scripts",
    "hack",
    "docs",
    "internal",
];

/// Directories of a module with a program, relative to the tree; the module is at `base` (empty, or with a slash at its
/// end). The module's own directory hides every other; those below `cmd` hide those elsewhere.
pub(super) fn programs(tree: Tree<'_>, base: &str) -> Result<Vec<String>, Failure> {
    if is_main(tree, base)? {
        return Ok(vec![base.to_owned()]);
    }
    let mut found = mains(tree, children(tree, &format!("{base}cmd/"))?)?;
    if found.is_empty() {
        found = mains(tree, vec![format!("{base}cmd/")])?;
    }
    if found.is_empty() {
        found = mains(tree, directories(tree, base)?)?;
    }
    Ok(found)
}

fn mains(tree: Tree<'_>, directories: Vec<String>) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for directory in directories {
        if is_main(tree, &directory)? {
            found.push(directory);
        }
    }
    Ok(found)
}

/// Every directory of a module that may hold code, itself first, each with a slash at its end but an empty base.
pub(super) fn directories(tree: Tree<'_>, base: &str) -> Result<Vec<String>, Failure> {
    let mut all = vec![base.to_owned()];
    let mut level = all.clone();
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for directory in level {
            next.extend(children(tree, &directory)?);
            if all.len() + next.len() > MAX_DIRECTORIES {
                return Ok(all);
            }
        }
        all.extend(next.iter().cloned());
        level = next;
    }
    Ok(all)
}

/// The directories in one that belong to the same module and have plain names.
fn children(tree: Tree<'_>, directory: &str) -> Result<Vec<String>, Failure> {
    let names = tree.names(directory)?;
    let is_child = |name: &str| {
        is_path(name)
            && !name.starts_with(['.', '_'])
            && !APART.contains(&name)
            && tree.has_directory(&format!("{directory}{name}"))
    };
    let children = names.into_iter().filter(|name| is_child(name)).map(|name| format!("{directory}{name}/"));
    Ok(children.filter(|child| !tree.has(&format!("{child}go.mod"))).collect())
}

/// Whether a directory (empty, or with a slash at its end) holds a `package main` for Linux.
fn is_main(tree: Tree<'_>, directory: &str) -> Result<bool, Failure> {
    Ok(files(tree, directory)?.into_iter().any(|text| is_package_main(&text)))
}

/// The beginnings of the files of a directory that are compiled.
pub(super) fn files(tree: Tree<'_>, directory: &str) -> Result<Vec<String>, Failure> {
    let names = tree.names(directory)?;
    let sources = names.iter().filter(|name| name.strip_suffix(".go").is_some_and(|stem| !stem.is_empty()));
    let heads = sources.take(MAX_FILES).map(|name| (name, tree.head(&format!("{directory}{name}"))));
    Ok(heads.filter(|(name, text)| is_compiled(name, text)).map(|(_, text)| text).collect())
}

/// What the files of a directory embed by a plain path, but the source does not have.
pub(super) fn missing_embeds(tree: Tree<'_>, directory: &str) -> Result<Vec<String>, Failure> {
    let texts = files(tree, directory)?;
    let lines =
        texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.strip_prefix("//go:embed "));
    let patterns = lines.flat_map(str::split_whitespace).map(|pattern| pattern.trim_start_matches("all:"));
    let is_there = |path: &str| {
        let path = format!("{directory}{path}");
        tree.has(&path) || tree.has_directory(&path)
    };
    // The part before a wildcard is a directory.
    let plain = patterns.map(|pattern| match pattern.find(['*', '?', '[']) {
        Some(at) => pattern[..at].rsplit_once('/').map_or(".", |(directory, _)| directory),
        None => pattern,
    });
    let mut missing: Vec<String> =
        plain.filter(|path| is_path(path) && !is_there(path)).map(str::to_owned).collect();
    missing.dedup();
    Ok(missing)
}

/// The package clause, which comments alone may precede.
fn is_package_main(text: &str) -> bool {
    let mut comment = false;
    for line in text.lines().map(str::trim) {
        if comment || line.starts_with("/*") {
            comment = !line.contains("*/");
        } else if let Some(name) = line.strip_prefix("package ") {
            return name.split(['/', ';']).next().unwrap_or_default().trim() == "main";
        }
    }
    false
}

/// The paths that a file imports.
pub(super) fn imports(text: &str) -> Vec<&str> {
    let mut block = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        let rest = match line.strip_prefix("import") {
            Some(rest) if rest.trim_start().starts_with('(') => {
                block = true;
                continue;
            }
            Some(rest) if rest.starts_with([' ', '\t', '"']) => rest,
            _ if block => line,
            _ => continue,
        };
        block &= !line.starts_with(')');
        found.extend(rest.split('"').nth(1).filter(|_| !rest.trim_start().starts_with("//")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::detect::tests::context;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let dir = context(files);
        programs(Tree::new(&dir.path().canonicalize().unwrap()), "").unwrap()
    }

    #[test]
    fn only_the_package_clause_decides_whether_a_file_is_main() {
        assert!(is_package_main("// Shop.\n/*\npackage shop\n*/\npackage main // ours\n"));
        assert!(is_package_main("package main;import \"fmt\""));
        for text in
            ["package shop\n// package main", "/* package main */", "", "package mainly", "package main_test"]
        {
            assert!(!is_package_main(text), "{text}");
        }
    }

    #[test]
    fn programs_are_searched_at_the_root_then_below_cmd_then_elsewhere() {
        let main = "package main";
        assert_eq!(found(&[("main.go", main), ("cmd/a/main.go", main)]), [""]);
        assert_eq!(found(&[("cmd/a/main.go", main), ("web/main.go", main)]), ["cmd/a/"]);
        assert_eq!(found(&[("cmd/main.go", main)]), ["cmd/"]);
        assert_eq!(
            found(&[("services/web/main.go", main), ("lib/lib.go", "package lib")]),
            ["services/web/"]
        );
        let none = [
            ("magefile.go", "//go:build mage\n\npackage main"),
            ("examples/a/main.go", main),
            (".hidden/main.go", main),
            ("other/go.mod", "module x"),
            ("other/main.go", main),
            ("a;evil/main.go", main),
        ];
        assert_eq!(found(&none), Vec::<String>::new());
    }

    #[test]
    fn embedded_files_must_be_in_the_source() {
        let text =
            "package main\n//go:embed all:web/dist\n//go:embed static/*.css a.txt *.html\nvar x embed.FS\n";
        let dir = context(&[("main.go", text), ("static/a.css", ""), ("a.txt", "")]);
        let root = dir.path().canonicalize().unwrap();
        assert_eq!(missing_embeds(Tree::new(&root), "").unwrap(), ["web/dist"]);
    }

    #[test]
    fn imports_are_read_from_lines_and_blocks() {
        let text = "package a\nimport \"C\"\nimport x \"a.b/c\"\nimport (\n\t\"fmt\"\n\t// \"no\"\n\t_ \"d.e/f\"\n)\nvar x = \"y\"\n";
        assert_eq!(imports(text), ["C", "a.b/c", "fmt", "d.e/f"]);
    }
}
