//! Tables as kubectl prints them: columns in capitals, aligned by blanks, nothing wrapped.

use comfy_table::{ContentArrangement, Table, presets};

use super::screen::{Screen, Tone, toned};
use crate::text::printable::printable;

/// Blanks between two columns.
const GAP: u16 = 3;

/// A table with headings. Each row may have one word with a tone.
pub(super) struct Rows {
    table: Table,
    tones: Vec<Option<(String, Tone)>>,
}

impl Rows {
    pub(super) fn new(headings: &[&'static str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(headings);
        Self { table, tones: vec![] }
    }

    /// Adds a row, with `word` of it in this tone.
    pub(super) fn push(&mut self, row: Vec<String>, word: &str, tone: Tone) {
        let row: Vec<String> = row
            .into_iter()
            .map(|cell| if cell.is_empty() { "-".to_owned() } else { printable(&cell) })
            .collect();
        self.table.add_row(row);
        self.tones.push((!word.is_empty()).then(|| (word.to_owned(), tone)));
    }

    /// Prints it.
    pub(super) fn print(&mut self, screen: &Screen) {
        for column in self.table.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        let lines: Vec<String> = self.table.lines().map(|line| line.trim_end().to_owned()).collect();
        for (index, line) in lines.into_iter().enumerate() {
            // Colour enters after the layout, which counts every character.
            let line = match index.checked_sub(1).and_then(|row| self.tones.get(row)) {
                None => toned(Tone::Strong, &line),
                Some(Some((word, tone))) => line.replacen(word, &toned(*tone, word), 1),
                Some(None) => line,
            };
            screen.print(&line);
        }
    }
}

/// A time as its age, as kubectl prints it: 45s, 12m, 3h, 5d.
pub(super) fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// A duration in words: 45 s, 3 min 5 s.
pub(super) fn duration(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// At most this many characters of a text, on one line.
pub(super) fn cut(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= most {
        return line.to_owned();
    }
    let kept: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_durations_are_written_as_kubectl_and_people_do() {
        let ages = [5, 119, 120, 7199, 7200, 172_800].map(age);
        assert_eq!(ages, ["5s", "119s", "2m", "119m", "2h", "2d"]);
        assert_eq!((duration(7), duration(185)), ("7 s".to_owned(), "3 min 5 s".to_owned()));
        assert_eq!((cut("abc\nd", 3), cut("abcd", 3)), ("abc".to_owned(), "ab…".to_owned()));
    }
}
