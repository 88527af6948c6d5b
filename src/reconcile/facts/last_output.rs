//! Finds the cause in the last output of a program: the exception, not the frames and the banner below it. It only
//! reads text, and knows the formats that runtimes print.

use serde_json::Value;

/// A parser of one format. Returns the cause if the lines have that format.
type Shape = fn(&[&str]) -> Option<String>;

/// Maximum length of a cause, in bytes.
const LONGEST: usize = 400;

/// The line with the cause, else the last line; none if there is no output.
pub(super) fn cause(said: &str) -> Option<String> {
    let lines: Vec<String> = said.lines().map(plain).collect();
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    let rows: [Shape; 11] = [spring, java, rust, go, python, dotnet, php, ruby, elixir, exception, complaint];
    let found = rows.iter().find_map(|row| row(&lines)).or_else(|| last(&lines));
    found.map(|line| crate::text::bounded(line.trim(), LONGEST))
}

/// A line without terminal colours or, if it is a JSON document, its message.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        rest = rest.get(1..).unwrap_or_default();
    }
    text.push_str(rest);
    logged(&text).unwrap_or(text)
}

/// The message of a line of a structured log: `{"level":60,"msg":"…","err":{"message":"…"}}`.
fn logged(line: &str) -> Option<String> {
    let record: Value = serde_json::from_str(line.trim()).ok().filter(Value::is_object)?;
    let places = ["/err/message", "/error/message", "/exception", "/error", "/msg", "/message"];
    let said = places.iter().find_map(|place| record.pointer(place)?.as_str())?;
    let level = &record["level"];
    let bad = level.as_i64().is_some_and(|level| level >= 50)
        || ["error", "fatal", "critical"]
            .contains(&level.as_str().unwrap_or_default().to_lowercase().as_str());
    Some(if bad { format!("error: {said}") } else { said.to_owned() })
}

fn position(lines: &[&str], is: impl Fn(&str) -> bool) -> Option<usize> {
    lines.iter().position(|line| is(line))
}

fn after<'a>(lines: &[&'a str], at: usize) -> Option<&'a str> {
    lines[at + 1..].iter().find(|line| !line.trim().is_empty()).copied()
}

/// Spring Boot: the paragraph below `Description:`.
fn spring(lines: &[&str]) -> Option<String> {
    let failed = position(lines, |line| line == "APPLICATION FAILED TO START")?;
    let description = failed + position(&lines[failed..], |line| line == "Description:")?;
    after(lines, description).map(str::to_owned)
}

/// Java and other languages of the JVM: the exception and its innermost cause.
fn java(lines: &[&str]) -> Option<String> {
    let thrown = lines.iter().rev().find_map(|line| {
        let (before, thrown) = line.split_once("Exception in thread \"")?;
        Some(thrown.split_once("\" ")?.1).filter(|_| before.is_empty())
    });
    let main = || lines.iter().find(|line| line.starts_with("Error: Could not find or load main class"));
    let root = lines.iter().rev().find_map(|line| line.strip_prefix("Caused by: "));
    match (thrown.or_else(|| main().copied()), root) {
        (Some(thrown), Some(root)) => Some(format!("{thrown} (caused by {root})")),
        (Some(thrown), None) => Some(thrown.to_owned()),
        // The head is cut off. Frames of Java follow.
        (None, Some(root)) => lines.iter().any(|line| line.starts_with("\tat ")).then(|| root.to_owned()),
        (None, None) => None,
    }
}

/// Rust: the line below `thread 'main' panicked at src/main.rs:1:2:`.
fn rust(lines: &[&str]) -> Option<String> {
    let is_panic = |line: &str| line.starts_with("thread '") && line.contains(" panicked at ");
    let at = lines.iter().rposition(|line| is_panic(line))?;
    let (_, place) = lines[at].split_once(" panicked at ")?;
    if place.starts_with('\'') {
        return Some(place.to_owned()); // The format before Rust 1.73.
    }
    Some(format!("{} ({})", after(lines, at)?, place.trim_end_matches(':')))
}

/// Go: the first panic. The frames of every goroutine follow it.
fn go(lines: &[&str]) -> Option<String> {
    let traced = lines.iter().any(|line| line.starts_with("goroutine ") || line.starts_with("[signal SIG"));
    let is_panic = |line: &&&str| line.starts_with("panic: ") || line.starts_with("fatal error: ");
    lines.iter().find(is_panic).filter(|_| traced).map(|line| (*line).to_owned())
}

/// Python: below the last traceback, the first line that is not indented; of a group, the innermost.
fn python(lines: &[&str]) -> Option<String> {
    let head = "Traceback (most recent call last):";
    let at = lines
        .iter()
        .rposition(|line| line.trim_start_matches(|c: char| !c.is_alphanumeric()).ends_with(head))?;
    if lines[at].contains("Exception Group") {
        let members = lines[at..].iter().rev().filter_map(|line| line.trim_start().strip_prefix("| "));
        return members.map(str::trim).find(|line| is_exception(line)).map(str::to_owned);
    }
    let outdented = |line: &&&str| !line.is_empty() && !line.starts_with(' ');
    lines[at + 1..].iter().find(outdented).map(|line| (*line).to_owned())
}

