//! Whether an object already is as it should be: a server-side apply that changes nothing still costs the API server
//! work and can wake every watcher, so none is sent.

use serde_json::{Map, Value};

/// Every field of `want` is set so in `live`. What `want` leaves out or leaves empty is not compared, so that others
/// may set it.
#[must_use]
pub fn settled(live: &Value, want: &Value) -> bool {
    match (live, want) {
        (_, want) if is_nothing(want) => true,
        (Value::Null, want) => is_zero(want),
        (Value::Object(live), Value::Object(want)) => want.iter().all(|(key, want)| field(live, key, want)),
        (Value::Array(live), Value::Array(want)) => list(live, want),
        (live, want) => live == want,
    }
}

fn field(live: &Map<String, Value>, key: &str, want: &Value) -> bool {
    let there = live.get(key).unwrap_or(&Value::Null);
    match key {
        "requests" | "limits" => quantities(there, want),
        _ => settled(there, want),
    }
}

/// Items with a `name` are found by it, as the API server merges them; other lists are compared as they stand.
fn list(live: &[Value], want: &[Value]) -> bool {
    let name = |item: &Value| item.get("name").cloned();
    if want.iter().all(|item| name(item).is_some()) {
        let named = |want: &Value| live.iter().find(|item| name(item) == name(want));
        return want.iter().all(|want| named(want).is_some_and(|live| settled(live, want)));
    }
    live.len() == want.len() && live.iter().zip(want).all(|(live, want)| settled(live, want))
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

/// The API server leaves out a zero where that is what absence means (`minReadySeconds`).
fn is_zero(value: &Value) -> bool {
    value.as_i64() == Some(0) || value.as_bool() == Some(false)
}

/// The API server rewrites quantities (`1000m` as `1`), so they are compared by value.
fn quantities(live: &Value, want: &Value) -> bool {
    let Some(want) = want.as_object() else { return is_nothing(want) };
    want.iter().all(|(resource, want)| match (live.get(resource).and_then(Value::as_str), want.as_str()) {
        (Some(live), Some(want)) => live == want || amount(live).is_some() && amount(live) == amount(want),
        _ => false,
    })
}

/// A quantity in millionths; none where it is not one.
fn amount(text: &str) -> Option<i128> {
    let digits =
        text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == '+')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let scale: f64 = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        exponent => 10f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    #[expect(clippy::cast_possible_truncation, reason = "a quantity beyond this is compared as text")]
    let millionths = (number.parse::<f64>().ok()? * scale * 1e6).round() as i128;
    Some(millionths)
}
