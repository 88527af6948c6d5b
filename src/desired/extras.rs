//! Pod metadata that is not part of a version: labels and annotations copied from the project, and the annotation of
//! `kubectl rollout restart`. A change restarts no pod: running and kept ReplicaSets keep their metadata, and the next
//! rollout gets the current one.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Value, json};

use super::names;
use crate::crd::pods::Copied;

/// Labels and annotations of pods that are not part of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl Extras {
    /// Extras for new pods: what the project copies now. kubectl's annotation on the template in place stays: it does
    /// no harm, and its removal costs a request.
    #[must_use]
    pub fn fresh(copied: &Copied, in_place: &Self) -> Self {
        let Copied { labels, annotations } = copied.clone();
        let keys: Vec<String> = labels.keys().chain(annotations.keys()).cloned().collect();
        let mut annotations = annotations;
        if !keys.is_empty() {
            annotations.insert(names::COPIED.to_owned(), keys.join(" "));
        }
        let restarted = in_place.annotations.get_key_value(names::KUBECTL_RESTARTED);
        annotations.extend(restarted.map(|(key, value)| (key.clone(), value.clone())));
        Self { labels, annotations }
    }

    /// Extras of an existing template.
    #[must_use]
    pub fn there(template: Option<&PodTemplateSpec>) -> Self {
        let Some(metadata) = template.and_then(|template| template.metadata.clone()) else {
            return Self::default();
        };
        let (mut labels, mut annotations) =
            (metadata.labels.unwrap_or_default(), metadata.annotations.unwrap_or_default());
        let keys = annotations.get(names::COPIED).cloned().unwrap_or_default();
        let copied = |key: &String| keys.split(' ').any(|copied| copied == key);
        labels.retain(|key, _| copied(key));
        annotations.retain(|key, _| key == names::COPIED || key == names::KUBECTL_RESTARTED || copied(key));
        Self { labels, annotations }
    }

    /// `kubectl rollout restart` started the pods.
    #[must_use]
    pub fn restarted_by_kubectl(&self) -> bool {
        self.annotations.contains_key(names::KUBECTL_RESTARTED)
    }

    /// Adds the extras to the template of a Deployment before it is applied; the template's own values win.
    pub fn add_to(&self, deployment: &mut Value) {
        let metadata = &mut deployment["spec"]["template"]["metadata"];
        for (kind, extras) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            for (key, value) in extras {
                if metadata[kind][key].is_null() {
                    metadata[kind][key] = json!(value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(pairs: &[(&str, &str)]) -> Copied {
        let labels = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Copied { labels, ..Copied::default() }
    }

    fn deployment() -> Value {
        json!({ "spec": { "template": { "metadata": { "labels": { "team": "of run.podLabels" }, "annotations": {} } } } })
    }

    #[test]
    fn metadata_set_at_pod_start_is_read_back_without_additions_of_others() {
        let fresh = Extras::fresh(&copied(&[("owner", "ann"), ("team", "blue")]), &Extras::default());
        let mut whole = deployment();
        fresh.add_to(&mut whole);
        let metadata = &mut whole["spec"]["template"]["metadata"];
        assert_eq!(metadata["labels"], json!({ "owner": "ann", "team": "of run.podLabels" }));
        metadata["labels"]["mesh"] = json!("in");
        metadata["annotations"][names::KUBECTL_RESTARTED] = json!("now");
        let template: PodTemplateSpec = serde_json::from_value(whole["spec"]["template"].clone()).unwrap();
        let there = Extras::there(Some(&template));
        assert!(there.restarted_by_kubectl() && !fresh.restarted_by_kubectl());
        assert!(!there.labels.contains_key("mesh"));
        let mut again = deployment();
        there.add_to(&mut again);
        assert_eq!(again["spec"]["template"]["metadata"]["labels"]["owner"], "ann");
        // The next version gets what the project copies then, and keeps kubectl's annotation.
        let next = Extras::fresh(&copied(&[("owner", "bob")]), &there);
        assert!(
            next.restarted_by_kubectl() && next.labels["owner"] == "bob" && !next.labels.contains_key("team")
        );
        assert_eq!(Extras::there(None), Extras::default());
    }
}
