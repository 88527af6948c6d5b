//! Removes what must not reach a terminal.

/// The text without escape sequences, control characters and characters that reorder a line on the screen.
pub(in crate::builder) fn printable(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(char) = rest.next() {
        match char {
            '\u{1b}' => skip_escape(&mut rest),
            '\t' => out.push_str("    "),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {}
            char if char.is_control() => {}
            char => out.push(char),
        }
    }
    out
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
}
