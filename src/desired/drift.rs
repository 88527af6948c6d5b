//! Compares a live object with its desired shape. A server-side apply that changes nothing still costs the API server
//! work and can wake every watcher, so the operator sends none.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::{Map, Value};

use crate::quantity::nanos;

/// Whether `live` has every field of `want`. Fields that `want` omits or leaves empty are not compared, so others may
/// set them.
#[must_use]
pub fn as_desired(live: &Value, want: &Value) -> bool {
    difference(live, want).is_none()
}

/// A shape as it is compared: without version and kind, which not every typed object writes.
#[must_use]
pub fn without_kind(mut want: Value) -> Value {
    if let Some(fields) = want.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    want
}

/// Path of the first field of `want` that differs in `live`, such as `spec.template.spec.containers[app].image`; `None`
/// if all is [`as_desired`]. It contains no value, because values may be confidential.
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
        (Some(live), Some(want)) => {
            live == want || thousandths(live).is_some() && thousandths(live) == thousandths(want)
        }
        _ => is_nothing(want),
    }
}

/// A quantity in thousandths, rounded up as the API server rounds: `1.5m` is stored as `2m`.
fn thousandths(text: &str) -> Option<u128> {
    nanos(&Quantity(text.to_owned())).map(|nanos| nanos.div_ceil(1_000_000))
}
