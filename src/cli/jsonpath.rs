//! Templates of kubectl's `-o jsonpath=`: text with fields in braces, such as `{.status.url}`, and `{range …}…{end}`. The paths
//! in the braces are those of RFC 9535 without the `$`.

use jsonpath_rust::JsonPath as _;
use serde_json::Value;

/// A part of a template.
enum Part<'a> {
    Text(&'a str),
    Path(&'a str),
    /// Parts for each result of a path.
    Range(&'a str, Vec<Self>),
}

/// Whether a template can be read.
pub(super) fn check(template: &str) -> Result<(), String> {
    render(template, &Value::Null).map(drop)
}

/// The text of a template for one value. Several results are separated by a blank, as kubectl does.
pub(super) fn render(template: &str, value: &Value) -> Result<String, String> {
    let mut text = String::new();
    write(&parts(template)?, value, value, &mut text)?;
    Ok(text)
}

/// Writes parts. In a range, paths begin at its element, and those with a `$` at the root.
fn write(parts: &[Part<'_>], root: &Value, here: &Value, text: &mut String) -> Result<(), String> {
    for part in parts {
        match part {
            Part::Text(plain) => text.push_str(plain),
            Part::Path(path) => {
                let words: Vec<String> = query(path, root, here)?.into_iter().map(plain).collect();
                text.push_str(&words.join(" "));
            }
            Part::Range(path, inner) => {
                let found = query(path, root, here)?;
                if found.is_empty() {
                    write(inner, root, &Value::Null, &mut String::new())?; // Only whether it can be read.
                }
                for element in found {
                    write(inner, root, element, text)?;
                }
            }
        }
    }
    Ok(())
}

fn query<'v>(path: &str, root: &'v Value, here: &'v Value) -> Result<Vec<&'v Value>, String> {
    let from = if path.starts_with('$') { root } else { here };
    from.query(&absolute(path)?).map_err(|error| {
        format!("jsonpath {{{path}}} cannot be read: {error}. Example: -o jsonpath='{{.status.url}}'")
    })
}

fn parts(template: &str) -> Result<Vec<Part<'_>>, String> {
    // The parts outside, then those of each open range.
    let mut open = vec![("", vec![])];
    let mut rest = template;
    while let Some(brace) = rest.find('{') {
        if brace > 0 {
            add(&mut open, Part::Text(&rest[..brace]));
        }
        let after = &rest[brace + 1..];
        let close = after.find('}').ok_or_else(|| format!("jsonpath {template:?} lacks a closing brace"))?;
        let inside = after[..close].trim();
        if let Some(path) = inside.strip_prefix("range ") {
            open.push((path.trim(), vec![]));
        } else if inside == "end" {
            match open.pop() {
                Some((path, inner)) if !open.is_empty() => add(&mut open, Part::Range(path, inner)),
                _ => return Err(format!("jsonpath {template:?} has an {{end}} without a {{range}}")),
            }
        } else if let Some(text) = inside.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            add(&mut open, Part::Text(unescaped(text)));
        } else {
            add(&mut open, Part::Path(inside));
        }
        rest = &after[close + 1..];
    }
    if !rest.is_empty() {
        // As in kubectl, a template without braces is a path.
        let has_braces = rest.len() < template.len();
        add(&mut open, if has_braces { Part::Text(rest) } else { Part::Path(rest) });
    }
    match (open.pop(), open.is_empty()) {
        (Some((_, parts)), true) => Ok(parts),
        _ => Err(format!("jsonpath {template:?} lacks the {{end}} of a {{range}}")),
    }
}

fn add<'a>(open: &mut [(&'a str, Vec<Part<'a>>)], part: Part<'a>) {
    if let Some((_, parts)) = open.last_mut() {
        parts.push(part);
    }
}

fn unescaped(text: &str) -> &str {
    match text {
        r"\n" => "\n",
        r"\t" => "\t",
        other => other,
    }
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
    fn a_range_writes_its_parts_for_each_element_as_kubectl_does() {
        let list = serde_json::json!({ "kind": "List", "items": [
            { "metadata": { "name": "a" }, "ports": [1, 2] }, { "metadata": { "name": "b" }, "ports": [] },
        ] });
        for (template, expected) in [
            (r#"{range .items[*]}{.metadata.name}{"\t"}{.ports[0]}{"\n"}{end}"#, "a\t1\nb\t\n"),
            ("{range .items[*]}{.metadata.name}={range .ports[*]}{@},{end};{end}!", "a=1,2,;b=;!"),
            ("{range .items[*]}{$.kind} {end}", "List List "),
            ("{range .nothing[*]}{.a}{end}", ""),
        ] {
            assert_eq!(render(template, &list).as_deref(), Ok(expected), "{template}");
        }
    }

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
        assert!(check("{range .items[*]}x").unwrap_err().contains("{end}"));
        assert!(check("x{end}").unwrap_err().contains("{range}"));
        assert!(check("{range .items[*]}{.a..}{end}").is_err(), "also if there are no items");
        assert!(check("{}").unwrap_err().contains("Example"));
    }
}