/// .NET: `Unhandled exception. Type: message`, and the innermost ` ---> Type: message`.
fn dotnet(lines: &[&str]) -> Option<String> {
    let at = lines.iter().rposition(|line| line.starts_with("Unhandled exception. "))?;
    let thrown = lines[at].trim_start_matches("Unhandled exception. ");
    let inner = lines[at + 1..].iter().rev().find_map(|line| line.trim_start().strip_prefix("---> "));
    Some(inner.map_or_else(|| thrown.to_owned(), |inner| format!("{thrown} (caused by {inner})")))
}

/// PHP: `PHP Fatal error:  Uncaught PDOException: …`, once to the log and once to the output.
fn php(lines: &[&str]) -> Option<String> {
    let heads = ["Fatal error: ", "Parse error: "];
    let says = |line: &&&str| {
        let line = line.trim_start_matches("PHP ").trim_start_matches("NOTICE: PHP message: PHP ");
        heads.iter().any(|head| line.starts_with(head))
    };
    lines.iter().rev().find(says).map(|line| line.trim_start_matches("PHP ").replace(":  ", ": "))
}

/// Ruby: `app.rb:3:in 'method': message (Class)`.
fn ruby(lines: &[&str]) -> Option<String> {
    let says = |line: &&&str| {
        let Some((place, rest)) = line.split_once(":in ") else { return false };
        let number = place.rsplit_once(':').is_some_and(|(_, number)| number.parse::<u32>().is_ok());
        number
            && rest.starts_with(['\'', '`'])
            && rest.contains(": ")
            && rest.ends_with(')')
            && !line.starts_with('\t')
    };
    let line = lines.iter().rev().find(says)?;
    let (_, message) = line.split_once(":in ")?.1.split_once(": ")?;
    Some(message.to_owned())
}

/// Elixir and Erlang: `** (RuntimeError) message`.
fn elixir(lines: &[&str]) -> Option<String> {
    let says = |line: &&&str| line.trim_start().starts_with("** (");
    let line = lines.iter().find(says)?.trim().trim_start_matches("** (");
    let (class, message) = line.split_once(") ")?;
    Some(format!("{class}: {message}"))
}

/// Node and others: `TypeError: message`, `Error [CODE]: message`, and its cause; V8 out of memory.
fn exception(lines: &[&str]) -> Option<String> {
    let memory = lines.iter().find_map(|line| line.strip_prefix("FATAL ERROR: "));
    if let Some(memory) = memory {
        return Some(memory.to_owned());
    }
    let at = lines.iter().rposition(|line| is_exception(line))?;
    let mut head = lines[at].trim_start_matches("Uncaught ").to_owned();
    let mut below = lines[at + 1..].iter().filter(|line| !line.trim().is_empty());
    for _ in 0..3 {
        // Prisma and similar libraries print the message in the next line.
        match below.next().filter(|line| head.trim_end().ends_with(':') && !is_noise(line)) {
            Some(more) => head = format!("{} {}", head.trim_end(), more.trim()),
            None => break,
        }
    }
    let cause = lines[at..].iter().rev().find_map(|line| line.trim_start().strip_prefix("[cause]: "));
    Some(cause.map_or(head.clone(), |cause| format!("{head} (caused by {})", cause.trim_end_matches(" {"))))
}

/// `Name: message` where the name is that of an error, with or without a code in brackets.
fn is_exception(line: &str) -> bool {
    let line = line.trim_start_matches("Uncaught ");
    let Some((name, _)) = line.split_once(':') else { return false };
    let name = name.split_once(" [").map_or(name, |(name, _)| name);
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_' || c == '$');
    let ends = ["Error", "Exception", "Rejection"].iter().any(|end| last.ends_with(end));
    is_word && ends && last.starts_with(|c: char| c.is_ascii_uppercase())
}

/// The first of the last lines in which the program itself reports an error.
fn complaint(lines: &[&str]) -> Option<String> {
    let told: Vec<&str> =
        lines.iter().filter(|line| !line.trim().is_empty() && !is_noise(line)).copied().collect();
    let words = ["error", "fatal", "critical", "panic"];
    let complains = |line: &&&str| {
        let line = line.to_lowercase();
        let mut tokens = line.split(|c: char| c.is_whitespace() || c == '[' || c == ']');
        tokens.any(|token| {
            words.contains(&token.trim_end_matches(':'))
                && (token.ends_with(':') || line.contains(&format!("[{token}]")))
        })
    };
    let tail = &told[told.len().saturating_sub(8)..];
    tail.iter().find(complains).map(|line| (*line).to_owned())
}

fn last(lines: &[&str]) -> Option<String> {
    let told = |noise: bool| {
        let told = move |line: &&&str| !line.trim().is_empty() && (noise || !is_noise(line));
        lines.iter().rev().find(told).map(|line| (*line).to_owned())
    };
    told(false).or_else(|| told(true))
}

/// A frame of a trace, a banner, or a message of a package manager about the program that it started.
fn is_noise(line: &str) -> bool {
    let line = line.trim();
    let heads = [
        "at ",
        "File \"",
        "from ",
        "Node.js v",
        "goroutine ",
        "note: ",
        "npm ERR! ",
        "npm error ",
        "exit status ",
    ];
    let words = [
        "ELIFECYCLE",
        "Command failed with exit code",
        "error Command failed",
        "info Visit https://yarnpkg.com",
    ];
    heads.iter().any(|head| line.starts_with(head))
        || words.iter().any(|word| line.contains(word))
        || line.chars().all(|c| !c.is_alphanumeric())
}

#[cfg(test)]
mod tests;
