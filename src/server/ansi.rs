//! Lines of logs with ANSI sequences: as plain text, with colours as classes, or with clean colour sequences. Pure. No other
//! sequence passes, and no character that moves the cursor or reorders a line.

use std::fmt::Write as _;

use anstyle_parse::{DefaultCharAccumulator, Params, Parser, Perform};
use serde::Serialize;

use crate::text::printable::reorders;

/// Most parts of one line. The rest of the line stays as the last one.
const MOST_PARTS: usize = 256;

/// Names of the 16 colours, in the order of their codes.
const COLOURS: [&str; 8] = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/// The same as red, green and blue, as most terminals show them. The bright ones follow.
const SHADES: [[u8; 3]; 16] = [
    [0, 0, 0],
    [205, 0, 0],
    [0, 205, 0],
    [205, 205, 0],
    [0, 0, 238],
    [205, 0, 205],
    [0, 205, 205],
    [229, 229, 229],
    [127, 127, 127],
    [255, 0, 0],
    [0, 255, 0],
    [255, 255, 0],
    [92, 92, 255],
    [255, 0, 255],
    [0, 255, 255],
    [255, 255, 255],
];

/// Weights and lines: class, code that sets it, code that ends it.
const EFFECTS: [(&str, u16, u16); 6] = [
    ("bold", 1, 22),
    ("dim", 2, 22),
    ("italic", 3, 23),
    ("underline", 4, 24),
    ("inverse", 7, 27),
    ("strike", 9, 29),
];

/// How a part of a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Style {
    /// Number of the colour, 0 to 15.
    text: Option<u8>,
    ground: Option<u8>,
    effects: [bool; EFFECTS.len()],
}

impl Style {
    fn classes(self) -> Vec<String> {
        let effects = EFFECTS.iter().zip(self.effects).filter(|(_, is_set)| *is_set);
        let effects = effects.map(|((class, ..), _)| (*class).to_owned());
        let text = self.text.map(colour);
        let ground = self.ground.map(|number| format!("on-{}", colour(number)));
        effects.chain(text).chain(ground).collect()
    }

    fn sequence(self) -> String {
        let code = |number: u8, normal: u16, bright: u16| {
            let number = u16::from(number);
            if number < 8 { normal + number } else { bright + number - 8 }
        };
        let effects = EFFECTS.iter().zip(self.effects).filter(|(_, is_set)| *is_set);
        let effects = effects.map(|((_, code, _), _)| *code);
        let text = self.text.map(|number| code(number, 30, 90));
        let ground = self.ground.map(|number| code(number, 40, 100));
        let mut sequence = "\u{1b}[0".to_owned();
        for code in effects.chain(text).chain(ground) {
            let _ = write!(sequence, ";{code}"); // It writes to a string.
        }
        sequence.push('m');
        sequence
    }

    /// Applies the parameters of one sequence.
    fn set(&mut self, params: &Params) {
        // `38;5;1` and `38:5:1` mean the same.
        let codes: Vec<u16> = params.iter().flatten().copied().collect();
        let mut rest = codes.as_slice();
        while let [code, after @ ..] = rest {
            rest = after;
            match *code {
                0 => *self = Self::default(),
                30..=37 => self.text = number(code - 30),
                40..=47 => self.ground = number(code - 40),
                90..=97 => self.text = number(code - 90 + 8),
                100..=107 => self.ground = number(code - 100 + 8),
                39 => self.text = None,
                49 => self.ground = None,
                38 | 48 => {
                    let (colour, after) = extended(after);
                    rest = after;
                    let place = if *code == 38 { &mut self.text } else { &mut self.ground };
                    *place = colour.or(*place);
                }
                code => {
                    for ((_, set, end), is_set) in EFFECTS.iter().zip(&mut self.effects) {
                        *is_set = code == *set || *is_set && code != *end;
                    }
                }
            }
        }
        if codes.is_empty() {
            *self = Self::default();
        }
    }
}

