//! A manifest of a project: read from a file, made from a project of the cluster, written to a file.

use std::io::Read as _;

use kube::ResourceExt as _;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::crd::ProjectDeployment;

/// Annotation of `kubectl apply`, which repeats the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A manifest of one project.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Manifest {
    /// Name of the project.
    pub(super) name: String,
    /// The object as written.
    pub(super) value: Value,
}

impl Manifest {
    /// The manifest of a new project.
    pub(in crate::cli) fn new(name: String, spec: &Value) -> Self {
        let value = json!({
            "apiVersion": "doce.dev/v1alpha1",
            "kind": "ProjectDeployment",
            "metadata": { "name": name },
            "spec": spec,
        });
        Self { name, value }
    }

    /// Reads the projects of a file with YAML or JSON documents; `-` is standard input.
    pub(super) fn read(path: &str, namespace: &str) -> Result<Vec<Self>, Failure> {
        let text = if path == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            std::fs::read_to_string(path)
        };
        Self::parse(path, &text.map_err(|error| Failure::file(path, &error))?, namespace)
    }

    fn parse(path: &str, text: &str, namespace: &str) -> Result<Vec<Self>, Failure> {
        let mut manifests = vec![];
        for document in serde_yaml::Deserializer::from_str(text) {
            let value = Value::deserialize(document)
                .map_err(|error| Failure::error(format!("{path} is no YAML or JSON: {error}")))?;
            if value.is_null() {
                continue;
            }
            manifests.push(Self::check(path, value, namespace)?);
        }
        if manifests.is_empty() {
            return Err(Failure::error(format!("{path} contains no ProjectDeployment")));
        }
        Ok(manifests)
    }

    fn check(path: &str, value: Value, namespace: &str) -> Result<Self, Failure> {
        let kind = value["kind"].as_str().unwrap_or("nothing");
        let version = value["apiVersion"].as_str().unwrap_or_default();
        if kind != "ProjectDeployment" || !version.starts_with("doce.dev/") {
            return Err(Failure::error(format!(
                "{path} contains {kind} of {version:?}. This command applies ProjectDeployments of doce.dev/v1alpha1; apply the rest with kubectl apply -f {path}"
            )));
        }
        let Some(name) = value["metadata"]["name"].as_str().map(str::to_owned) else {
            return Err(Failure::error(format!("{path}: a ProjectDeployment lacks metadata.name")));
        };
        match value["metadata"]["namespace"].as_str() {
            Some(other) if other != namespace => Err(Failure::error(format!(
                "{path}: metadata.namespace of {name} is {other}, and this command works in {namespace}. Repeat it with -n {other}"
            ))),
            _ => Ok(Self { name, value }),
        }
    }

    /// The manifest of a project: what a person wrote, without status and without fields of the cluster.
    pub(in crate::cli) fn of(object: &ProjectDeployment, with_namespace: bool) -> Self {
        let name = object.name_any();
        let keep = |map: &std::collections::BTreeMap<String, String>| {
            let kept = map.iter().filter(|(key, _)| *key != LAST_APPLIED && !key.starts_with("doce.dev/"));
            let kept: serde_json::Map<String, Value> =
                kept.map(|(key, value)| (key.clone(), json!(value))).collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        };
        let mut metadata = json!({ "name": name });
        if let Some(namespace) = object.namespace().filter(|_| with_namespace) {
            metadata["namespace"] = json!(namespace);
        }
        if let Some(labels) = object.metadata.labels.as_ref().and_then(keep) {
            metadata["labels"] = labels;
        }
        if let Some(annotations) = object.metadata.annotations.as_ref().and_then(keep) {
            metadata["annotations"] = annotations;
        }
        let value = json!({
            "apiVersion": "doce.dev/v1alpha1",
            "kind": "ProjectDeployment",
            "metadata": metadata,
            "spec": without_defaults(json!(object.spec)),
        });
        Self { name, value }
    }

    /// The manifest as an object.
    pub(in crate::cli) fn value(&self) -> &Value {
        &self.value
    }

    /// The manifest as YAML.
    pub(in crate::cli) fn text(&self) -> Result<String, Failure> {
        serde_yaml::to_string(&self.value)
            .map_err(|error| Failure::error(format!("cannot write the manifest: {error}")))
    }

    /// Writes manifests to a file, as documents of one YAML stream.
    pub(super) fn save(manifests: &[Self], path: &str) -> Result<(), Failure> {
        let texts: Result<Vec<String>, Failure> = manifests.iter().map(Self::text).collect();
        std::fs::write(path, texts?.join("---\n")).map_err(|error| Failure::file(path, &error))
    }
}

