//! The lines of a .dockerignore, interpreted as Docker does.

/// The lines that are patterns.
pub(super) struct Patterns {
    lines: Vec<Line>,
}

struct Line {
    /// Its line number, from 1.
    number: usize,
    /// Without `!`, without slashes around it.
    text: String,
    parts: Vec<String>,
    brings_back: bool,
}

/// Limit of the work of one match.
const STEPS: usize = 20_000;

impl Patterns {
    pub(super) fn read(text: &str) -> Self {
        let lines = text.lines().enumerate().filter_map(|(index, line)| {
            let line = line.trim();
            if line.starts_with('#') {
                return None;
            }
            let (brings_back, line) =
                line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
            let parts = parts(line);
            (!parts.is_empty()).then(|| Line { number: index + 1, text: parts.join("/"), parts, brings_back })
        });
        Self { lines: lines.collect() }
    }

    /// The number of the line that excludes a path; None: it is included. A line also applies to everything below its
    /// matches.
    pub(super) fn ignored(&self, path: &str) -> Option<usize> {
        let path: Vec<&str> = path.split('/').collect();
        let mut found = None;
        for line in &self.lines {
            // Skip a line that would change nothing.
            if found.is_some() != line.brings_back {
                continue;
            }
            let mut steps = STEPS;
            if (1..=path.len()).any(|end| matches(&line.parts, &path[..end], &mut steps)) {
                found = (!line.brings_back).then_some(line.number);
            }
        }
        found
    }

    /// The pattern of a line.
    pub(super) fn at(&self, number: usize) -> &str {
        self.lines.iter().find(|line| line.number == number).map_or("", |line| &line.text)
    }
}

/// The parts of a path, cleaned as Docker does: no `.`, no empty ones, `..` takes one away.
fn parts(line: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in line.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

/// Whether parts with wildcards are those of a path; `**` is any number of them.
fn matches(pattern: &[String], path: &[&str], steps: &mut usize) -> bool {
    if *steps == 0 {
        return false;
    }
    *steps -= 1;
    match pattern {
        [] => path.is_empty(),
        [first, rest @ ..] if first == "**" => {
            // At the end it is everything below, elsewhere also nothing at all.
            let least = usize::from(rest.is_empty());
            (least..=path.len()).any(|skipped| matches(rest, &path[skipped..], steps))
        }
        [first, rest @ ..] => {
            let Some(name) = path.first() else { return false };
            let (pattern, name): (Vec<char>, Vec<char>) = (first.chars().collect(), name.chars().collect());
            name_matches(&pattern, &name, steps) && matches(rest, &path[1..], steps)
        }
    }
}

fn name_matches(pattern: &[char], name: &[char], steps: &mut usize) -> bool {
    if *steps == 0 {
        return false;
    }
    *steps -= 1;
    let (rest, taken) = match pattern {
        [] => return name.is_empty(),
        ['*', rest @ ..] => {
            return (0..=name.len()).any(|skipped| name_matches(rest, &name[skipped..], steps));
        }
        ['?', rest @ ..] => (rest, !name.is_empty()),
        ['[', rest @ ..] => {
            let end = rest.iter().position(|char| *char == ']').filter(|end| *end > 0);
            let (Some(end), Some(first)) = (end, name.first()) else { return false };
            (&rest[end + 1..], in_class(&rest[..end], *first))
        }
        ['\\', plain, rest @ ..] | [plain, rest @ ..] => (rest, name.first() == Some(plain)),
    };
    taken && name_matches(rest, &name[1..], steps)
}

/// Whether a class such as `a-z` or `^0-9` has a character.
fn in_class(class: &[char], char: char) -> bool {
    let (negated, mut class) = match class {
        ['^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    while let [first, rest @ ..] = class {
        if let ['-', last, rest @ ..] = rest {
            found |= (*first..=*last).contains(&char);
            class = rest;
        } else {
            found |= *first == char;
            class = rest;
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_docker() {
        for (lines, ignored, kept) in [
            ("node_modules", vec!["node_modules/a/b"], vec!["web/node_modules"]),
            ("**/node_modules", vec!["node_modules/a", "web/node_modules/a"], vec!["node_modules2"]),
            ("/TODO*", vec!["TODO", "TODO.md"], vec!["app/TODO"]),
            ("__pycache__/", vec!["__pycache__", "__pycache__/a"], vec![]),
            ("*.log", vec!["a.log"], vec!["b/a.log"]),
            ("tmp/*", vec!["tmp/a", "tmp/.b", "tmp/a/b"], vec!["tmp"]),
            ("a/**", vec!["a/b", "a/b/c"], vec!["a", "ab"]),
            ("**/*.ts", vec!["a.ts", "b/a.ts"], vec!["a.tsx"]),
            ("**", vec!["a", ".b"], vec![]),
            ("docs/**/img", vec!["docs/img", "docs/a/b/img/x"], vec!["docs/imgs"]),
            ("*\n!docs-html/", vec!["server.js"], vec!["docs-html", "docs-html/a/b"]),
            ("neg/*\n!neg/keep\n!neg/dir/", vec!["neg/x"], vec!["neg/keep", "neg/dir/x"]),
            ("*.md\n!README.md\nREADME*", vec!["README.md"], vec![]),
            ("# a\n\n  ./b/../c  ", vec!["c"], vec!["b", "# a"]),
            ("fo[a-c]\nx?\n\\*y", vec!["foa", "x1", "*y"], vec!["fod", "x", "zy"]),
            ("[^a]b", vec!["cb"], vec!["ab"]),
        ] {
            let patterns = Patterns::read(lines);
            for path in ignored {
                assert!(patterns.ignored(path).is_some(), "{lines:?} excludes {path}");
            }
            for path in kept {
                assert!(patterns.ignored(path).is_none(), "{lines:?} includes {path}");
            }
        }
    }

    #[test]
    fn the_line_that_excludes_a_path_is_reported() {
        let patterns = Patterns::read("# ours\n*.txt\n*\n!a");
        assert_eq!((patterns.ignored("x.txt"), patterns.at(3)), (Some(2), "*"));
        assert_eq!(patterns.ignored("b"), Some(3));
    }

    #[test]
    fn matching_a_hostile_pattern_terminates() {
        let patterns = Patterns::read(&format!("{}x\n{}y", "**/".repeat(200), "*a".repeat(200)));
        assert_eq!(patterns.ignored(&"a/".repeat(200)), None);
        assert_eq!(patterns.ignored(&"a".repeat(255)), None);
    }
}
