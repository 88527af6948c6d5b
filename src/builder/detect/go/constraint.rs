//! Whether a Go file belongs to a program for Linux, by its name and its `//go:build` line, read as Go reads them.

/// Operating systems and architectures that a name may end in (`go tool dist list`).
const OTHER_SYSTEMS: [&str; 18] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
    "wasm",
];
/// The architectures that images are built for.
const OWN_ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];
const OTHER_ARCHITECTURES: [&str; 12] = [
    "386", "arm", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x",
    "sparc64",
];

/// Whether a file of this name and beginning is compiled.
pub(super) fn is_compiled(name: &str, text: &str) -> bool {
    let stem = name.strip_suffix(".go").unwrap_or(name);
    let mut ends = stem.split('_').skip(1).collect::<Vec<_>>();
    let last: Vec<&str> = ends.split_off(ends.len().saturating_sub(2));
    let excluded = last.iter().any(|end| OTHER_SYSTEMS.contains(end) || OTHER_ARCHITECTURES.contains(end));
    !excluded && !stem.ends_with("_test") && build_line(text).is_none_or(evaluate)
}

/// The expression of the `//go:build` line, which comes before the package clause.
fn build_line(text: &str) -> Option<&str> {
    text.lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("package "))
        .find_map(|line| line.strip_prefix("//go:build "))
}

/// The value of an expression. An unreadable one counts as true; the compiler reports it.
fn evaluate(line: &str) -> bool {
    let mut tokens = tokens(line);
    tokens.reverse();
    any(&mut tokens, 0).unwrap_or(true)
}

fn tokens(line: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let word = rest
            .find(|char: char| !(char.is_alphanumeric() || char == '_' || char == '.'))
            .unwrap_or(rest.len());
        let operator = if rest.starts_with("&&") || rest.starts_with("||") { 2 } else { 1 };
        let end = if word > 0 { word } else { operator };
        // A multi-byte character is not an operator.
        let Some((token, after)) = rest.split_at_checked(end) else { break };
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// Deeper expressions are not written by people.
const MAX_DEPTH: usize = 50;

fn any(tokens: &mut Vec<&str>, depth: usize) -> Option<bool> {
    let mut value = all(tokens, depth)?;
    while tokens.last() == Some(&"||") {
        tokens.pop();
        value |= all(tokens, depth)?;
    }
    Some(value)
}

fn all(tokens: &mut Vec<&str>, depth: usize) -> Option<bool> {
    let mut value = one(tokens, depth)?;
    while tokens.last() == Some(&"&&") {
        tokens.pop();
        value &= one(tokens, depth)?;
    }
    Some(value)
}

fn one(tokens: &mut Vec<&str>, depth: usize) -> Option<bool> {
    if depth > MAX_DEPTH {
        return None;
    }
    match tokens.pop()? {
        "!" => one(tokens, depth + 1).map(|value| !value),
        "(" => {
            let value = any(tokens, depth + 1)?;
            (tokens.pop()? == ")").then_some(value)
        }
        tag => Some(is_set(tag)),
    }
}

fn is_set(tag: &str) -> bool {
    matches!(tag, "linux" | "unix" | "gc" | "cgo" | "timetzdata")
        || OWN_ARCHITECTURES.contains(&tag)
        || tag.strip_prefix("go1.").is_some_and(|minor| minor.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_constraints_are_evaluated() {
        for line in
            ["linux", "!windows", "linux && (amd64 || arm64)", "mage || linux", "go1.18", "!(ignore || mage)"]
        {
            assert!(is_compiled("a.go", &format!("// Ours.\n//go:build {line}\n\npackage main\n")), "{line}");
        }
        for line in ["ignore", "mage", "!linux", "windows || darwin", "linux && !unix", "tools", "wireinject"]
        {
            assert!(!is_compiled("a.go", &format!("//go:build {line}\npackage main\n")), "{line}");
        }
        assert!(
            is_compiled("a.go", "package main\n//go:build ignore\n"),
            "after the package clause it is a comment"
        );
    }

    #[test]
    fn file_names_for_other_systems_are_not_compiled() {
        for name in ["main_windows.go", "main_darwin_arm64.go", "x_386.go", "main_test.go"] {
            assert!(!is_compiled(name, "package main"), "{name}");
        }
        for name in ["main.go", "main_linux.go", "main_linux_amd64.go", "windows.go", "my_server.go"] {
            assert!(is_compiled(name, "package main"), "{name}");
        }
    }

    #[test]
    fn invalid_build_constraints_are_left_to_the_compiler() {
        for line in ["", "&&", "(linux", "ä", "a b", &"!".repeat(10_000), &"(".repeat(10_000)] {
            let _value = is_compiled("a.go", &format!("//go:build {line}\npackage main"));
        }
    }
}
