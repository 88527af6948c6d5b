//! Templates of kubectl's `-o jsonpath=`: text with fields in braces, such as `{.status.url}`. The paths in the braces are
//! those of RFC 9535 without the `$`. kubectl's `range` is missing: the way out is `-o json`.

use jsonpath_rust::JsonPath as _;
use serde_json::Value;

/// A part of a template.
enum Part<'a> {
    Text(&'a str),
    Path(&'a str),
}

/// Whether a template can be read.
pub(super) fn check(template: &str) -> Result<(), String> {
    render(template, &Value::Null).map(drop)
}

/// The text of a template for one value. Several results are separated by a blank, as kubectl does.
pub(super) fn render(template: &str, value: &Value) -> Result<String, String> {
    let mut text = String::new();
    for part in parts(template)? {
        match part {
            Part::Text(plain) => text.push_str(plain),
            Part::Path(path) => {
                let found = value.query(&absolute(path)?).map_err(|error| {
                    format!(
                        "jsonpath {{{path}}} cannot be read: {error}. Example: -o jsonpath='{{.status.url}}'"
                    )
                })?;
                let words: Vec<String> = found.into_iter().map(plain).collect();
                text.push_str(&words.join(" "));
            }
        }
    }
    Ok(text)
}

fn parts(template: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = vec![];
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            parts.push(Part::Text(&rest[..open]));
        }
        let after = &rest[open + 1..];
        let close = after.find('}').ok_or_else(|| format!("jsonpath {template:?} lacks a closing brace"))?;
        let inside = after[..close].trim();
        if inside.starts_with("range") || inside == "end" {
            return Err("jsonpath with range is not supported. Use -o json and jq instead".to_owned());
        }
        parts.push(match inside.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) => Part::Text(match text {
                r"\n" => "\n",
                r"\t" => "\t",
                other => other,
            }),
            None => Part::Path(inside),
        });
        rest = &after[close + 1..];
    }
    if !rest.is_empty() {
        // As in kubectl, a template without braces is a path.
        parts.push(if parts.is_empty() { Part::Path(rest) } else { Part::Text(rest) });
    }
    Ok(parts)
}

fn absolute(path: &str) -> Result<String, String> {
    match path.chars().next() {
        Some('$' | '@') => Ok(format!("${}", steps(&path[1..]))),
        Some('.' | '[') => Ok(format!("${}", steps(path))),
        Some(_) => Ok(format!("${}", steps(&format!(".{path}")))),
        None => Err("jsonpath has empty braces. Example: -o jsonpath='{.status.url}'".to_owned()),
    }
}

/// The steps of a path as RFC 9535 writes them. kubectl also takes keys with other characters as they are, such as
/// `.a-b`, and dots after a backslash, such as `.doce\\.dev/deploy`.
fn steps(path: &str) -> String {
    let mut steps = String::new();
    let mut rest = path.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '.' if rest.peek() == Some(&'.') => steps.push('.'),
            '.' if matches!(rest.peek(), None | Some('[')) => {
                // A step down to whatever the bracket selects.
                if steps.ends_with('.') {
                    steps.push('.');
                }
            }
            '[' => bracket(&mut rest, &mut steps),
            letter => {
                let mut key = if letter == '.' { String::new() } else { String::from(letter) };
                while let Some(&next) = rest.peek().filter(|next| !matches!(next, '.' | '[')) {
                    rest.next();
                    key.push(if next == '\\' { rest.next().unwrap_or(next) } else { next });
                }
                push_key(&key, &mut steps);
            }
        }
    }
    steps
}

fn push_key(key: &str, steps: &mut String) {
    let is_plain = key == "*"
        || key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            && !key.starts_with(|first: char| first.is_ascii_digit());
    if is_plain {
        steps.push('.');
        steps.push_str(key);
        return;
    }
    if steps.ends_with('.') {
        steps.push('.');
    }
    let quoted = key.replace('\\', r"\\").replace('\'', r"\'");
    steps.extend(["['", &quoted, "']"]);
}

/// Copies a selector up to its closing bracket. A dot in it needs no backslash.
fn bracket(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, steps: &mut String) {
    steps.push('[');
    let (mut depth, mut quote) = (1, None);
    while let Some(letter) = rest.next() {
        match (letter, quote) {
            ('\\', _) => {
                if rest.peek() != Some(&'.') {
                    steps.push(letter);
                    steps.extend(rest.next());
                }
                continue;
            }
            ('\'' | '"', None) => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            ('[', None) => depth += 1,
            (']', None) => depth -= 1,
            _ => {}
        }
        steps.push(letter);
        if depth == 0 {
            return;
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_template_is_text_with_fields_as_in_kubectl() {
        let value = json!({
            "metadata": { "annotations": { "doce.dev/deploy": "x@1", "a-b": "c", "it's": "d" } },
            "status": { "url": "http://x", "conditions": [
                { "type": "Ready", "status": "True" }, { "type": "Built", "status": "False" },
            ]},
        });
        for (template, expected) in [
            ("{.status.url}", "http://x"),
            (".status.url", "http://x"),
            ("url={.status.url}{\"\\n\"}", "url=http://x\n"),
            (r#"{.status.conditions[?(@.type=="Ready")].status}"#, "True"),
            ("{.status.conditions[*].type}", "Ready Built"),
            ("{.status.conditions[1].type}", "Built"),
            ("{.status.none}", ""),
            (r"{.metadata.annotations.doce\.dev/deploy}", "x@1"),
            (r"{.metadata.annotations['doce\.dev/deploy']}", "x@1"),
            (r#"{.metadata.annotations["doce.dev/deploy"]}"#, "x@1"),
            ("{.metadata.annotations.a-b}", "c"),
            ("{$.metadata.annotations.a-b}", "c"),
            ("{.metadata.annotations.it's}", "d"),
            ("{..a-b}", "c"),
            ("{..url}", "http://x"),
            ("{.status.conditions[?(@.type=='Built')].status}", "False"),
        ] {
            assert_eq!(render(template, &value).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn a_template_that_cannot_be_read_names_the_way_out() {
        assert!(check("{.a").unwrap_err().contains("closing brace"));
        assert!(check("{range .items[*]}x{end}").unwrap_err().contains("-o json"));
        assert!(check("{}").unwrap_err().contains("Example"));
    }
}
