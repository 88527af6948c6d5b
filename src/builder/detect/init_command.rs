//! The spec field that runs a command, such as the migrations of a framework, before each version starts.

/// The line of the spec that runs this command before the pods of a version start.
pub(super) fn line(command: &str) -> String {
    const PLAIN: &[u8] = b"-_./:=@,+%";
    let plain = command
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || PLAIN.contains(&byte));
    let first = command.split_whitespace().next().unwrap_or_default();
    let words: Vec<&str> = if plain && !first.contains('=') {
        command.split_whitespace().collect()
    } else {
        vec!["sh", "-c", command]
    };
    format!("spec.run.initCommand.command: {}", serde_json::json!(words))
}

/// The note for migrations that nothing else runs.
pub(super) fn migrations(command: &str) -> String {
    format!(
        "migrations do not run by themselves; to run them before each version starts, set {}",
        line(command)
    )
}
