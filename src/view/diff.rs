//! What differs between two versions: the commit, the image, and how it runs. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::versions::Source;
use crate::desired::names;
use crate::memory::record::Record;
use crate::version::{identity, short};

/// What differs between two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The version before.
    pub from: String,
    /// The version after.
    pub to: String,
    /// The sources, if they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceChange>,
    /// The source is the same, and it is built with other settings.
    pub build_settings_differ: bool,
    /// The images, if they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Change>,
    /// What differs in how it runs: fields of the pod template, `security` and `initCommand`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub run: Vec<Change>,
}

/// Two different sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceChange {
    /// The source before.
    pub from: Source,
    /// The source after.
    pub to: Source,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Path of the field, such as `containers[app].env[COLOUR].value`.
    pub field: String,
    /// Its value before; absent if it was not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// Its value after; absent if it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

impl Difference {
    /// The two versions have the same source, image and way to run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.source.is_none() && self.image.is_none() && self.run.is_empty() && !self.build_settings_differ
    }
}

/// What stands in place of the value of a variable or a header.
const HIDDEN: &str = "(hidden)";

/// What differs between two versions. The values of variables and headers are hidden.
#[must_use]
pub fn difference(from: &Record, to: &Record) -> Difference {
    let mut found = difference_with_values(from, to);
    for change in found.run.iter_mut().filter(|change| is_value(&change.field)) {
        let values = [change.from.as_mut(), change.to.as_mut()];
        values.into_iter().flatten().for_each(|value| *value = json!(HIDDEN));
    }
    found
}

/// Whether a field is the value of a variable or of a header.
fn is_value(field: &str) -> bool {
    [".env[", ".httpHeaders["].iter().any(|list| field.contains(list)) && field.ends_with("].value")
}

/// What differs between two versions, with the values of variables and headers.
#[must_use]
pub fn difference_with_values(from: &Record, to: &Record) -> Difference {
    let (before, after) = (from.source(), to.source());
    let same_content = identity(&before.digest) == identity(&after.digest);
    let source =
        (before.digest != after.digest).then(|| SourceChange { from: before.into(), to: after.into() });
    let image = |record: &Record| record.named_image().map(|image| json!(image.reference));
    let images = Change { field: "image".to_owned(), from: image(from), to: image(to) };
    Difference {
        from: short(&from.facts.version),
        to: short(&to.facts.version),
        source,
        build_settings_differ: same_content && from.facts.key != to.facts.key,
        image: (images.from != images.to).then_some(images),
        run: changes(&run(from), &run(to)),
    }
}

/// Every field of how a version runs, by its path. The name of the version itself is left out.
fn run(record: &Record) -> BTreeMap<String, Value> {
    let mut template = record.facts.template.clone();
    for part in ["labels", "annotations"] {
        if let Some(map) = template["metadata"][part].as_object_mut() {
            map.remove(names::VERSION);
            if map.is_empty() {
                template["metadata"][part].take();
            }
        }
    }
    let mut fields = BTreeMap::new();
    flatten("", &template["spec"], &mut fields);
    flatten("metadata", &template["metadata"], &mut fields);
    flatten("security", &json!(record.facts.security), &mut fields);
    flatten("initCommand", &json!(record.facts.init_command), &mut fields);
    fields
}

/// Writes each leaf with its path. Lists of objects with names use the names, so that an insertion is one change. An object
/// without fields is a leaf: it says that something is there.
fn flatten(path: &str, value: &Value, fields: &mut BTreeMap<String, Value>) {
    match value {
        Value::Null => {}
        Value::Object(map) if map.is_empty() && path.is_empty() => {}
        Value::Object(map) if !map.is_empty() => {
            for (key, below) in map {
                let joined = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&joined, below, fields);
            }
        }
        Value::Array(items) if items.iter().all(|item| item["name"].is_string()) => {
            for item in items {
                let name = item["name"].as_str().unwrap_or_default();
                let mut rest = item.clone();
                if let Some(map) = rest.as_object_mut() {
                    map.remove("name");
                }
                if rest == json!({}) {
                    rest = json!(name);
                }
                flatten(&format!("{path}[{name}]"), &rest, fields);
            }
        }
        Value::Array(items) if items.is_empty() => {}
        leaf => drop(fields.insert(path.to_owned(), leaf.clone())),
    }
}

