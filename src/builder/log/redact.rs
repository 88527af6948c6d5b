//! Hides secrets in a text, also those that were cut: texts are cut in many places before they get here.

use std::cmp::Reverse;
use std::ops::Range;

/// The replacement of a secret.
pub(super) const HIDDEN: &str = "***";
/// Least characters of the beginning of a secret that count as the secret.
const TELLING: usize = 8;
/// Marks where a text was cut.
const CUT: char = '…';

/// Replaces every secret in the text, and the beginning of a secret where the text ends or was cut.
pub(super) fn hide(text: &str, secrets: &[String]) -> String {
    let mut found: Vec<Range<usize>> = secrets.iter().flat_map(|secret| places(text, secret)).collect();
    found.sort_by_key(|place| (place.start, Reverse(place.end)));
    let (mut shown, mut end) = (String::with_capacity(text.len()), 0);
    for place in found {
        // Secrets may overlap: one may be a line of another, or begin within the end of another.
        if place.start >= end {
            shown.push_str(&text[end..place.start]);
            shown.push_str(HIDDEN);
        }
        end = end.max(place.end);
    }
    shown.push_str(&text[end..]);
    shown
}

/// Ranges of a secret, or of enough of its beginning to recognize it.
fn places(text: &str, secret: &str) -> Vec<Range<usize>> {
    let telling = &secret[..secret.char_indices().nth(TELLING).map_or(secret.len(), |(at, _)| at)];
    let Some(first) = telling.chars().next() else { return vec![] };
    let (mut places, mut from) = (Vec::new(), 0);
    while let Some(start) = text[from..].find(telling).map(|at| from + at) {
        let end = start + shared(&text[start..], secret);
        let rest = &text[end..];
        if end - start == secret.len() || rest.is_empty() || rest.starts_with(CUT) {
            places.push(start..end);
            from = end;
        } else {
            from = start + first.len_utf8();
        }
    }
    places
}

/// Length in bytes of the common beginning of two texts, up to the end of a character.
fn shared(one: &str, other: &str) -> usize {
    let alike = one.chars().zip(other.chars()).take_while(|(one, other)| one == other);
    alike.map(|(char, _)| char.len_utf8()).sum()
}

/// At most `most` characters of a text. A cut is marked, because it may have cut a secret, too.
pub(in crate::builder) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}{CUT}", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";

    fn hidden(text: &str, secrets: &[&str]) -> String {
        hide(text, &secrets.iter().map(|&secret| secret.to_owned()).collect::<Vec<_>>())
    }

    // Bad input 106: secret that was cut together with its text
    #[test]
    fn the_rest_of_a_secret_is_hidden_where_its_text_is_truncated() {
        assert_eq!(TOKEN.len(), 40);
        for length in [8, 9, 20, 39, 40] {
            let cut = &TOKEN[..length];
            assert_eq!(hidden(&format!("bad {cut}"), &[TOKEN]), "bad ***", "{length}");
            assert_eq!(hidden(&format!("bad {cut}…"), &[TOKEN]), "bad ***…", "{length}");
            let inside = hidden(&format!("bad {cut}…; check {cut}…; twice"), &[TOKEN]);
            assert_eq!(inside, "bad ***…; check ***…; twice", "{length}");
            let shortened = shortened(&format!("bad {TOKEN}, says the server"), 4 + length);
            let said = hidden(&format!("{shortened}; check it"), &[TOKEN]);
            assert_eq!(said, "bad ***…; check it", "{length}");
        }
    }

    #[test]
    fn a_short_or_unrelated_prefix_of_a_secret_is_not_hidden() {
        for text in
            ["bad ghp_012", "bad ghp_012…", "bad ghp_01234567890 word", "ghp_0123456789…abcdefg x", "…", ""]
        {
            let expected = text.replace("ghp_0123456789…", "***…");
            assert_eq!(hidden(text, &[TOKEN]), expected);
        }
        assert_eq!(hidden("short hunter", &["hunter2"]), "short hunter", "short secrets need a full match");
    }

    #[test]
    fn overlapping_secrets_are_hidden_completely() {
        let longer = "wxyz-0123456789-0123456789";
        for secrets in [[TOKEN, longer], [longer, TOKEN]] {
            assert_eq!(hidden(&format!("a {TOKEN}-01234"), &secrets), "a ***");
            assert_eq!(hidden(&format!("a {TOKEN}-01234 b"), &secrets), "a ***-01234 b");
        }
        assert_eq!(
            hidden("ghp_01234567", &[TOKEN, "ghp_"]),
            "***",
            "a secret inside the prefix of another one"
        );
        assert_eq!(hidden("aaaaaaaaa", &["aaaaaaaab"]), "a***", "a secret whose start repeats");
        assert_eq!(hidden("ä pässwört-ä…", &["pässwört-äü"]), "ä ***…");
    }

    #[test]
    fn truncated_text_is_marked() {
        assert_eq!((shortened("äöü", 3), shortened("äöü", 2)), ("äöü".to_owned(), "äö…".to_owned()));
    }
}
