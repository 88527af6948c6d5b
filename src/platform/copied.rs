//! Which labels and annotations the operator copies from a `ProjectDeployment` to its children, for policies that
//! require them. It never copies those by which tools track objects, because a tool would mistake a child for an object
//! of its own.

use std::collections::BTreeMap;
use std::str::FromStr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use crate::crd::pods::Copied;

/// The platform owner's choice, as the chart's `copyMetadata` writes it (JSON).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Copy {
    /// Labels to copy: whole keys, prefixes that end in `/`, and `*` for every key without a prefix.
    pub labels: Vec<String>,
    /// Annotations to copy, in the same form.
    pub annotations: Vec<String>,
}

impl Default for Copy {
    fn default() -> Self {
        Self { labels: vec!["*".to_owned()], annotations: vec![] }
    }
}

impl FromStr for Copy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

/// Domains whose keys, and those of their subdomains, belong to a tool, to Kubernetes or to this operator.
const NEVER: [&str; 9] = [
    "doce.dev",
    "kubernetes.io",
    "k8s.io",
    "argoproj.io",
    "fluxcd.io",
    "helm.sh",
    "cattle.io",
    "weave.works",
    "velero.io",
];

/// Keys without a prefix by which Services and other controllers select pods.
const SELECTS: [&str; 12] = [
    "app",
    "name",
    "component",
    "tier",
    "role",
    "release",
    "version",
    "k8s-app",
    "job-name",
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
];

/// Longest value to copy, in bytes.
const MAX_VALUE: usize = 4096;

/// Maximum number of labels, and of annotations, to copy.
const MAX_KEYS: usize = 32;

impl Copy {
    /// The labels and annotations of `metadata` to copy.
    #[must_use]
    pub fn of(&self, metadata: &ObjectMeta) -> Copied {
        let chosen = |rules: &[String], there: &Option<BTreeMap<String, String>>| {
            let pairs = there.iter().flatten();
            let copied = pairs.filter(|(key, value)| is_chosen(rules, key) && value.len() <= MAX_VALUE);
            copied.map(|(key, value)| (key.clone(), value.clone())).take(MAX_KEYS).collect()
        };
        Copied {
            labels: chosen(&self.labels, &metadata.labels),
            annotations: chosen(&self.annotations, &metadata.annotations),
        }
    }
}

fn is_chosen(rules: &[String], key: &str) -> bool {
    let prefix = key.split_once('/').map(|(prefix, _)| prefix);
    let named = rules.iter().any(|rule| rule == key);
    let of_a_tool = |prefix: &str| {
        NEVER.iter().any(|domain| {
            prefix == *domain || prefix.strip_suffix(domain).is_some_and(|below| below.ends_with('.'))
        })
    };
    match prefix {
        Some(prefix) if of_a_tool(prefix) => false,
        Some(_) => named || rules.iter().any(|rule| rule.ends_with('/') && key.starts_with(rule.as_str())),
        None => named || rules.iter().any(|rule| rule == "*") && !SELECTS.contains(&key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(rules: &str, keys: &[&str]) -> Vec<String> {
        let labels = keys.iter().map(|key| ((*key).to_owned(), "x".to_owned())).collect();
        let metadata = ObjectMeta { labels: Some(labels), ..ObjectMeta::default() };
        rules.parse::<Copy>().unwrap().of(&metadata).labels.into_keys().collect()
    }

    #[test]
    fn labels_without_a_prefix_are_copied_unless_they_select_pods() {
        let keys = ["team", "cost-center", "app", "example.com/owner", "app.kubernetes.io/instance"];
        assert_eq!(copied("{}", &keys), ["cost-center", "team"]);
        assert_eq!(copied(r#"{"labels": []}"#, &keys), [""; 0]);
        assert_eq!(copied(r#"{"labels": ["app", "example.com/"]}"#, &keys), ["app", "example.com/owner"]);
    }

    #[test]
    fn tracking_labels_of_tools_are_never_copied_even_if_configured() {
        let rules = r#"{"labels": ["*", "argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "app.kubernetes.io/", "doce.dev/", "helm.sh/"]}"#;
        for key in [
            "argocd.argoproj.io/instance",
            "kustomize.toolkit.fluxcd.io/name",
            "app.kubernetes.io/instance",
            "doce.dev/uid",
            "helm.sh/chart",
        ] {
            assert_eq!(copied(rules, &[key]), [""; 0], "{key}");
        }
    }

    #[test]
    fn invalid_settings_are_rejected_at_start() {
        assert!(r#"{"label": ["*"]}"#.parse::<Copy>().unwrap_err().contains("unknown field `label`"));
    }
}
