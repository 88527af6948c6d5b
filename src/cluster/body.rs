//! The JSON of a new object as it is sent. On each update the API server compares the data of a ControllerRevision byte
//! by byte with its own JSON (Go, `encoding/json`), which escapes some characters. If we sent them unescaped, the API
//! server would reject every later change of a label or annotation as a change of the data.

use serde::Serialize;

/// The characters and how Go writes them. In JSON they occur only in strings.
const ESCAPED: [(char, &str); 5] =
    [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];

/// `object` as JSON that the API server would write identically.
pub(super) fn body<K: Serialize>(object: &K) -> Result<Vec<u8>, serde_json::Error> {
    let text = serde_json::to_string(object)?;
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match ESCAPED.iter().find(|(plain, _)| *plain == letter) {
            Some((_, escape)) => escaped.push_str(escape),
            None => escaped.push(letter),
        }
    }
    Ok(escaped.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_characters_are_escaped_as_in_go_and_decode_to_the_same_text() {
        let object = serde_json::json!({ "author": "Ann <ann@example.org>", "url": "db?a=1&b=2", "line": "\u{2028}ü\n" });
        let sent = String::from_utf8(body(&object).unwrap()).unwrap();
        assert!(!sent.contains(['<', '>', '&', '\u{2028}']), "{sent}");
        assert!(
            sent.contains(r"Ann \u003cann@example.org\u003e") && sent.contains(r"a=1\u0026b=2"),
            "{sent}"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&sent).unwrap(), object);
    }
}
