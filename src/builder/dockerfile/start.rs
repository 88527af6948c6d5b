//! Turns a line that starts a program into process 1 of an image: the program itself, or a shell that passes signals
//! on. A package manager or a plain shell as process 1 would lose SIGTERM, and with it every request in progress.

/// Runs a list of commands in a shell that passes SIGTERM on to all of them and exits with the code of the last one.
const FORWARD: &str = "trap 'kill -TERM -1' TERM INT; { %; } & wait $!; code=$?; wait; exit $code";

/// The exec form of a line for the shell, such as a Procfile or the `start` script of a package.json has.
///
/// A line without shell syntax becomes its words. In a line with variables only, and in a chain of `&&`, the last
/// command replaces the shell (`exec`). Anything else keeps the shell, which passes SIGTERM on.
pub(in crate::builder) fn command(line: &str) -> Vec<String> {
    let line = line.trim();
    if let Some(words) = words(line) {
        return words;
    }
    let shell = |script: String| vec!["/bin/sh".to_owned(), "-c".to_owned(), script];
    let (before, last) = split_chain(line);
    if is_simple(last) && before.is_none_or(is_list_of_simple) {
        let before = before.map(|before| format!("{} && ", before.trim_end())).unwrap_or_default();
        let (assignments, program) = assignments(last);
        return shell(format!("{before}{assignments}exec {program}"));
    }
    shell(FORWARD.replace('%', line.trim_end_matches([';', '&', ' '])))
}

/// A shell that runs a line and passes SIGTERM on to all that it started, for scripts whose programs it does not know.
pub(in crate::builder) fn forwarding(line: &str) -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-c".to_owned(), FORWARD.replace('%', line)]
}

/// The words of a line that means the same without a shell; leading assignments become words of `env`.
fn words(line: &str) -> Option<Vec<String>> {
    if line.is_empty()
        || line.contains(['$', '`', '\\', '*', '?', '[', '~', '#', '!', '{', '}'])
        || has_operator(line)
    {
        return None;
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for char in line.chars() {
        match quote {
            Some(open) if char == open => quote = None,
            None if char == '"' || char == '\'' => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            None if char.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    if quote.is_some() || BUILTINS.contains(&words.first()?.as_str()) {
        return None;
    }
    if is_assignment(&words[0]) {
        words.insert(0, "env".to_owned());
    }
    Some(words)
}

/// Words that only a shell knows.
const BUILTINS: [&str; 14] = [
    "cd", "export", "exec", "source", ".", "set", "eval", "if", "for", "while", "case", "ulimit", "trap",
    "until",
];

/// One program with arguments; variables are for the shell.
fn is_simple(command: &str) -> bool {
    let (_, program) = assignments(command);
    let first = program.split_whitespace().next().unwrap_or_default();
    !first.is_empty()
        && !has_operator(command)
        && !command.contains(['`', '#', '{', '!']) | is_plain_expansion(command)
        && !command.contains("$(")
        && !BUILTINS.contains(&first)
}

/// Whether all braces belong to variables such as `${PORT:-3000}`.
fn is_plain_expansion(command: &str) -> bool {
    let without = command.replace("${", "");
    !without.contains(['`', '#', '{', '!'])
}

/// The commands before the last one of a chain, which the shell can run before the last one replaces it.
fn is_list_of_simple(before: &str) -> bool {
    before.split("&&").all(|command| {
        let (_, program) = assignments(command.trim());
        !program.is_empty() && !has_operator(command) && !command.contains(['`', '#'])
    })
}

/// The part before the last `&&` outside quotes, and the part after it.
fn split_chain(line: &str) -> (Option<&str>, &str) {
    let mut quote = None;
    let mut at = None;
    let bytes = line.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        match quote {
            Some(open) if *byte == open => quote = None,
            None if matches!(byte, b'"' | b'\'') => quote = Some(*byte),
            None if *byte == b'&' && bytes.get(index + 1) == Some(&b'&') => at = Some(index),
            _ => {}
        }
    }
    at.map_or((None, line), |at| (Some(line[..at].trim()), line[at + 2..].trim()))
}

/// Whether there is a shell operator outside of quotes.
fn has_operator(command: &str) -> bool {
    let mut quote = None;
    command.chars().any(|char| match quote {
        Some(open) => {
            if char == open {
                quote = None;
            }
            false
        }
        None if char == '"' || char == '\'' => {
            quote = Some(char);
            false
        }
        None => matches!(char, '&' | '|' | ';' | '<' | '>' | '(' | ')' | '\n' | '\r'),
    })
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !name.starts_with(|first: char| first.is_ascii_digit())
    })
}

/// Splits off the assignments before a program, with a trailing blank. `exec` comes after them.
fn assignments(command: &str) -> (&str, &str) {
    let mut rest = command.trim_start();
    while let Some(end) = rest.find(char::is_whitespace) {
        if !is_assignment(&rest[..end]) || rest[..end].contains(['"', '\'']) {
            break;
        }
        rest = rest[end..].trim_start();
    }
    let command = command.trim_start();
    command.split_at(command.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_without_shell_syntax_is_split_into_words() {
        for (line, words) in [
            ("node server.js", vec!["node", "server.js"]),
            ("  gunicorn 'shop:app'  --workers \"2\" ", vec!["gunicorn", "shop:app", "--workers", "2"]),
            ("NODE_ENV=production node .", vec!["env", "NODE_ENV=production", "node", "."]),
            ("./bin/server --name=x", vec!["./bin/server", "--name=x"]),
            ("echo ''", vec!["echo", ""]),
        ] {
            assert_eq!(command(line), words, "{line}");
        }
    }

    #[test]
    fn a_shell_replaces_itself_with_the_program_if_possible() {
        for (line, script) in [
            ("uvicorn main:app --port $PORT", "exec uvicorn main:app --port $PORT"),
            ("serve -l ${PORT:-3000}", "exec serve -l ${PORT:-3000}"),
            ("A=1 B=$C node x.js", "A=1 B=$C exec node x.js"),
            (
                "python manage.py migrate && gunicorn shop.wsgi",
                "python manage.py migrate && exec gunicorn shop.wsgi",
            ),
            ("cd api && node server.js", "cd api && exec node server.js"),
            ("echo 'a && b' && node x", "echo 'a && b' && exec node x"),
        ] {
            assert_eq!(command(line), ["/bin/sh", "-c", script], "{line}");
        }
    }

    #[test]
    fn a_shell_that_stays_forwards_signals() {
        for line in [
            "node a.js & node b.js",
            "node a.js; node b.js",
            "node a | tee log",
            "a || b",
            "(a)",
            "node $(cat main)",
        ] {
            let command = command(line);
            assert_eq!(command[..2], ["/bin/sh", "-c"], "{line}");
            assert!(
                command[2].starts_with("trap 'kill -TERM -1' TERM") && command[2].contains(line),
                "{command:?}"
            );
        }
    }

    #[test]
    fn a_forwarding_shell_exits_with_the_code_of_the_last_command() {
        // Runs in its own process namespace, as in a pod: -1 is every process except process 1.
        let run = |line: &str| {
            let command = command(line);
            std::process::Command::new(&command[0]).args(&command[1..]).output().unwrap()
        };
        assert_eq!(run("true; exit 7").status.code(), Some(7));
        assert_eq!(String::from_utf8_lossy(&run("echo a | cat").stdout), "a\n");
        assert_eq!(String::from_utf8_lossy(&run("A=b; echo $A").stdout), "b\n");
    }

    #[test]
    fn an_empty_line_becomes_a_shell_command() {
        assert_eq!(command("").len(), 3);
    }
}
