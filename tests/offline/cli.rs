//! The help of `kubectl doce` and its page.

use std::path::Path;
use std::process::Command;

fn help(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_kubectl-doce")).args(arguments).arg("--help").output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The verbs as the help lists them.
fn verbs() -> Vec<String> {
    let text = help(&[]);
    let commands = text.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap().to_owned();
    let first = |line: &str| {
        line.strip_prefix("  ")?.split(' ').next().filter(|word| !word.is_empty()).map(str::to_owned)
    };
    let verbs: Vec<String> = commands.lines().filter_map(first).collect();
    assert!(verbs.len() > 15, "{text}");
    verbs
}

#[test]
fn every_verb_has_help_and_a_place_in_the_documentation() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    let page = std::fs::read_to_string(page).unwrap();
    for verb in verbs() {
        let text = help(&[&verb]);
        assert!(text.contains(&format!("Usage: kubectl doce {verb}")), "{text}");
        assert!(
            page.contains(&format!("kubectl doce {verb}")),
            "docs/cli.md does not show kubectl doce {verb}"
        );
    }
}

#[test]
fn the_help_needs_no_cluster_and_names_the_exit_codes() {
    let text = help(&[]);
    assert!(text.contains("Exit codes: 0 well, 1 error, 2 usage, 3 not ready"), "{text}");
    for flag in ["--namespace", "--context", "--kubeconfig"] {
        assert!(text.contains(flag), "{text}");
    }
}
