//! Runs `doce-operator build --explain` on an example. The other builder reads no Dockerfile, so the test ignores the
//! example's own.

use std::process::Command;

use serde_json::Value;

use super::example::Example;
use super::outcome::Planned;

/// The plan of an example, or why there is none.
pub fn of(example: &Example) -> Planned {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doce-operator"));
    command.args(["build", "--json", "--strategy", "Generated", "--explain"]).arg(&example.directory);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    match (output.status.code(), plan["framework"].as_str(), plan["message"].as_str()) {
        (Some(0), Some(framework), _) => Planned::Yes {
            framework: framework.to_owned(),
            images: images(plan["text"].as_str().unwrap_or_default()),
            versions: plan["versions"].as_array().into_iter().flatten().map(Value::to_string).collect(),
        },
        (Some(1), _, Some(why)) => {
            Planned::No(format!("{}: {why}", plan["reason"].as_str().unwrap_or_default()))
        }
        _ => Planned::Broken(format!("explaining it ended with {}: {}", output.status, error.trim())),
    }
}

/// The base images of a Dockerfile.
fn images(dockerfile: &str) -> Vec<String> {
    let from = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")?.split(' ').next());
    from.filter(|name| name.contains('/')).map(str::to_owned).collect()
}