fn number(code: u16) -> Option<u8> {
    u8::try_from(code).ok()
}

fn colour(number: u8) -> String {
    let name = COLOURS[usize::from(number % 8)];
    if number < 8 { name.to_owned() } else { format!("bright-{name}") }
}

/// The colour of `5;n` or `2;r;g;b`, and the codes after it.
fn extended(codes: &[u16]) -> (Option<u8>, &[u16]) {
    match codes {
        [5, index, rest @ ..] => (number(*index).map(of_index), rest),
        [2, red, green, blue, rest @ ..] => {
            let channel = |code: &u16| u8::try_from(*code).unwrap_or(u8::MAX);
            (Some(nearest([red, green, blue].map(channel))), rest)
        }
        _ => (None, &[]),
    }
}

/// The nearest of the 16 colours to one of 256.
fn of_index(index: u8) -> u8 {
    let step = |level: u8| if level == 0 { 0 } else { 55 + 40 * level };
    match index {
        0..=15 => index,
        16..=231 => {
            let cube = index - 16;
            nearest([step(cube / 36), step(cube / 6 % 6), step(cube % 6)])
        }
        232..=255 => nearest([8 + 10 * (index - 232); 3]),
    }
}

fn nearest(wanted: [u8; 3]) -> u8 {
    let distance = |shade: &[u8; 3]| -> u32 {
        shade.iter().zip(wanted).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    let found = (0_u8..).zip(&SHADES).min_by_key(|(_, shade)| distance(shade));
    found.map_or(0, |(number, _)| number)
}

/// A part of a line with one look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Part {
    /// The text.
    text: String,
    /// Classes such as `bold`, `red`, `bright-red` and `on-red`.
    classes: Vec<String>,
}

/// A line, read.
#[derive(Default)]
struct Read {
    parts: Vec<(Style, String)>,
    style: Style,
}

impl Perform for Read {
    fn print(&mut self, character: char) {
        if character.is_control() || reorders(character) {
            return;
        }
        let is_full = self.parts.len() >= MOST_PARTS;
        match self.parts.last_mut() {
            Some((style, text)) if *style == self.style || is_full => text.push(character),
            _ => self.parts.push((self.style, character.to_string())),
        }
    }

