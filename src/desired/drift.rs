//! Compares a live object with its desired shape. A server-side apply that changes nothing still costs the API server
//! work and can wake every watcher, so the operator sends none.

use serde_json::{Map, Value};

/// Whether `live` has every field of `want`. Fields that `want` omits or leaves empty are not compared, so others may
/// set them.
#[must_use]
pub fn as_desired(live: &Value, want: &Value) -> bool {
    difference(live, want).is_none()
}

/// Path of the first field of `want` that differs in `live`, such as `spec.template.spec.containers[app].image`; `None`
/// if all is [`as_desired`]. It contains no value, because values may be confidential.
#[must_use]
pub fn difference(live: &Value, want: &Value) -> Option<String> {
    match (live, want) {
        (_, want) if is_nothing(want) => None,
        (Value::Null, want) => (!is_zero(want)).then(String::new),
        (Value::Object(live), Value::Object(want)) => want.iter().find_map(|(key, want)| {
            let below = field(live, key, want)?;
            let dot = if below.is_empty() || below.starts_with('[') { "" } else { "." };
            Some(format!("{key}{dot}{below}"))
        }),
        (Value::Array(live), Value::Array(want)) => list(live, want),
        (live, want) => (live != want).then(String::new),
    }
}

fn field(live: &Map<String, Value>, key: &str, want: &Value) -> Option<String> {
    let there = live.get(key).unwrap_or(&Value::Null);
    match key {
        "requests" | "limits" => quantities(there, want),
        "divisor" => (!same_quantity(there, want)).then(String::new),
        _ => difference(there, want),
    }
}

/// Items with a `name` are matched by it, as the API server merges them; other lists are compared item by item.
fn list(live: &[Value], want: &[Value]) -> Option<String> {
    let name = |item: &Value| item.get("name").cloned();
    let below = |item: &str, below: &str| {
        let dot = if below.is_empty() { "" } else { "." };
        format!("[{item}]{dot}{below}")
    };
    if want.iter().all(|item| name(item).is_some()) {
        return want.iter().find_map(|want| {
            let there = live.iter().find(|item| name(item) == name(want)).unwrap_or(&Value::Null);
            Some(below(name(want)?.as_str().unwrap_or_default(), &difference(there, want)?))
        });
    }
    if live.len() != want.len() {
        return Some(String::new());
    }
    let mut pairs = live.iter().zip(want).enumerate();
    pairs.find_map(|(at, (live, want))| Some(below(&at.to_string(), &difference(live, want)?)))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// The API server omits a zero if absence means zero (`minReadySeconds`).
fn is_zero(value: &Value) -> bool {
    value.as_i64() == Some(0) || value.as_bool() == Some(false)
}

/// The API server rewrites quantities (`1000m` as `1`), so they are compared by value.
fn quantities(live: &Value, want: &Value) -> Option<String> {
    let other = |(resource, want): (&String, &Value)| {
        let there = live.get(resource).unwrap_or(&Value::Null);
        (!same_quantity(there, want)).then(|| resource.clone())
    };
    match want.as_object() {
        Some(want) => want.iter().find_map(other),
        None => difference(live, want),
    }
}

fn same_quantity(live: &Value, want: &Value) -> bool {
    match (live.as_str(), want.as_str()) {
        (Some(live), Some(want)) => live == want || amount(live).is_some() && amount(live) == amount(want),
        _ => is_nothing(want),
    }
}

/// A quantity in thousandths, rounded up as the API server rounds (`1.5m` is stored as `2m`); `None` if `text` is not a
/// quantity or does not fit.
fn amount(text: &str) -> Option<i128> {
    let digits =
        text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == '+')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let (unit, tens): (i128, i32) = match suffix {
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        exponent => (1, exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    let written = format!("{whole}{fraction}").parse::<i128>().ok()?.checked_mul(unit)?;
    let tens = tens.checked_add(3)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let power = 10_i128.checked_pow(tens.unsigned_abs())?;
    if tens < 0 { Some(-(-written).div_euclid(power)) } else { written.checked_mul(power) }
}
