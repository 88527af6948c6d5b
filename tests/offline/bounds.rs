//! How large a spec may be. The walk is over the generated definition, so a field that is added later counts too.

use doce_operator::crd::bounds::{BUILD_TEXT, RUN_TEXT};
use serde_json::Value;

/// Most bytes of text in a spec.
const SPEC: u64 = 64 << 10;

fn spec() -> Value {
    let definition = serde_json::to_value(doce_operator::crd::definition()).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// Adds the path of every field without a bound.
fn unbounded(schema: &Value, path: &str, found: &mut Vec<String>) {
    let has = |keyword: &str| !schema[keyword].is_null();
    if has("x-kubernetes-preserve-unknown-fields") || has("x-kubernetes-embedded-resource") {
        found.push(format!("{path}: may hold anything"));
    }
    let missing = match schema["type"].as_str() {
        Some("string") => (!has("enum") && !has("maxLength")).then_some("maxLength"),
        Some("array") => (!has("maxItems")).then_some("maxItems"),
        Some("object") if has("additionalProperties") => (!has("maxProperties")).then_some("maxProperties"),
        Some("object" | "integer" | "boolean" | "number") => None,
        _ => (!has("x-kubernetes-int-or-string") || !has("maxLength")).then_some("type and maxLength"),
    };
    found.extend(missing.map(|keyword| format!("{path}: has no {keyword}")));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        unbounded(field, &format!("{path}.{name}"), found);
    }
    for (keyword, sign) in [("items", "[]"), ("additionalProperties", "{}")] {
        if has(keyword) {
            unbounded(&schema[keyword], &format!("{path}{sign}"), found);
        }
    }
}

/// Most characters of text in a value.
fn most(schema: &Value) -> u64 {
    let number = |keyword: &str| schema[keyword].as_u64().unwrap_or(0);
    let fields = schema["properties"].as_object().into_iter().flatten();
    let items = schema.get("items").map_or(0, most);
    number("maxLength") + number("maxItems") * items + fields.map(|(_, field)| most(field)).sum::<u64>()
}

#[test]
fn every_string_list_and_map_of_the_spec_has_a_bound() {
    let mut found = vec![];
    unbounded(&spec(), "spec", &mut found);
    assert!(found.is_empty(), "bound these fields, in src/crd/bounds.rs or where they are: {found:#?}");
}

#[test]
fn a_spec_has_less_than_64_kib_of_text() {
    let spec = spec();
    let fields = spec["properties"].as_object().unwrap();
    // A spec has one source. The rules of run and build bound these two.
    let source = fields["source"]["properties"].as_object().unwrap().values().map(most).max().unwrap();
    let rest = fields.iter().filter(|(name, _)| !["source", "run", "build"].contains(&name.as_str()));
    let rest: u64 = rest.map(|(_, field)| most(field)).sum();
    let all = RUN_TEXT + BUILD_TEXT + source + rest;
    assert!(all < SPEC, "{all}: source {source}, and {rest} besides run and build");
    for (section, bound) in [("run", RUN_TEXT), ("build", BUILD_TEXT)] {
        let rules = fields[section]["x-kubernetes-validations"].as_array().unwrap();
        let end = format!("<= {bound}");
        let rule = rules.iter().find(|rule| rule["rule"].as_str().unwrap().ends_with(&end)).expect(section);
        assert!(
            rule["message"].as_str().unwrap().starts_with(&format!("spec.{section} must contain at most"))
        );
    }
}
