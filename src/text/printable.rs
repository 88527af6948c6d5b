//! Removes what must not reach a terminal.

/// The text without escape sequences, control characters and characters that reorder a line on the screen.
#[must_use]
pub fn printable(raw: &str) -> String {
    cleaned(raw, false)
}

/// The same with its line breaks, and with the sequences that set colours and weights. It ends without them.
#[must_use]
pub fn coloured(raw: &str) -> String {
    let mut out = cleaned(raw, true);
    if out.contains('\u{1b}') && !out.ends_with(RESET) {
        let end = out.trim_end_matches('\n').len();
        out.insert_str(end, RESET);
    }
    out
}

/// Ends colours and weights.
const RESET: &str = "\u{1b}[0m";

fn cleaned(raw: &str, with_colours: bool) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(char) = rest.next() {
        match char {
            '\u{1b}' => {
                let before = rest.clone();
                skip_escape(&mut rest);
                let length = before.as_str().len() - rest.as_str().len();
                let sequence = &before.as_str()[..length];
                if with_colours && is_colour(sequence) {
                    out.push('\u{1b}');
                    out.push_str(sequence);
                }
            }
            '\n' if with_colours => out.push(char),
            '\t' => out.push_str("    "),
            char if char.is_control() || reorders(char) => {}
            char => out.push(char),
        }
    }
    out
}

/// Whether a character changes the direction or the order of a line.
#[must_use]
pub fn reorders(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `[…m` with numbers between.
fn is_colour(sequence: &str) -> bool {
    let numbers = sequence.strip_prefix('[').and_then(|rest| rest.strip_suffix('m'));
    numbers.is_some_and(|numbers| numbers.chars().all(|c| c.is_ascii_digit() || matches!(c, ';' | ':')))
}

/// Skips the rest of an ANSI escape sequence: `[…letter`, `]…BEL` or `]…ESC \`, or a single character.
fn skip_escape(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => {
            rest.find(|char| ('\u{40}'..='\u{7e}').contains(char));
        }
        Some(']') => {
            let mut before = ' ';
            rest.find(|&char| {
                let ends = char == '\u{7}' || (before == '\u{1b}' && char == '\\');
                before = char;
                ends
            });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Bad input 106: escape sequences and reordering characters in the log
    #[test]
    fn escapes_controls_and_reordering_are_removed() {
        assert_eq!(printable("\u{1b}[31;1mred\u{1b}[0m\ttab\rback\u{7}"), "red    tabback");
        assert_eq!(printable("\u{1b}]0;title\u{7}a\u{1b}]8;;x\u{1b}\\b\u{202e}c\u{0}"), "abc");
        assert_eq!(printable("\u{1b}[31"), "");
        assert_eq!(printable("ünïcode ✓"), "ünïcode ✓");
    }

    #[test]
    fn of_all_sequences_only_colours_stay_and_they_end_with_the_text() {
        let raw = "\u{1b}[31;1mred\u{1b}[2J\u{1b}[?25l\u{1b}]0;title\u{7}\u{1b}]52;c;AA==\u{1b}\\!\nnext\u{9b}\u{202e}";
        assert_eq!(coloured(raw), "\u{1b}[31;1mred!\nnext\u{1b}[0m");
        assert_eq!(coloured("\u{1b}[1mbold\u{1b}[0m"), "\u{1b}[1mbold\u{1b}[0m");
        assert_eq!(coloured("plain\rtext\n"), "plaintext\n");
    }
}
