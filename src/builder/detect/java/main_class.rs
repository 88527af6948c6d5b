//! The classes of a project that can be started: those with a main method, found by reading their sources.

use super::super::names::is_identifier;
use super::super::tree::Tree;
use crate::builder::outcome::Failure;

const ROOTS: [&str; 3] = ["src/main/java", "src/main/kotlin", "src/main/groovy"];

/// How deep packages are, and how many directories and files are read.
const DEPTH: usize = 16;
const MAX_DIRECTORIES: usize = 2000;
const MAX_FILES: usize = 5000;

/// Names that the class which starts a program often has.
const USUAL: [&str; 5] = ["Main", "App", "Application", "MainKt", "ApplicationKt"];

/// Whether a name is that of a class, with its package.
pub(super) fn is_class(name: &str) -> bool {
    name.len() <= 255 && name.split('.').all(is_identifier)
}

/// The classes with a main method of the module at `base` (empty, or with a slash at its end); those that start Spring
/// hide the others.
pub(super) fn find(tree: Tree<'_>, base: &str) -> Result<Vec<String>, Failure> {
    let mut level: Vec<String> = ROOTS.iter().map(|root| format!("{base}{root}")).collect();
    let (mut found, mut spring) = (Vec::new(), Vec::new());
    let (mut directories, mut files) = (0, 0);
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for directory in level {
            directories += 1;
            if directories > MAX_DIRECTORIES {
                break;
            }
            for name in tree.names(&directory)? {
                let path = format!("{directory}/{name}");
                let Some((stem, extension)) = name.rsplit_once('.') else {
                    next.extend(tree.has_directory(&path).then_some(path));
                    continue;
                };
                if !["java", "kt", "groovy"].contains(&extension) || files > MAX_FILES {
                    continue;
                }
                files += 1;
                // A file that is not text counts as no program.
                let text = tree.text(&path).ok().flatten().unwrap_or_default();
                if let Some(class) = class(stem, extension, &text) {
                    if text.contains("@SpringBootApplication") { &mut spring } else { &mut found }
                        .push(class);
                }
            }
        }
        level = next;
    }
    Ok(if spring.is_empty() { found } else { spring })
}

/// The class of a file that has a main method.
fn class(stem: &str, extension: &str, text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim);
    let package = lines
        .clone()
        .find_map(|line| line.strip_prefix("package "))
        .map(|name| name.trim_end_matches(';').trim());
    let name = if extension == "kt" {
        let starts = |line: &str| {
            let line = line.trim_start_matches("suspend ");
            line.starts_with("fun main(") || line.starts_with("fun main (")
        };
        if lines.any(starts) {
            named(text).unwrap_or_else(|| format!("{stem}Kt"))
        } else if text.contains("@JvmStatic") && text.contains("fun main(") {
            stem.to_owned()
        } else {
            return None;
        }
    } else if text.contains("static void main(") || text.contains("static void main (") {
        stem.to_owned()
    } else {
        return None;
    };
    let class = package.map_or(name.clone(), |package| format!("{package}.{name}"));
    is_class(&class).then_some(class)
}

/// The name that a file of Kotlin gives to its class.
fn named(text: &str) -> Option<String> {
    let rest = text.split("@file:JvmName(\"").nth(1)?;
    rest.split('"').next().map(str::to_owned)
}

/// The class to start: the only one, else the only one with a usual name.
pub(super) fn choose(classes: &[String]) -> Option<&String> {
    if let [only] = classes {
        return Some(only);
    }
    let usual = |class: &&String| USUAL.contains(&class.rsplit('.').next().unwrap_or_default());
    let mut usual = classes.iter().filter(usual);
    usual.next().filter(|_| usual.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::detect::tests::context;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let dir = context(files);
        find(Tree::new(&dir.path().canonicalize().unwrap()), "").unwrap()
    }

    #[test]
    fn classes_with_a_main_method_are_found_in_java_and_kotlin() {
        let files = [
            (
                "src/main/java/org/shop/App.java",
                "package org.shop;\npublic class App {\n  public static void main(String[] a) {}\n}",
            ),
            ("src/main/java/org/shop/Cart.java", "package org.shop;\nclass Cart {}"),
            ("src/main/kotlin/web/Server.kt", "package web\n\nfun main() {}\n"),
            (
                "src/main/kotlin/web/Named.kt",
                "@file:JvmName(\"Shop\")\npackage web\nfun main(args: Array<String>) {}\n",
            ),
            ("src/test/java/T.java", "class T { public static void main(String[] a) {} }"),
        ];
        let classes = found(&files);
        assert_eq!(classes, ["web.Shop", "web.ServerKt", "org.shop.App"]);
        assert_eq!(choose(&classes).unwrap(), "org.shop.App");
        assert_eq!(choose(&["a.B".to_owned(), "a.C".to_owned()]), None);
    }

    #[test]
    fn the_spring_boot_class_wins_and_hostile_names_are_ignored() {
        let main = "public static void main(String[] a) {}";
        let files = [
            ("src/main/java/a/Tool.java", format!("package a; class Tool {{ {main} }}")),
            (
                "src/main/java/a/Shop.java",
                format!("package a;\n@SpringBootApplication class Shop {{ {main} }}"),
            ),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        assert_eq!(found(&files), ["a.Shop"]);
        assert!(found(&[("src/main/java/A.java", "package a; evil\nstatic void main(")]).is_empty());
    }
}
