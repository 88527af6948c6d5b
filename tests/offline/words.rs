//! Every reason that a script may compare is documented. The tests read the pages as text.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use doce_operator::crd::conditions;
use doce_operator::protocol::reason;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// The variants of the enum `FailureReason` in a file, one per line.
fn declared(path: &str) -> BTreeSet<String> {
    let text = read(path);
    let (_, list) = text.split_once("pub enum FailureReason {").unwrap();
    let lines = list.lines().skip(1).take_while(|line| *line != "}").map(str::trim);
    lines.filter(|line| !line.starts_with("//")).map(|line| line.trim_end_matches(',').to_owned()).collect()
}

/// Table rows that begin with a word in backticks: the word and the last cell.
fn rows(page: &str) -> Vec<(String, String)> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let row = |line: &str| {
        let (word, _) = line.split_once("` | ")?;
        let (_, last) = line.rsplit_once(" | ")?;
        Some((word.to_owned(), last.to_owned()))
    };
    cells.filter_map(row).collect()
}

#[test]
fn every_condition_reason_is_documented() {
    let page = read("crds/README.md");
    let missing: Vec<&str> = conditions::Reason::ALL
        .iter()
        .map(|reason| reason.name())
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "not in crds/README.md: {missing:?}");
}

#[test]
fn every_build_failure_reason_has_a_row_that_says_whether_it_is_retried() {
    let declared = declared("src/protocol/reason.rs");
    assert!(declared.contains(&reason::FailureReason::InvalidOrder.to_string()), "{declared:?}");
    let page = read("docs/builds-logs.md");
    let rows = rows(page.split_once("\n## Why there is no image\n").unwrap().1);
    let written: BTreeSet<String> = rows.iter().map(|(word, _)| word.clone()).collect();
    assert_eq!(written.len(), rows.len(), "a row occurs twice");
    assert_eq!(written, declared, "left: docs/builds-logs.md, right: src/protocol/reason.rs");
    for (word, then) in rows {
        let fault = reason::FailureReason::FAULTS.iter().any(|fault| fault.to_string() == word);
        assert!(then.contains("again") || then == "verdict" && !fault, "{word}: {then}");
    }
}
