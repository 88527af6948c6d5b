//! The last lines of a log, for the report.

/// Most lines of a tail, and most bytes in all.
const TAIL_LINES: usize = 40;
const TAIL_BYTES: usize = 2048;

/// Beginnings of lines that would displace useful ones: the progress of downloads, and what npm prints about itself
/// below its error.
const NOISE: [&str; 5] =
    ["sha256:", "extracting sha256:", "resolve ", "npm notice", "npm error A complete log of this run"];

pub(super) fn says_something(line: &str) -> bool {
    let step =
        line.strip_prefix('#').and_then(|line| line.split_once(' ')).map_or(line, |(_, rest)| rest).trim();
    !NOISE.iter().any(|start| step.starts_with(start)) && !["", "..."].contains(&step)
}

pub(super) fn tail(lines: &[String]) -> String {
    let mut bytes = 0;
    let mut first = lines.len();
    for line in lines.iter().rev().take(TAIL_LINES) {
        bytes += line.len() + 1;
        if bytes > TAIL_BYTES {
            break;
        }
        first -= 1;
    }
    // A single last line is longer than the whole tail: show its end.
    match lines.last() {
        Some(last) if first == lines.len() => {
            let from =
                (last.len().saturating_sub(TAIL_BYTES)..=last.len()).find(|&at| last.is_char_boundary(at));
            last[from.unwrap_or(0)..].to_owned()
        }
        _ => lines[first..].join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_distinguished_from_output() {
        for noise in [
            "",
            "#5 ...",
            "#5 extracting sha256:ab",
            "#5 sha256:ab 1MB / 2MB",
            "npm notice To update run: npm",
        ] {
            assert!(!says_something(noise), "{noise}");
        }
        assert!(says_something("#5 1.0 made it"));
    }

    #[test]
    fn the_tail_is_bounded_in_lines_and_bytes() {
        let many: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
        assert_eq!(tail(&many).lines().count(), TAIL_LINES);
        assert!(tail(&many).ends_with("line 99"));
        let long: Vec<String> = (0..10).map(|_| "é".repeat(500)).collect();
        assert!(tail(&long).len() <= TAIL_BYTES);
        let one = vec!["é".repeat(3000)];
        assert!(tail(&one).len() <= TAIL_BYTES && !tail(&one).is_empty());
        assert_eq!(tail(&[]), "");
    }
}
