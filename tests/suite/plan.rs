//! What `doce-operator build --explain` says of an example.

use std::process::Command;

use super::example::Example;
use super::outcome::Planned;

/// The plan of an example, or why there is none.
pub fn of(example: &Example) -> Planned {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doce-operator"));
    let output = command.args(["build", "--explain"]).arg(&example.directory).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    let framework = text.lines().find_map(|line| line.strip_prefix("# framework: ")).unwrap_or("Dockerfile");
    match (output.status.code(), error.trim().strip_prefix("error: ")) {
        (Some(0), _) => Planned::Yes { framework: framework.to_owned() },
        (Some(1), Some(why)) => Planned::No(why.to_owned()),
        _ => Planned::Broken(format!("explaining it ended with {}: {}", output.status, error.trim())),
    }
}
