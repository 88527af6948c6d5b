//! `docs/bad-inputs.md` and the tests agree: every row has a case, and every case has a row.
//!
//! A case is a string that begins with its number in one of the [`TABLES`], or a comment `// Bad input 72: …` anywhere.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use super::files::files;

/// Files whose cases are rows of tables: `("76 absolute path", …)`.
const TABLES: [&str; 4] = [
    "src/builder/run/source_tests.rs",
    "src/builder/http/tests.rs",
    "src/builder/oci/image/tests.rs",
    "src/builder/unpack/tests.rs",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Numbers of the cases.
const NUMBERS: RangeInclusive<u16> = 45..=106;

/// Words after numbers in error messages of the same files: `64 KiB` is not a case.
const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "bytes", "parts", "times"];

fn is_numbered(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(number, words)| {
        number.parse().is_ok_and(|number| NUMBERS.contains(&number))
            && !words.contains('=')
            && !UNITS.contains(&words)
    })
}

fn cases() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |case: &str, place: &str| {
        assert!(found.insert(case.to_owned()), "{place}: {case:?} occurs twice");
    };
    for table in TABLES {
        let text = fs::read_to_string(root().join(table)).unwrap();
        for literal in text.split('"').filter(|literal| is_numbered(literal)) {
            add(literal, table);
        }
    }
    for dir in ["src", "tests"] {
        comments(&root().join(dir), &mut add);
    }
    found
}

fn comments(dir: &Path, add: &mut impl FnMut(&str, &str)) {
    for path in files(dir, "rs") {
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter_map(|line| line.trim_start().strip_prefix("// Bad input ")) {
            let (number, words) = line.split_once(": ").expect("a number and the input");
            add(&format!("{number} {words}"), &path.display().to_string());
        }
    }
}

/// The first two cells of every row, and the third one, which states the outcome.
fn rows() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("docs/bad-inputs.md")).unwrap();
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = cells.filter_map(|line| {
        let mut cells = line.split(" | ");
        let case = format!("{} {}", cells.next()?, cells.next()?);
        is_numbered(&case).then(|| (case, cells.next().unwrap_or_default().to_owned()))
    });
    rows.collect()
}

#[test]
fn the_table_of_bad_inputs_matches_the_tests() {
    let rows = rows();
    let written: BTreeSet<String> = rows.iter().map(|(case, _)| case.clone()).collect();
    assert_eq!(written.len(), rows.len(), "a row occurs twice");
    let cases = cases();
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).cloned().collect::<Vec<_>>().join("\n  ")
    };
    let (untried, unwritten) = (only(&written, &cases), only(&cases, &written));
    assert!(untried.is_empty(), "in docs/bad-inputs.md but in no test:\n  {untried}");
    assert!(unwritten.is_empty(), "tested but not in docs/bad-inputs.md:\n  {unwritten}");
    assert!(cases.len() >= 60, "only {} bad inputs are tested", cases.len());
    for (case, outcome) in rows {
        assert!(outcome.len() > 5, "{case}: the row does not state the outcome");
    }
}
