use super::super::tests::{auto, context};
use super::super::{Context, Recipe, detect};
use super::*;
use crate::protocol::order::Settings;

const VITE: (&str, &str) = (
    "package.json",
    r#"{"engines":{"node":"22.x"},"scripts":{"build":"vite build"},"devDependencies":{"vite":"6.3.5"}}"#,
);
const SERVER: (&str, &str) = ("package.json", r#"{"main":"server.js","engines":{"node":"22.x"}}"#);

/// The effective list for these files, and what the plan says about it.
fn ignore(files: &[(&str, &str)]) -> (Patterns, Vec<String>) {
    let dir = context(files);
    let root = dir.path().canonicalize().unwrap();
    let Recipe::Generated(generated) = detect(&root, &root, &Settings::default()).unwrap() else { panic!() };
    assert_eq!(generated.context, Context::Directory);
    let ignore = of(Tree::new(&root), &generated).unwrap();
    for said in &ignore.said {
        assert!(generated.findings.lines().iter().any(|line| line.contains(said)), "{said}");
    }
    (Patterns::read(&ignore.text), ignore.said)
}

// Case 01: .env.production did not reach the build. Rule: only machine-local files stay out, and the plan names them.
#[test]
fn env_files_are_included_and_machine_local_ones_are_excluded_and_named() {
    let (patterns, said) = ignore(&[VITE, (".env", "A=1"), (".env.production", "A=2"), ("index.html", "")]);
    for path in [".env", ".env.production", ".env.staging", "apps/web/.env"] {
        assert_eq!(patterns.ignored(path), None, "{path}");
    }
    assert_eq!(said, Vec::<String>::new());
    let (patterns, said) =
        ignore(&[VITE, (".env.local", "A=1"), (".env.production.local", ""), ("web/.env.local", "")]);
    for path in [".env.local", ".env.production.local", "web/.env.local"] {
        assert!(patterns.ignored(path).is_some() && said[0].contains(path), "{path}: {said:?}");
    }
}

// Case 04: a .dockerignore for another image kept package.json out. Rule: detection and build see the same files.
#[test]
fn a_dockerignore_for_another_image_is_not_used_and_the_plan_says_why() {
    let own = (".dockerignore", "# CI\n*\n!docs-html/\n");
    let (patterns, said) =
        ignore(&[SERVER, ("server.js", ""), ("lib/a.js", ""), own, ("package-lock.json", "{}")]);
    for path in ["package.json", "package-lock.json", "server.js", "lib/a.js", "docs-html/index.html"] {
        assert_eq!(patterns.ignored(path), None, "{path}");
    }
    assert!(said[0].contains(".dockerignore is not used") && said[0].contains("line 2"), "{said:?}");
}

#[test]
fn a_needed_file_is_included_despite_one_line_and_the_other_lines_apply() {
    let own = (".dockerignore", "package-lock.json\nsrc\nfixtures\n.env\n");
    let (patterns, said) = ignore(&[
        VITE,
        ("package-lock.json", "{}"),
        ("src/main.js", ""),
        own,
        ("fixtures/x", ""),
        (".env", ""),
    ]);
    for path in ["package-lock.json", "src/main.js"] {
        assert_eq!(patterns.ignored(path), None, "{path}");
    }
    assert!(patterns.ignored("fixtures/x").is_some() && patterns.ignored(".env").is_some());
    assert!(said[0].contains("package-lock.json, src"), "{said:?}");
    assert!(said[1].contains("excluded from the build: .env"), "{said:?}");
}

#[test]
fn a_harmless_dockerignore_is_used_unchanged_after_the_default_list() {
    let own = (".dockerignore", "*.md\ncoverage\n!keep.log\n");
    let (patterns, said) = ignore(&[VITE, ("src/main.js", ""), own]);
    assert!(patterns.ignored("a.md").is_some() && patterns.ignored("node_modules/x").is_some());
    assert_eq!((patterns.ignored("keep.log"), said.len()), (None, 0));
}

#[test]
fn an_allow_list_with_all_needed_files_is_used() {
    let own = (".dockerignore", "*\n!package.json\n!server.js\n");
    let (patterns, said) = ignore(&[SERVER, ("server.js", ""), ("notes.txt", ""), own]);
    assert!(patterns.ignored("notes.txt").is_some() && said.is_empty(), "{said:?}");
}

#[test]
fn a_site_serves_no_dot_files_secrets_or_program_sources() {
    let hidden = [
        ".env",
        ".git/config",
        ".htpasswd",
        "server.key",
        "tls/cert.pem",
        "tool.py",
        "docker-compose.yml",
        "package.json",
        "node_modules/x/index.js",
        "dump.sql",
    ];
    let mut files: Vec<(&str, &str)> = hidden.iter().map(|path| (*path, "{}")).collect();
    files.extend([("index.html", "<p>"), ("style.css", ""), ("app.js.map", "")]);
    files.push((".well-known/security.txt", ""));
    let (patterns, said) = ignore(&files);
    for path in hidden {
        assert!(patterns.ignored(path).is_some(), "{path}");
    }
    for path in ["index.html", "style.css", ".well-known/security.txt", "app.js.map"] {
        assert_eq!(patterns.ignored(path), None, "{path}");
    }
    assert!(said[0].contains("does not serve") && said[0].contains(".env"), "{said:?}");
    files.push((".dockerignore", "!tool.py"));
    assert_eq!(ignore(&files).0.ignored("tool.py"), None);
}

#[test]
fn a_hostile_dockerignore_never_reaches_the_dockerfile() {
    let own = (".dockerignore", "package.json\nRUN evil\n!\\\n[\n");
    let Ok(Recipe::Generated(made)) = auto(&[VITE, own]) else { panic!() };
    assert!(!made.text.contains("evil"), "{}", made.text);
}
