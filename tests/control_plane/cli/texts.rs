//! What each verb says, as a person reads it: one transcript, without what differs from run to run.

use serde_json::json;

use super::user::User;
use crate::harness::{Operator, World, prebuilt};

/// A line without numbers, names of versions and pods, and widths of columns.
fn lasting(line: &str) -> String {
    let mut words = vec![];
    for word in line.split_whitespace() {
        let is_hex = |text: &str| text.len() >= 7 && text.chars().all(|letter| letter.is_ascii_hexdigit());
        let mut text = String::new();
        for part in word.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric()) {
            let (name, end) = part
                .char_indices()
                .next_back()
                .filter(|(_, last)| !last.is_ascii_alphanumeric())
                .map_or((part, ""), |(at, _)| part.split_at(at));
            let is_version = name.strip_prefix('v').is_some_and(is_hex);
            if is_version || is_hex(name) {
                text += "HEX";
            } else {
                let mut last = ' ';
                for letter in name.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }) {
                    if letter != '0' || last != '0' {
                        text.push(letter);
                    }
                    last = letter;
                }
            }
            text += end;
        }
        words.push(text);
    }
    let depth = line.len() - line.trim_start().len();
    format!("{}{}", " ".repeat(depth.min(4)), words.join(" "))
}

/// Moments of a wait: which of them are seen depends on the machine.
fn is_moment(line: &str) -> bool {
    line.trim_start().split_once("s  ").is_some_and(|(seconds, _)| seconds.parse::<f32>().is_ok())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn each_verb_says_what_it_said() {
    let world = World::new("cli-texts").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    let mut first = prebuilt(1);
    first["run"]["env"] = json!([{ "name": "COLOUR", "value": "red" }]);
    let old = world.serve("shop", first).await;
    world.serve("shop", prebuilt(2)).await;
    let mut broken = prebuilt(3);
    broken["run"]["env"] = json!([{ "name": "A=B", "value": "1" }]);
    world.fail("broken", broken, "InvalidSpec").await;
    let mut transcript: Vec<String> = vec![];
    for line in [
        "list",
        "status shop",
        "status broken",
        "history shop",
        &format!("diff shop {old} --show-values"),
        "explain shop",
        "explain broken",
        "export shop",
        "open shop --print",
        "rollback shop previous --dry-run",
        "rollback shop previous",
        "status shop --for held",
        "deploy shop",
        &format!("rollback shop {old}"),
        "scale shop --replicas 2",
        "restart shop",
        "retry shop",
        "cancel shop",
        "stop shop",
        "start shop",
        "deploy shop --dry-run",
        "logs nope",
        "dev nope",
        "doctor",
        "version",
    ] {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let said = user.doce(&arguments).await;
        transcript.extend([String::new(), lasting(&format!("$ kubectl doce {line}"))]);
        for (stream, text) in [("", &said.out), ("! ", &said.err)] {
            // The name of the namespace ends with something random.
            let text = text.replace(&world.namespace, "team");
            for line in text.lines().filter(|line| !is_moment(line)) {
                transcript.push(format!("{stream}{}", lasting(line)));
            }
        }
        transcript.push(format!("[exit {}]", said.code));
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("each_verb", transcript.join("\n"));
    });
}
