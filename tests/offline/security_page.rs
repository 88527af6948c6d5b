//! `docs/security.md` claims nothing without a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::files::files;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of all functions below a directory.
fn functions(dir: &str) -> Vec<String> {
    let texts = files(&root().join(dir), "rs").into_iter().map(|path| fs::read_to_string(path).unwrap());
    let names = |text: String| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.trim_start().split_once("fn "));
        lines.filter_map(|(_, rest)| Some(rest.split_once('(')?.0.to_owned())).collect()
    };
    texts.flat_map(names).collect()
}

/// The cells of the second column of the tables with a column "test".
fn claims(page: &str) -> Vec<(String, Vec<String>)> {
    let mut within = false;
    let mut found = vec![];
    for line in page.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        match cells[..] {
            ["sentence", "test"] => within = true,
            [sentence, tests] if within => {
                let tests = tests.split(", ").map(|name| name.trim_matches('`').to_owned());
                found.push((sentence.to_owned(), tests.collect()));
            }
            _ => within &= line.starts_with("|---"),
        }
    }
    found
}

#[test]
fn every_sentence_of_the_security_page_names_a_test_that_exists() {
    let tests: BTreeSet<String> = ["src", "tests"].into_iter().flat_map(functions).collect();
    let claims = claims(&fs::read_to_string(root().join("docs/security.md")).unwrap());
    assert!(claims.len() > 20, "{claims:?}");
    for (sentence, named) in claims {
        let missing: Vec<&String> = named.iter().filter(|name| !tests.contains(*name)).collect();
        assert!(missing.is_empty(), "no test {missing:?} for {sentence:?}");
    }
}