fn changes(from: &BTreeMap<String, Value>, to: &BTreeMap<String, Value>) -> Vec<Change> {
    let fields: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let change = |field: &String| Change {
        field: field.clone(),
        from: from.get(field).cloned(),
        to: to.get(field).cloned(),
    };
    fields.into_iter().map(change).filter(|change| change.from != change.to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::record::{Facts, ImageFact, SourceFact};

    fn record(version: &str, commit: &str, template: &Value) -> Record {
        Record {
            facts: Facts {
                version: version.repeat(32),
                key: Some(format!("key-{commit}")),
                source: SourceFact { digest: commit.repeat(20), ..SourceFact::default() },
                template: template.clone(),
                ..Facts::default()
            },
            image: Some(ImageFact { reference: format!("r/app@sha256:{commit}"), ..ImageFact::default() }),
            ..Record::default()
        }
    }

    fn template(env: &Value, version: &str) -> Value {
        json!({
            "metadata": { "annotations": { "doce.dev/version": version } },
            "spec": { "containers": [{ "name": "app", "env": env }], "volumes": [] },
        })
    }

    #[test]
    fn versions_of_one_commit_differ_only_in_the_fields_that_were_edited() {
        let before = json!([{ "name": "PORT", "value": "8080" }, { "name": "COLOUR", "value": "red" }]);
        let after = json!([{ "name": "NEW", "value": "1" }, { "name": "PORT", "value": "8080" }, { "name": "COLOUR", "value": "blue" }]);
        let from = record("aa", "01", &template(&before, "aa"));
        let to = record("bb", "01", &template(&after, "bb"));
        let found = difference_with_values(&from, &to);
        assert_eq!((found.from.as_str(), found.to.as_str()), ("vaaaaaaaa", "vbbbbbbbb"));
        assert!(found.source.is_none() && found.image.is_none() && !found.build_settings_differ);
        let fields: Vec<&str> = found.run.iter().map(|change| change.field.as_str()).collect();
        assert_eq!(fields, ["containers[app].env[COLOUR].value", "containers[app].env[NEW].value"]);
        assert_eq!(found.run[0].from, Some(json!("red")));
        assert_eq!(found.run[1].from, None, "it was not set");
        assert!(difference(&from, &from).is_empty());
        let hidden = difference(&from, &to).run;
        assert_eq!(hidden[0].field, "containers[app].env[COLOUR].value");
        assert_eq!((&hidden[0].from, &hidden[0].to), (&Some(json!("(hidden)")), &Some(json!("(hidden)"))));
        assert_eq!((&hidden[1].from, &hidden[1].to), (&None, &Some(json!("(hidden)"))));
    }

    #[test]
    fn items_that_have_only_a_name_and_objects_without_fields_differ_too() {
        let with = |spec: &Value| record("aa", "01", &json!({ "metadata": {}, "spec": spec }));
        let fields = |from: &Value, to: &Value| -> Vec<String> {
            difference(&with(from), &with(to)).run.into_iter().map(|change| change.field).collect()
        };
        let secret = |name: &str| json!({ "imagePullSecrets": [{ "name": name }] });
        assert_eq!(fields(&secret("a"), &secret("b")), ["imagePullSecrets[a]", "imagePullSecrets[b]"]);
        let volume = json!({ "volumes": [{ "name": "tmp", "emptyDir": {} }] });
        assert_eq!(fields(&json!({}), &volume), ["volumes[tmp].emptyDir"]);
        assert!(fields(&volume, &volume).is_empty());
    }

    #[test]
    fn the_name_of_the_version_is_no_difference() {
        let labelled = record("aa", "01", &template(&json!([]), "aa"));
        let bare = record("bb", "01", &json!({ "metadata": {}, "spec": template(&json!([]), "")["spec"] }));
        assert!(difference(&labelled, &bare).run.is_empty());
    }

    #[test]
    fn values_of_headers_are_hidden() {
        let with = |value: &str| {
            let headers = json!([{ "name": "Authorization", "value": value }]);
            let probe = json!({ "httpGet": { "httpHeaders": headers } });
            let spec = json!({ "containers": [{ "name": "app", "livenessProbe": probe }] });
            record("aa", "01", &json!({ "metadata": {}, "spec": spec }))
        };
        let found = difference(&with("one"), &with("two")).run;
        assert_eq!(found[0].field, "containers[app].livenessProbe.httpGet.httpHeaders[Authorization].value");
        assert_eq!(found[0].to, Some(json!("(hidden)")));
    }

    #[test]
    fn another_commit_is_another_source_and_image_and_not_other_build_settings() {
        let template = template(&json!([]), "aa");
        let found = difference(&record("aa", "01", &template), &record("bb", "02", &template));
        let source = found.source.unwrap();
        assert_eq!((source.from.short_digest(), source.to.short_digest()), ("0101010", "0202020"));
        assert!(found.image.is_some() && found.run.is_empty() && !found.build_settings_differ);
    }

    #[test]
    fn the_same_commit_with_another_build_key_has_other_build_settings() {
        let template = template(&json!([]), "aa");
        let mut other = record("bb", "01", &template);
        other.facts.key = Some("another".to_owned());
        let found = difference(&record("aa", "01", &template), &other);
        assert!(found.build_settings_differ && found.source.is_none());
    }
}