/// The spec without the values that the API server fills in: a manifest says only what a person chose.
fn without_defaults(mut spec: Value) -> Value {
    // A spec that says nothing but its source has every default.
    let bare: Result<crate::crd::ProjectDeploymentSpec, _> =
        serde_json::from_value(json!({ "source": spec["source"] }));
    if let Ok(bare) = bare {
        subtract(&mut spec, &json!(bare), true);
    }
    spec
}

/// Removes what is the same in both. The source always stays.
fn subtract(spec: &mut Value, bare: &Value, is_root: bool) {
    let (Some(map), Some(bare)) = (spec.as_object_mut(), bare.as_object()) else { return };
    map.retain(|key, value| {
        if is_root && key == "source" {
            return true;
        }
        match bare.get(key) {
            Some(same) if same == value => false,
            Some(same) => {
                subtract(value, same, false);
                true
            }
            None => !value.is_null(),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exported_manifest_says_only_what_a_person_chose() {
        let object: ProjectDeployment = serde_json::from_value(json!({
            "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
            "metadata": {
                "name": "shop", "namespace": "team", "uid": "u", "resourceVersion": "7",
                "labels": { "team": "a" },
                "annotations": { "doce.dev/rollback": "previous@1", LAST_APPLIED: "{}", "note": "b" },
                "managedFields": [],
            },
            "spec": {
                "source": { "git": { "url": "https://git.test/shop.git" } }, "replicas": 2, "state": "Running",
                "rollout": { "deadlineSeconds": 60, "minReadySeconds": 10 },
            },
            "status": { "observedGeneration": 1 },
        }))
        .unwrap();
        let manifest = Manifest::of(&object, false);
        assert_eq!(
            manifest.value,
            json!({
                "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
                "metadata": { "name": "shop", "labels": { "team": "a" }, "annotations": { "note": "b" } },
                "spec": {
                    "source": { "git": { "url": "https://git.test/shop.git" } }, "replicas": 2,
                    "rollout": { "deadlineSeconds": 60 },
                },
            })
        );
        let read = Manifest::parse("x", &manifest.text().unwrap(), "team").unwrap();
        assert_eq!(read, [manifest], "it can be applied again");
    }

    #[test]
    fn every_manifest_of_a_file_is_saved() {
        let of = |name: &str| {
            let value = json!({
                "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "metadata": { "name": name },
            });
            Manifest { name: name.to_owned(), value }
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.yaml").display().to_string();
        Manifest::save(&[of("a"), of("b")], &path).unwrap();
        assert_eq!(Manifest::read(&path, "team").unwrap(), [of("a"), of("b")]);
    }

    #[test]
    fn a_file_with_something_else_is_rejected_with_the_way_out() {
        let other = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";
        let elsewhere =
            "apiVersion: doce.dev/v1alpha1\nkind: ProjectDeployment\nmetadata: {name: a, namespace: b}\n";
        for (text, says) in [
            (other, "kubectl apply -f x"),
            (elsewhere, "Repeat it with -n b"),
            ("", "contains no ProjectDeployment"),
            ("a: [", "is no YAML or JSON"),
        ] {
            let failure = Manifest::parse("x", text, "team").unwrap_err();
            assert!(failure.message.contains(says), "{}", failure.message);
        }
    }
}
