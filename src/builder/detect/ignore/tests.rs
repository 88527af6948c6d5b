use super::super::tests::{auto, context};
use super::super::{Context, Recipe, detect};
use super::*;
use crate::protocol::order::Settings;

const VITE: (&str, &str) = (
    "package.json",
    r#"{"engines":{"node":"22.x"},"scripts":{"build":"vite build"},"devDependencies":{"vite":"6.3.5"}}"#,
);
const SERVER: (&str, &str) = ("package.json", r#"{"main":"server.js","engines":{"node":"22.x"}}"#);

/// The effective list for these files, and everything that the plan says of it.
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

// Case 01: .env.production did not reach the build. The kind: only files of one machine stay out, and never in silence.
#[test]
fn files_of_variables_belong_to_the_build_and_those_of_one_machine_are_named() {
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

// Case 04: a .dockerignore for another image kept package.json out. The kind: detection and build see the same files.
#[test]
fn a_list_for_another_image_is_not_used_and_the_plan_says_why() {
    let own = (".dockerignore", "# CI\n*\n!docs-html/\n");
    let (patterns, said) =
        ignore(&[SERVER, ("server.js", ""), ("lib/a.js", ""), own, ("package-lock.json", "{}")]);
    for path in ["package.json", "package-lock.json", "server.js", "lib/a.js", "docs-html/index.html"] {
        assert_eq!(patterns.ignored(path), None, "{path}");
    }
    assert!(said[0].contains(".dockerignore is not used") && said[0].contains("line 2"), "{said:?}");
}

#[test]
fn a_file_that_the_build_needs_comes_in_against_one_line_and_the_others_stay_in_force() {
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
fn a_list_that_keeps_nothing_needed_out_is_used_as_it_is_after_ours() {
    let own = (".dockerignore", "*.md\ncoverage\n!keep.log\n");
    let (patterns, said) = ignore(&[VITE, ("src/main.js", ""), own]);
    assert!(patterns.ignored("a.md").is_some() && patterns.ignored("node_modules/x").is_some());
    assert_eq!((patterns.ignored("keep.log"), said.len()), (None, 0));
}

#[test]
fn an_allow_list_with_everything_that_is_needed_is_used() {
    let own = (".dockerignore", "*\n!package.json\n!server.js\n");
    let (patterns, said) = ignore(&[SERVER, ("server.js", ""), ("notes.txt", ""), own]);
    assert!(patterns.ignored("notes.txt").is_some() && said.is_empty(), "{said:?}");
}

#[test]
fn a_site_shows_no_dot_file_no_secret_and_no_source_of_a_program() {
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
    assert!(said[0].contains("not served") && said[0].contains(".env"), "{said:?}");
    files.push((".dockerignore", "!tool.py"));
    assert_eq!(ignore(&files).0.ignored("tool.py"), None);
}

#[test]
fn a_hostile_list_never_reaches_the_dockerfile() {
    let own = (".dockerignore", "package.json\nRUN evil\n!\\\n[\n");
    let Ok(Recipe::Generated(made)) = auto(&[VITE, own]) else { panic!() };
    assert!(!made.text.contains("evil"), "{}", made.text);
}
