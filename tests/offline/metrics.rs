//! The page of metrics is generated from what `/metrics` exports. `BLESS=1` writes it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use doce_operator::metrics::{Metrics, Passed, Snapshot};

const HEAD: &str = "# Metrics\n\n\
    <!-- Generated from the program: BLESS=1 cargo test --test offline the_page_of_metrics_is_what_is_exported -->\n\n\
    Counters start at 0 with each start of a process. No label has values that users of projects choose, so the number of series\n\
    is bounded. Names that begin with `controller_runtime_` and `rest_client_` mean the same as in operators that use\n\
    controller-runtime.\n\n\
    ## The operator\n\n\
    The operator serves `/metrics` on port 8080 of its pod, in the text format of Prometheus.\n\n";

/// Between the two tables.
const SERVER: &str = "\n## The HTTP API\n\n\
    `doce-operator server` serves `/metrics` on port 8081 of its pod, in the same format. `route` is a path with its parameters in\n\
    braces.\n\n";

/// Head of a table.
const TABLE: &str = "| metric | type | labels | meaning |\n|---|---|---|---|\n";

/// Everything that a series needs once.
fn text() -> String {
    let metrics = Metrics::default();
    metrics.workers(8);
    drop(metrics.pass_begins());
    metrics.pass_ended(Passed::Error, Duration::from_millis(3));
    metrics.requests().count("GET", Some(200));
    metrics.requests().count("PATCH", None);
    metrics.build_ended(true, Some(12));
    metrics.version_live(Some(20));
    metrics.version_failed();
    metrics.rollback("accepted");
    let held = vec![("ProjectDeployments", 1)];
    metrics.text(&Snapshot { held, builds_queued: 2, ..Snapshot::default() }).unwrap()
}

/// Labels of each series, without the bounds of histograms.
fn labels(text: &str) -> BTreeMap<&str, String> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once('{') else { continue };
        let names = rest.split("\",").filter_map(|label| label.trim_start_matches(',').split_once("=\""));
        let names: Vec<String> = names
            .map(|(name, _)| name)
            .filter(|name| *name != "le")
            .map(|name| format!("`{name}`"))
            .collect();
        found.entry(name).or_insert_with(|| names.join(", "));
    }
    found
}

fn table(text: &str) -> String {
    let (labels, mut page) = (labels(text), TABLE.to_owned());
    let types: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    for (name, help) in text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' ')) {
        let kind = types[name];
        let series = ["", "_total", "_bucket"].map(|suffix| format!("{name}{suffix}"));
        let labels = series.iter().find_map(|name| labels.get(name.as_str())).cloned().unwrap_or_default();
        writeln!(page, "| `{name}` | {kind} | {labels} | {} |", help.trim_end_matches('.')).unwrap();
    }
    page
}

#[test]
fn the_page_of_metrics_is_what_is_exported() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let server = doce_operator::server::sample_metrics().unwrap();
    let page = [HEAD, &table(&text()), SERVER, &table(&server)].concat();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page, "BLESS=1 writes the page anew");
}

#[test]
fn what_happened_is_counted_once_and_what_runs_is_counted_until_it_ends() {
    let text = text();
    for line in [
        "controller_runtime_reconcile_total{controller=\"projectdeployment\",result=\"error\"} 1",
        "controller_runtime_reconcile_errors_total{controller=\"projectdeployment\"} 1",
        "controller_runtime_active_workers{controller=\"projectdeployment\"} 0",
        "rest_client_requests_total{code=\"<error>\",method=\"PATCH\"} 1",
        "doce_build_duration_seconds_sum{result=\"succeeded\"} 12.0",
        "doce_builds_queued 2",
        "doce_rollbacks_total{result=\"accepted\"} 1",
        "doce_operator_held{kind=\"ProjectDeployments\"} 1",
    ] {
        assert!(text.lines().any(|there| there == line), "{line} is not in\n{text}");
    }
}