    fn execute(&mut self, byte: u8) {
        if byte == b'\t'
            && let Some((_, text)) = self.parts.last_mut()
        {
            text.push('\t');
        } else if byte == b'\t' {
            self.parts.push((self.style, "\t".to_owned()));
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: u8) {
        if action == b'm' && intermediates.is_empty() && !ignore {
            self.style.set(params);
        }
    }
}

fn read(line: &str) -> Read {
    let (mut parser, mut read) = (Parser::<DefaultCharAccumulator>::new(), Read::default());
    for byte in line.bytes() {
        parser.advance(&mut read, byte);
    }
    read
}

/// The line without sequences and control characters.
#[must_use]
pub(super) fn plain(line: &str) -> String {
    read(line).parts.into_iter().map(|(_, text)| text).collect()
}

/// The line in parts, with colours as classes. Each line begins without any.
#[must_use]
pub(super) fn parts(line: &str) -> Vec<Part> {
    let part = |(style, text): (Style, String)| Part { text, classes: style.classes() };
    read(line).parts.into_iter().map(part).collect()
}

/// The line with its colours as sequences that we write, which a line that has some also ends.
#[must_use]
pub(super) fn coloured(line: &str) -> String {
    let (mut text, mut before) = (String::with_capacity(line.len()), Style::default());
    for (style, part) in read(line).parts {
        if style != before {
            text.push_str(&style.sequence());
        }
        before = style;
        text.push_str(&part);
    }
    if before != Style::default() {
        text.push_str(&Style::default().sequence());
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plain_line_has_no_sequences_and_no_control_characters() {
        for (line, expected) in [
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]8;;https://a.test\u{7}link\u{1b}]8;;\u{1b}\\", "link"),
            ("a\tb\rc\u{0}", "a\tbc"),
            ("\ta", "\ta"),
            ("\u{1b}[", ""),
            ("\u{1b}", ""),
            ("ä✓", "ä✓"),
        ] {
            assert_eq!(plain(line), expected);
        }
    }

    #[test]
    fn colours_and_weights_become_classes() {
        let of = |line: &str| json!(parts(line));
        assert_eq!(
            of("a \u{1b}[1;31mb\u{1b}[22;44mc\u{1b}[md"),
            json!([
                { "text": "a ", "classes": [] },
                { "text": "b", "classes": ["bold", "red"] },
                { "text": "c", "classes": ["red", "on-blue"] },
                { "text": "d", "classes": [] },
            ])
        );
        for (sequence, expected) in [
            ("38;5;196", json!(["bright-red"])),
            ("38:5:2", json!(["green"])),
            ("48;2;1;2;3", json!(["on-black"])),
            ("93;107", json!(["bright-yellow", "on-bright-white"])),
            ("4;9;7;3;2", json!(["dim", "italic", "underline", "inverse", "strike"])),
            ("31;39", json!([])),
            ("38;5", json!([])),
            ("38;2;1", json!([])),
            ("8;5;55", json!([])),
        ] {
            assert_eq!(of(&format!("\u{1b}[{sequence}mx"))[0]["classes"], expected, "{sequence}");
        }
        assert!(parts("").is_empty());
    }

    #[test]
    fn only_colour_sequences_that_we_write_pass() {
        assert_eq!(coloured("\u{1b}[31;1mred\u{1b}[0m end"), "\u{1b}[0;1;31mred\u{1b}[0m end");
        assert_eq!(coloured("\u{1b}[31mred"), "\u{1b}[0;31mred\u{1b}[0m");
        assert_eq!(coloured("\u{1b}[31m"), "");
    }

    #[test]
    fn no_hostile_sequence_passes_in_any_form() {
        for hostile in [
            "\u{1b}[2J",                           // clears the screen
            "\u{1b}[1A\u{1b}[2K",                  // rewrites the line above
            "\u{1b}]0;title\u{7}",                 // sets the title
            "\u{1b}]52;c;AAAA\u{7}",               // writes the clipboard
            "\u{1b}]8;;https://evil.test\u{1b}\\", // begins a link
            "\u{1b}P+q544e\u{1b}\\",               // asks the terminal
            "\u{1b}_x\u{1b}\\\u{1b}^x\u{1b}\\",
            "\u{1b}c",
            "\u{1b}[>4;2m",
            "\u{1b}[?25l",
            "\u{9b}31m",
            "\u{202e}\u{8}\u{7f}\u{7}",
            "\u{1b}[99999999999999999999m",
            "\u{1b}[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1m",
        ] {
            for text in [plain(hostile), coloured(hostile), json!(parts(hostile)).to_string()] {
                let bad = |c: char| c.is_control() || c == '\u{202e}';
                assert!(!text.contains(bad), "{hostile:?} becomes {text:?}");
                assert!(
                    !text.contains("evil") && !text.contains("AAAA") && !text.contains("title"),
                    "{text}"
                );
            }
        }
        let html = json!(parts("<script>alert(1)</script>"));
        assert_eq!(html, json!([{ "text": "<script>alert(1)</script>", "classes": [] }]), "text stays text");
    }

    #[test]
    fn a_line_has_a_bounded_number_of_parts_and_loses_no_text() {
        let many = (0..1000).map(|n| format!("\u{1b}[{}mx", 30 + n % 8)).collect::<Vec<_>>().concat();
        assert_eq!(parts(&many).len(), MOST_PARTS);
        assert_eq!(plain(&many).len(), 1000);
    }
}
