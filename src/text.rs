//! Texts for users: bounded texts, and errors with their causes. It uses no other module of the crate.

pub mod lines;
pub mod not_found;
pub mod printable;

/// The text without control characters other than line breaks, cut to at most `bytes` at a character boundary.
#[must_use]
pub fn bounded(text: &str, bytes: usize) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    if clean.len() <= bytes {
        return clean;
    }
    let mut end = bytes.saturating_sub(3);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &clean[..end])
}

/// An error with its causes, for a log or a terminal.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    all.collect::<Vec<_>>().join(": ")
}

/// Shortens a text by at least `bytes`, at a character boundary.
pub fn cut_end(text: &mut String, bytes: usize) {
    let keep = text.len().saturating_sub(bytes);
    let keep = (0..=keep).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    text.truncate(keep);
}
