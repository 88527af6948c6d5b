//! Tests with real events of buildctl 0.33.

use super::*;
use crate::builder::buildkit::{ending, failure};
use crate::builder::registry::Advice;
use crate::protocol::reason::FailureReason;

fn shown(events: &str) -> (Progress, Vec<String>) {
    let mut progress = Progress::default();
    let mut lines: Vec<String> = events.lines().flat_map(|line| progress.take(line.as_bytes())).collect();
    lines.extend(progress.finish());
    (progress, lines)
}

/// The lines without the seconds, which do not matter here.
fn plain(lines: &[String]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line.trim_end_matches(|char: char| char.is_ascii_digit() || ".s".contains(char)))
        .collect()
}

#[test]
fn a_build_is_logged_step_by_step() {
    let (progress, lines) = shown(include_str!("ok.jsonl"));
    let text = lines.join("\n");
    for part in
        ["#4 [build 1/3] COPY sh /bin/busybox\n", " one\n", " two\n", " three\n", "exporting to image\n"]
    {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    assert_eq!(progress.steps(), Steps { steps: 4, cached: 0 });
    assert!(progress.is_pushing());
    // Each vertex begins once and ends once, although BuildKit reports some twice.
    let starts = lines.iter().filter(|line| line.ends_with("load build context")).count();
    let number =
        lines.iter().find(|line| line.ends_with("load build context")).unwrap().split(' ').next().unwrap();
    let ends = plain(&lines).iter().filter(|line| **line == format!("{number} DONE ")).count();
    assert_eq!((starts, ends), (1, 1), "{text}");
    assert!(!text.contains("transferring") && !text.contains("sha256:2765"), "{text}");
}

#[test]
fn cached_steps_are_counted() {
    let (progress, lines) = shown(include_str!("cached.jsonl"));
    assert_eq!(progress.steps(), Steps { steps: 4, cached: 4 });
    assert_eq!(lines.iter().filter(|line| line.ends_with(" CACHED")).count(), 4, "{lines:#?}");
    assert_eq!(progress.steps().to_string(), "4 steps, 4 cached");
    assert_eq!(Steps { steps: 1, cached: 0 }.to_string(), "1 step, 0 cached");
}

#[test]
fn a_failed_step_is_named_and_shown_with_its_last_output() {
    let (progress, lines) = shown(include_str!("fail.jsonl"));
    let text = lines.join("\n");
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} in\n{text}"));
    assert!(at("ERROR: process") < at(" > [2/2] RUN"), "{text}");
    assert!(at(" > [2/2] RUN") < at("Fail:3") && at("Fail:3") < at("error: failed to solve"), "{text}");
    assert_eq!(
        text.matches("no such package\n").count(),
        2,
        "during the build and again at the very end\n{text}"
    );
    let failure = failure::classify(&ending(&progress, false), &Advice::default());
    assert_eq!(failure.reason, FailureReason::BuildFailed);
    assert!(failure.message.starts_with("step [2/2] RUN [\"/bin/busybox\""), "{}", failure.message);
    assert!(failure.message.ends_with("(Fail, line 3) ended with exit code 3"), "{}", failure.message);
    assert_eq!(progress.steps(), Steps { steps: 2, cached: 1 });
}

#[test]
fn real_failures_are_classified() {
    let (copy, _) = shown(include_str!("copy.jsonl"));
    let copy = failure::classify(&ending(&copy, false), &Advice::default());
    assert_eq!(copy.reason, FailureReason::BuildFailed);
    assert!(
        copy.message.starts_with("COPY needs nope, which is not in the build context"),
        "{}",
        copy.message
    );
    assert!(copy.message.ends_with("(Copy, line 2)"), "{}", copy.message);
    let (denied, _) = shown(include_str!("denied.jsonl"));
    assert!(denied.is_pushing());
    let advice = Advice { refused: "look at Secret push".to_owned(), ..Advice::default() };
    let denied = failure::classify(&ending(&denied, false), &advice);
    assert_eq!(denied.reason, FailureReason::RegistryDenied);
    assert!(denied.message.ends_with("look at Secret push"), "{}", denied.message);
}

#[test]
fn output_split_anywhere_becomes_whole_lines() {
    let event = |data: &str, stream: u8| {
        format!(
            r#"{{"logs":[{{"vertex":"v","stream":{stream},"data":"{data}","timestamp":"2026-01-01T00:00:01.5Z"}}]}}"#
        )
    };
    let start = r#"{"vertexes":[{"digest":"v","name":"[1/1] RUN x","started":"2026-01-01T00:00:00Z"}]}"#;
    let mut progress = Progress::default();
    // "hun" "ter2\nand" on one stream, "x\n" on the other in between
    let lines: Vec<String> = [start.to_owned(), event("aHVu", 1), event("eAo=", 2), event("dGVyMgphbmQ=", 1)]
        .iter()
        .flat_map(|line| progress.take(line.as_bytes()))
        .collect();
    assert_eq!(lines, ["#1 [1/1] RUN x", "#1 1.5 x", "#1 1.5 hunter2"]);
    assert_eq!(progress.finish(), ["#1 0.0 and"]);
}

#[test]
fn unreadable_events_are_ignored_and_steps_cannot_imitate_buildctl() {
    let mut progress = Progress::default();
    for line in [
        "{",
        r#"{"vertexes":3}"#,
        r#"{"logs":[{"vertex":"unknown","data":"%"}]}"#,
        r#"{"error: failed to solve: x"#,
    ] {
        assert!(progress.take(line.as_bytes()).is_empty(), "{line}");
    }
    assert!(progress.said().is_empty() && progress.failed("x").is_none());
    assert_eq!(progress.take(b"error: failed to solve: x"), ["error: failed to solve: x"]);
}

#[test]
fn mounts_of_a_command_are_not_shown() {
    let name = "[build 3/6] RUN --mount=type=secret,id=doce-ca,required=false     --mount=type=cache,target=/root/.npm     npm ci";
    assert_eq!(without_mounts(name), "[build 3/6] RUN npm ci");
    assert_eq!(without_mounts("[1/2] FROM a  AS b"), "[1/2] FROM a  AS b");
}
