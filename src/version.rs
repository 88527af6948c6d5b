//! Build keys and version hashes: SHA-256 over a canonical form with a format number. Pure. Tests compare golden hashes
//! of every released format, so that an upgrade of the operator rebuilds and restarts no project.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::protocol::order::Settings;

/// Format of the canonical form. A field that is added later enters it only if its value differs from what its absence
/// meant.
pub const FORMAT: u32 = 1;

/// The key of a build: 64 hex digits over the digest of the source and every build setting.
#[must_use]
pub fn build_key(source_digest: &str, settings: &Settings) -> String {
    digest("build", &[("source", Value::from(identity(source_digest))), ("settings", value(settings))])
}

/// What two equal sources have in common. With watched paths, `<commit>@<digest of the paths>`, it is the digest of the
/// paths: a commit that changes none of them is the same source.
#[must_use]
pub fn identity(source_digest: &str) -> &str {
    source_digest.split_once('@').map_or(source_digest, |(_, watched)| watched)
}

/// The commit of a source, or its digest without one.
#[must_use]
pub fn revision(source_digest: &str) -> &str {
    source_digest.split_once('@').map_or(source_digest, |(commit, _)| commit)
}

/// The hash of a version: 64 hex digits over the build key (or the image digest of a prebuilt image) and all of `run`.
pub fn version<R: Serialize>(image_key: &str, run: &R) -> String {
    digest("version", &[("image", Value::from(image_key)), ("run", value(run))])
}

/// Digest of a set of files (the keys of a ConfigMap): sorted by name, every name and content preceded by its length.
#[must_use]
pub fn files_digest(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hash = Sha256::new();
    for (name, content) in files {
        for part in [name.as_bytes(), content] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    format!("sha256:{}", hex::encode(hash.finalize()))
}

/// SHA-256 of a text, 64 hex digits. Names and candidate ports derive from it.
#[must_use]
pub fn text_digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Display form of a version: `v` and its first 8 hex digits. Without the `v`, YAML could parse it as a number.
#[must_use]
pub fn short(version: &str) -> String {
    format!("v{}", version.get(..8).unwrap_or(version))
}

fn digest(kind: &str, fields: &[(&str, Value)]) -> String {
    let mut map = serde_json::Map::new();
    map.insert("format".to_owned(), Value::from(FORMAT));
    map.insert("kind".to_owned(), Value::from(kind));
    for (name, value) in fields {
        map.insert((*name).to_owned(), value.clone());
    }
    text_digest(&canonical(&Value::Object(map)))
}

fn value<T: Serialize>(part: &T) -> Value {
    serde_json::to_value(part).unwrap_or(Value::Null)
}

/// JSON with sorted keys and without nulls, empty lists and empty objects, so that it does not depend on the order of
/// keys.
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().filter(|(_, v)| !is_empty(v)).collect();
            out.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let _ = write!(out, "{comma}{}:", Value::from(key.as_str()));
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        _ => false,
    }
}
