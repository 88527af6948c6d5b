//! Checks every example of a suite in Railpack's format: does it have a plan, does the plan build, and does it do what
//! the example expects? `make test-suite SUITE=DIR` prints the plans. With `RUN=1` it builds and runs them on a real
//! node. The suite is not part of this project: `SUITE` names any directory.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a test binary exports nothing")]

use std::path::PathBuf;

use futures::{StreamExt as _, stream};

mod suite {
    pub mod example;
    pub mod http;
    pub mod needs;
    pub mod outcome;
    pub mod plan;
    pub mod table;
    pub mod trial;
}
// Other tests use the rest of these modules.
#[allow(dead_code, reason = "shared with the node tests")]
#[path = "node/authority.rs"]
mod authority;
#[allow(dead_code, reason = "shared with the node tests")]
#[path = "node/harness.rs"]
mod harness;
#[allow(dead_code, reason = "shared with the node tests")]
#[path = "node/repository.rs"]
mod repository;

use harness::World;
use suite::example::Example;
use suite::outcome::{Outcome, Planned, Verdict};
use suite::{plan, table, trial};

/// One more than the chart's `build.limit`, so that all builders work while the test checks an example.
const AT_A_TIME: usize = 3;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a suite: make test-suite SUITE=DIR"]
async fn every_example_has_a_plan_or_a_reason_and_works_when_run() {
    let directory = setting("SUITE").expect("SUITE names the directory of the examples");
    let only = setting("ONLY");
    let chosen = |example: &Example| {
        only.as_ref().is_none_or(|only| only.split(',').any(|word| example.name.contains(word)))
    };
    let examples: Vec<Example> = Example::all(&PathBuf::from(directory)).into_iter().filter(chosen).collect();
    assert!(!examples.is_empty(), "no example has this name");
    let mut outcomes: Vec<Outcome> = examples.iter().map(|it| Outcome::new(it, plan::of(it))).collect();
    if setting("RUN").is_some() {
        let world = World::new(&format!("suite-{}", std::process::id())).await;
        let trials = outcomes.iter_mut().zip(&examples).filter(|(outcome, _)| outcome.plan.is_some());
        stream::iter(trials)
            .for_each_concurrent(AT_A_TIME, async |(outcome, example)| {
                trial::run(&world, example, outcome).await;
                println!("{}", table::line(outcome));
            })
            .await;
    }
    print!("{}", table::text(&outcomes));
    if let Some(file) = setting("TABLE") {
        std::fs::write(file, table::markdown(&outcomes)).unwrap();
    }
    let broken: Vec<&str> = outcomes.iter().filter(|it| it.is_wrong()).map(|it| it.name.as_str()).collect();
    assert!(broken.is_empty(), "not as expected: {}", broken.join(", "));
}

/// The value of an environment variable, if it is not empty.
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[test]
fn a_case_with_comments_and_trailing_commas_is_parsed() {
    let text = r#"[
        // comment
        { "expectedOutput": ["a // b", "c",], "envs": { "X": "1" } },
        { "httpCheck": { "path": "/", "expected": 404, "internalPort": 80, "expectedOutput": "no" }, "platform": "linux/arm64" },
    ]"#;
    let cases = suite::example::cases(text).unwrap();
    assert_eq!(cases[0].expected_output.words(), ["a // b", "c"]);
    assert_eq!(cases[1].http_check.as_ref().unwrap().expected, 404);
    assert!(cases[0].foreign().is_none() && cases[1].foreign().is_some());
}

#[test]
fn a_missing_host_is_recognized_in_the_output() {
    let log = "npm error code ENOTFOUND\nnpm error request to https://cdn.example.org/x failed, reason: getaddrinfo ENOTFOUND cdn.example.org";
    assert_eq!(suite::needs::missing_host(log).as_deref(), Some("cdn.example.org"));
    assert_eq!(
        suite::needs::missing_host("curl: (6) Could not resolve host: a.example").as_deref(),
        Some("a.example")
    );
    assert_eq!(
        suite::needs::missing_host("dial tcp: lookup b.example on 10.0.0.1:53: no such host").as_deref(),
        Some("b.example")
    );
    let deno = "Download https://c.example/x/mod.ts\nerror: Import failed.\n  failed to lookup address: Name or service not known";
    assert_eq!(suite::needs::missing_host(deno).as_deref(), Some("c.example"));
    assert_eq!(suite::needs::missing_host("GET https://d.example/x answered 404\nerror: expected `;`"), None);
}

#[test]
fn a_missing_image_or_version_is_recognized() {
    let images = vec!["docker.io/library/rust:1.89-bookworm".to_owned()];
    let found = &images[0];
    let message = format!("the base image {found} does not exist");
    let missing = |reason: &str| suite::needs::missing_image(reason, &message, &images);
    assert_eq!(missing("BaseImageNotFound").as_ref(), Some(found));
    assert_eq!(missing("BuildFailed"), None);
    let other = |wanted: &str, printed: &str| suite::needs::is_other_version(&[&wanted.to_owned()], printed);
    assert!(other("made by rustc 1.89.0", "It is made by rustc 1.95.0."));
    assert!(!other("made by rustc 1.89.0", "made by gcc 1.89.0") && !other("Hello", "Good day"));
    let image = |wanted: &str| suite::needs::image_of_version(&[&wanted.to_owned()], &images);
    assert_eq!(image("made by rustc 1.89.0").as_ref(), Some(found));
    assert_eq!(image("made by rustc 1.88.0"), None, "the plan names another image");
}

#[test]
fn another_default_version_is_recognized() {
    let verdict = |reason: &str| {
        let example = Example::read(tempfile::tempdir().unwrap().path());
        let versions = vec![format!("Rust 1: {reason}")];
        let planned = Planned::Yes { framework: "Rust".into(), images: vec![], versions };
        let mut outcome = Outcome::new(&example, planned);
        (outcome.prints_another_version, outcome.built, outcome.tried) = (true, Some(true), 1);
        outcome.verdict()
    };
    assert_eq!(verdict("the newest; the source names no version"), Verdict::AnotherDefault);
    assert_eq!(verdict(".tool-versions, line 1"), Verdict::Wrong);
}

#[test]
fn variables_of_the_other_builder_are_left_out() {
    let cases =
        suite::example::cases(r#"[{ "envs": { "RAILPACK_PRUNE_DEPS": "true", "A": "1" } }]"#).unwrap();
    assert!(cases[0].is_set_up() && cases[0].foreign().is_none());
    assert_eq!(cases[0].environment().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["A"]);
}

#[test]
fn the_table_counts_by_family_and_gives_reasons() {
    let (dir, mut outcomes) = (tempfile::tempdir().unwrap(), vec![]);
    for (name, planned) in [
        ("node-a", Planned::Yes { framework: "Node".into(), images: vec![], versions: vec![] }),
        ("node-b", Planned::No("NoStart: there is no start script".into())),
        ("single", Planned::Broken("it ended with signal 6".into())),
    ] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        let example = Example::read(&dir.path().join(name));
        outcomes.push(Outcome::new(&example, planned));
    }
    let text = table::markdown(&outcomes);
    assert!(text.contains("| node | 1 of 2 |") && text.contains("| other | 0 of 1 |"), "{text}");
    assert!(text.contains("there is no start script"), "{text}");
    let wrong: Vec<bool> = outcomes.iter().map(Outcome::is_wrong).collect();
    assert_eq!(wrong, [false, false, true]);
}
