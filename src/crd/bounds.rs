//! How large a spec may be: bounds of the fields that are those of a Pod, and of the text in `spec.run` and `spec.build` in
//! total. With them an object has less than 64 KiB (docs/decisions/0065). The other fields have their bounds in the code.

use serde_json::{Value, json};

/// Most bytes of text in `spec.run`.
pub const RUN_TEXT: u64 = 32 << 10;

/// Most bytes of text in `spec.build`.
pub const BUILD_TEXT: u64 = 16 << 10;

/// Longest quantity, in characters.
const QUANTITY: u64 = 32;

/// Bounds of the fields that `k8s-openapi` defines, below `spec.run`.
const OF_A_POD: [(&str, &str, u64); 18] = [
    ("env[].name", "maxLength", 256),
    ("env[].value", "maxLength", RUN_TEXT),
    ("env[].valueFrom.configMapKeyRef.key", "maxLength", 253),
    ("env[].valueFrom.configMapKeyRef.name", "maxLength", 253),
    ("env[].valueFrom.secretKeyRef.key", "maxLength", 253),
    ("env[].valueFrom.secretKeyRef.name", "maxLength", 253),
    ("env[].valueFrom.fieldRef.apiVersion", "maxLength", 16),
    ("env[].valueFrom.fieldRef.fieldPath", "maxLength", 512),
    ("env[].valueFrom.resourceFieldRef.containerName", "maxLength", 63),
    ("env[].valueFrom.resourceFieldRef.resource", "maxLength", 253),
    ("envFrom[].configMapRef.name", "maxLength", 253),
    ("envFrom[].secretRef.name", "maxLength", 253),
    ("envFrom[].prefix", "maxLength", 256),
    ("resources.limits", "maxProperties", 32),
    ("resources.requests", "maxProperties", 32),
    ("resources.claims", "maxItems", 16),
    ("resources.claims[].name", "maxLength", 63),
    ("resources.claims[].request", "maxLength", 63),
];

/// Adds the bounds to the schema of `spec`.
pub(super) fn add(spec: &mut Value) {
    for (path, keyword, bound) in OF_A_POD {
        if let Some(field) = field(spec, &format!("run.{path}")) {
            field[keyword] = json!(bound);
        }
    }
    bound_quantities(spec);
    let run = "spec.run must contain at most 32 KiB of text in total: put long values into a Secret or ConfigMap, and name it in spec.run.envFrom or spec.run.volumes";
    let build =
        "spec.build must contain at most 16 KiB of text in total: put long values into files of the source";
    for (section, most, message) in [("run", RUN_TEXT, run), ("build", BUILD_TEXT, build)] {
        let Some(section) = field(spec, section) else { continue };
        let Some(text) = bytes(section, "self", 0) else { continue };
        let rule = json!({ "rule": format!("{text} <= {most}"), "message": message });
        match section["x-kubernetes-validations"].as_array_mut() {
            Some(rules) => rules.push(rule),
            None => section["x-kubernetes-validations"] = json!([rule]),
        }
    }
}

fn bound_quantities(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("x-kubernetes-int-or-string") == Some(&json!(true)) {
                fields.insert("maxLength".to_owned(), json!(QUANTITY));
            }
            fields.values_mut().for_each(bound_quantities);
        }
        Value::Array(items) => items.iter_mut().for_each(bound_quantities),
        _ => {}
    }
}

/// The schema of the field at `path`: `a.b` is a property, `a[]` the items of an array.
fn field<'a>(schema: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(schema, |schema, part| {
        let (name, items) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
        let field = schema.get_mut("properties")?.get_mut(name)?;
        if items { field.get_mut("items") } else { Some(field) }
    })
}

/// A CEL expression for the number of bytes of text in the value `at`: strings and the keys of maps. `None` if it can have
/// none. So a field that is added later counts too.
fn bytes(schema: &Value, at: &str, depth: usize) -> Option<String> {
    let each = format!("v{depth}");
    match schema["type"].as_str()? {
        "string" => schema.get("enum").is_none().then(|| format!("bytes({at}).size()")),
        "array" => {
            let of_one = bytes(&schema["items"], &each, depth + 1)?;
            Some(format!("{at}.map({each}, {of_one}).sum()"))
        }
        "object" => match (schema.get("additionalProperties"), schema["properties"].as_object()) {
            (Some(values), _) => {
                let of_one = bytes(values, &format!("{at}[{each}]"), depth + 1);
                let of_one = of_one.iter().flat_map(|of_one| [" + ", of_one]).collect::<String>();
                Some(format!("{at}.map({each}, bytes({each}).size(){of_one}).sum()"))
            }
            (None, Some(fields)) => {
                let required = |name: &String| {
                    schema["required"].as_array().is_some_and(|names| names.iter().any(|there| there == name))
                };
                let sums: Vec<String> = fields
                    .iter()
                    .filter_map(|(name, schema)| {
                        let at = format!("{at}.{name}");
                        let of_one = bytes(schema, &at, depth)?;
                        if required(name) {
                            return Some(of_one);
                        }
                        let there = if schema["nullable"] == true {
                            format!("has({at}) && dyn({at}) != null") // A null counts as set.
                        } else {
                            format!("has({at})")
                        };
                        Some(format!("({there} ? {of_one} : 0)"))
                    })
                    .collect();
                (!sums.is_empty()).then(|| format!("({})", sums.join(" + ")))
            }
            (None, None) => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_counted_at_any_depth_and_enums_and_numbers_are_not() {
        let text = json!({ "type": "string" });
        let fields = json!({
            "kind": { "type": "string", "enum": ["A"] },
            "list": { "type": "array", "items": text },
            "map": { "type": "object", "additionalProperties": text },
            "number": { "type": "integer" },
            "word": { "type": "string", "nullable": true },
        });
        assert_eq!(
            bytes(&json!({ "type": "object", "properties": fields }), "self", 0).unwrap(),
            "((has(self.list) ? self.list.map(v0, bytes(v0).size()).sum() : 0) + \
             (has(self.map) ? self.map.map(v0, bytes(v0).size() + bytes(self.map[v0]).size()).sum() : 0) + \
             (has(self.word) && dyn(self.word) != null ? bytes(self.word).size() : 0))",
        );
        assert_eq!(bytes(&json!({ "type": "object", "properties": {} }), "self", 0), None);
    }
}
