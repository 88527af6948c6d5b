//! The tokens of a JavaScript or TypeScript file. It distinguishes comments, texts, templates and regular expressions.

/// One word of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A name or a keyword.
    Word(&'t str),
    /// A text in quotes, or a template without substitutions.
    Text(String),
    /// A number, a regular expression, a template with substitutions.
    Other,
    /// An operator or a bracket.
    Sign(&'t str),
}

/// Operators of several characters, the longer ones first.
const SIGNS: [&str; 15] =
    ["===", "!==", "...", "**=", "=>", "==", "!=", "?.", "??", "||", "&&", "<=", ">=", "++", "--"];

/// Words after which `/` begins a regular expression.
const BEFORE_VALUES: [&str; 11] =
    ["return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "await", "default"];

/// Limit of nested templates.
const DEPTH: usize = 32;

/// The tokens of a text. A text that ends inside of a token ends there.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() || first == '\u{feff}' {
            at += first.len_utf8();
        } else if rest.starts_with("//") || (at == 0 && rest.starts_with("#!")) {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(comment) = rest.strip_prefix("/*") {
            at += comment.find("*/").map_or(rest.len(), |end| end + 4);
        } else {
            let (token, length) = token(rest, first, tokens.last());
            tokens.push(token);
            at += length;
        }
    }
    tokens
}

/// The word that a text begins with, and its length.
fn token<'t>(rest: &'t str, first: char, before: Option<&Token<'_>>) -> (Token<'t>, usize) {
    match first {
        '"' | '\'' => quoted(rest, first),
        '`' => template(rest),
        '/' if !is_value(before) => (Token::Other, regular_expression(rest)),
        '0'..='9' => {
            let end = rest.find(|char: char| !(char.is_ascii_alphanumeric() || "._".contains(char)));
            (Token::Other, end.unwrap_or(rest.len()))
        }
        _ if is_name(first) => {
            let word = &rest[..rest.find(|char| !is_name(char)).unwrap_or(rest.len())];
            (Token::Word(word), word.len())
        }
        _ => {
            let long = SIGNS.iter().find(|sign| rest.starts_with(**sign)).map(|sign| sign.len());
            let length = long.unwrap_or(first.len_utf8());
            (Token::Sign(&rest[..length]), length)
        }
    }
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || "_$@#".contains(char)
}

/// Whether `/` after it is a division.
fn is_value(before: Option<&Token<'_>>) -> bool {
    match before {
        Some(Token::Word(word)) => !BEFORE_VALUES.contains(word),
        Some(Token::Text(_) | Token::Other) => true,
        Some(Token::Sign(sign)) => matches!(*sign, ")" | "]" | "}"),
        None => false,
    }
}

/// A text in quotes ends with its quote or its line.
fn quoted(rest: &str, quote: char) -> (Token<'static>, usize) {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => text.extend(chars.next().map(|(_, escaped)| unescape(escaped))),
            '\n' => return (Token::Other, at),
            _ if char == quote => return (Token::Text(text), at + 1),
            _ => text.push(char),
        }
    }
    (Token::Other, rest.len())
}

fn unescape(escaped: char) -> char {
    match escaped {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        // A text with such a character is not a name that the reader looks for.
        'u' | 'x' => '\0',
        other => other,
    }
}

fn template(rest: &str) -> (Token<'static>, usize) {
    let length = template_end(rest, 0);
    let inner = rest.get(1..length.saturating_sub(1)).unwrap_or_default();
    let plain = !inner.contains("${") && !inner.contains('\\');
    (if plain { Token::Text(inner.to_owned()) } else { Token::Other }, length)
}

/// The length of the template at the start of a text.
fn template_end(rest: &str, depth: usize) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'`' => return at + 1,
            b'$' if bytes.get(at + 1) == Some(&b'{') => at += substitution_end(&rest[at..], depth + 1),
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a substitution `${…}`, which may contain templates.
fn substitution_end(rest: &str, depth: usize) -> usize {
    let bytes = rest.as_bytes();
    let (mut at, mut open) = (2, 1);
    if depth > DEPTH {
        return rest.len();
    }
    while at < bytes.len() {
        match bytes[at] {
            b'{' => open += 1,
            b'}' if open == 1 => return at + 1,
            b'}' => open -= 1,
            quote @ (b'"' | b'\'') => {
                at += quoted(&rest[at..], char::from(quote)).1;
                continue;
            }
            b'`' => {
                at += template_end(&rest[at..], depth + 1);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    rest.len()
}

/// The length of a regular expression with its flags; `/` in brackets does not end it.
fn regular_expression(rest: &str) -> usize {
    let mut class = false;
    let mut escaped = false;
    for (at, char) in rest.char_indices().skip(1) {
        match char {
            '\n' => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '/' if !class => {
                let flags = &rest[at + 1..];
                return at + 1 + flags.find(|char| !is_name(char)).unwrap_or(flags.len());
            }
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let shown = |token: &Token<'_>| match token {
            Token::Word(word) => (*word).to_owned(),
            Token::Text(text) => format!("'{text}'"),
            Token::Other => "_".to_owned(),
            Token::Sign(sign) => (*sign).to_owned(),
        };
        tokens(text).iter().map(shown).collect()
    }

    #[test]
    fn comments_strings_templates_and_expressions_are_distinguished() {
        for (text, expected) in [
            ("a: 'b' // c: 'd'\n,/* e: 'f' */ g", "a : 'b' , g"),
            (r#""it's" 'a\'b' "//no""#, "'it's' 'a'b' '//no'"),
            ("`plain` `a ${b + `${'}'}`} c` x", "'plain' _ x"),
            ("/\\/[/'\"]x/g.test(a / 2 / b)", "_ . test ( a / _ / b )"),
            ("return /'/ ;", "return _ ;"),
            ("a ?? b?.c => ...d !== 1.5e3", "a ?? b ?. c => ... d !== _"),
            ("#!/usr/bin/env node\nx", "x"),
            ("'open\nb", "_ b"),
        ] {
            assert_eq!(words(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn tokenizing_hostile_text_terminates() {
        for text in
            ["`${".repeat(100_000), "/*".to_owned(), "`\\".to_owned(), "'\\".to_owned(), "ä`ö${ü".to_owned()]
        {
            assert!(tokens(&text).len() < 10);
        }
    }
}
