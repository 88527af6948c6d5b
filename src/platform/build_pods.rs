//! The platform owner's settings of build pods: their resources, their nodes, and the maximum that a project may
//! request.

use std::collections::BTreeMap;
use std::str::FromStr;

use k8s_openapi::api::core::v1::{ResourceRequirements, Toleration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Deserialize;

use crate::crd::spec::{BuildResources, CpuAndMemory};
use crate::quantity::{exceeds, nanos};

/// Settings of every build pod, as the chart's `build` writes them (JSON).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BuildPods {
    /// Requests and limits of a build whose project sets none.
    pub resources: Amounts,
    /// Requests and limits of a build pod whose BuildKit runs in a builder pod.
    pub client_resources: Amounts,
    /// Labels of the nodes that may run builds.
    pub node_selector: BTreeMap<String, String>,
    /// Tolerations of build pods.
    pub tolerations: Vec<Toleration>,
    /// Priority class of the pods. Empty: the cluster's default.
    pub priority_class_name: String,
    /// Labels of the pods in addition to the operator's own, which take precedence.
    pub labels: BTreeMap<String, String>,
    /// Maximum that a project may request.
    pub max_resources: CpuAndMemory,
    /// Longest `spec.build.timeoutSeconds`.
    pub max_timeout_seconds: i64,
}

/// Requests and limits by the name of the resource.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Amounts {
    /// What the scheduler reserves.
    pub requests: BTreeMap<String, Quantity>,
    /// What a pod may use at most.
    pub limits: BTreeMap<String, Quantity>,
}

impl Default for BuildPods {
    fn default() -> Self {
        let of = |list: &[(&str, &str)]| {
            list.iter().map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned()))).collect()
        };
        Self {
            resources: Amounts {
                requests: of(&[("cpu", "100m"), ("memory", "256Mi"), ("ephemeral-storage", "0")]),
                limits: of(&[("memory", "4Gi"), ("ephemeral-storage", "20Gi")]),
            },
            client_resources: Amounts {
                requests: of(&[("cpu", "50m"), ("memory", "64Mi"), ("ephemeral-storage", "0")]),
                limits: of(&[("memory", "1Gi"), ("ephemeral-storage", "10Gi")]),
            },
            node_selector: BTreeMap::new(),
            tolerations: vec![],
            priority_class_name: String::new(),
            labels: BTreeMap::new(),
            max_resources: CpuAndMemory::default(),
            max_timeout_seconds: 7200,
        }
    }
}

impl FromStr for BuildPods {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pods: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let ceiling = [("cpu", &pods.max_resources.cpu), ("memory", &pods.max_resources.memory)];
        let ceiling = ceiling.into_iter().filter_map(|(name, amount)| Some((name, amount.as_ref()?)));
        let amounts = [&pods.resources, &pods.client_resources];
        let amounts = amounts.into_iter().flat_map(|amounts| amounts.requests.iter().chain(&amounts.limits));
        let amounts = amounts.map(|(name, amount)| (name.as_str(), amount));
        let wrong = amounts.chain(ceiling).find(|(_, amount)| nanos(amount).is_none());
        if let Some((name, amount)) = wrong {
            return Err(format!("{name}: {:?} is not an amount such as 500m or 2Gi", amount.0));
        }
        Ok(pods)
    }
}

impl BuildPods {
    /// Priority class of the pods; none for the cluster's default.
    #[must_use]
    pub fn priority_class(&self) -> Option<&str> {
        Some(self.priority_class_name.as_str()).filter(|name| !name.is_empty())
    }

    /// Message to the user if a project requests more than the maximum; none otherwise.
    #[must_use]
    pub fn refusal(&self, wish: Option<&BuildResources>) -> Option<String> {
        let wish = wish?;
        let wished = [("requests", wish.requests.as_ref()), ("limits", wish.limits.as_ref())];
        let wished = wished.into_iter().filter_map(|(kind, amounts)| Some((kind, amounts?)));
        let mut each = wished.flat_map(|(kind, amounts)| {
            let Self { max_resources: most, .. } = self;
            [("cpu", &amounts.cpu, &most.cpu), ("memory", &amounts.memory, &most.memory)]
                .map(|(name, amount, most)| (kind, name, amount.as_ref(), most.as_ref()))
        });
        each.find_map(|(kind, name, amount, most)| {
            let (amount, most) = amount.zip(most).filter(|(amount, most)| exceeds(amount, most))?;
            Some(format!(
                "spec.build.resources.{kind}.{name} is {}, but this platform allows a build at most {}: lower it, or \
                 ask the platform owner to raise build.maxResources.{name} of the chart",
                amount.0, most.0
            ))
        })
    }

    /// Message to the user if a build may take longer than the maximum; none otherwise.
    #[must_use]
    pub fn timeout_refusal(&self, seconds: i64) -> Option<String> {
        let most = self.max_timeout_seconds;
        (seconds > most).then(|| {
            format!(
                "spec.build.timeoutSeconds is {seconds}, but this platform allows a build at most {most}: lower it, or ask the \
                 platform owner to raise build.maxTimeoutSeconds of the chart"
            )
        })
    }

    /// Resources of the containers of a build. An amount of the project replaces that of the platform. If the request
    /// is then above the limit, the one that the project did not set follows.
    #[must_use]
    pub fn resources(&self, wish: Option<&BuildResources>) -> ResourceRequirements {
        let Amounts { mut requests, mut limits } = self.resources.clone();
        let empty = CpuAndMemory::default();
        let asked = wish.and_then(|wish| wish.requests.as_ref()).unwrap_or(&empty);
        let bound = wish.and_then(|wish| wish.limits.as_ref()).unwrap_or(&empty);
        for (name, request, limit) in
            [("cpu", &asked.cpu, &bound.cpu), ("memory", &asked.memory, &bound.memory)]
        {
            requests.extend(request.clone().map(|amount| (name.to_owned(), amount)));
            limits.extend(limit.clone().map(|amount| (name.to_owned(), amount)));
            let (Some(least), Some(most)) = (requests.get_mut(name), limits.get_mut(name)) else { continue };
            if exceeds(least, most) && limit.is_some() {
                *least = most.clone();
            } else if exceeds(least, most) {
                *most = least.clone();
            }
        }
        requirements(requests, limits)
    }

    /// Resources of the containers of a build pod whose BuildKit runs in a builder pod.
    #[must_use]
    pub fn client_resources(&self) -> ResourceRequirements {
        let Amounts { requests, limits } = self.client_resources.clone();
        requirements(requests, limits)
    }
}

fn requirements(
    requests: BTreeMap<String, Quantity>,
    limits: BTreeMap<String, Quantity>,
) -> ResourceRequirements {
    let some = |amounts: BTreeMap<String, Quantity>| Some(amounts).filter(|amounts| !amounts.is_empty());
    ResourceRequirements { requests: some(requests), limits: some(limits), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pods() -> BuildPods {
        r#"{"resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}},
            "maxResources": {"cpu": 2, "memory": "4Gi"}}"#
            .parse()
            .unwrap()
    }

    fn wish(wish: serde_json::Value) -> BuildResources {
        serde_json::from_value(wish).unwrap()
    }

    #[test]
    fn a_requested_amount_replaces_the_default_and_adjusts_its_counterpart() {
        let given = |wished| serde_json::to_value(pods().resources(Some(&wish(wished)))).unwrap();
        let least = json!({ "cpu": "100m", "memory": "256Mi" });
        assert_eq!(given(json!({})), json!({ "requests": least, "limits": { "memory": "2Gi" } }));
        let more = given(json!({ "limits": { "memory": "3Gi", "cpu": 1 } }));
        assert_eq!(more, json!({ "requests": least, "limits": { "memory": "3Gi", "cpu": "1" } }));
        let little = given(json!({ "limits": { "memory": "64Mi" } }));
        assert_eq!(little["requests"]["memory"], "64Mi", "Kubernetes rejects a request above its limit");
        let much = given(json!({ "requests": { "memory": "3Gi" } }));
        assert_eq!((&much["requests"]["memory"], &much["limits"]["memory"]), (&json!("3Gi"), &json!("3Gi")));
    }

    #[test]
    fn an_amount_above_the_maximum_is_rejected_with_the_field_and_the_fix() {
        let refused = |wished| pods().refusal(Some(&wish(wished)));
        assert_eq!(refused(json!({ "limits": { "cpu": "2000m", "memory": "4Gi" } })), None);
        let why = refused(json!({ "requests": { "cpu": "1" }, "limits": { "memory": "5Gi" } })).unwrap();
        assert!(why.starts_with("spec.build.resources.limits.memory is 5Gi"), "{why}");
        assert!(why.contains("at most 4Gi") && why.contains("build.maxResources.memory"), "{why}");
        assert_eq!(pods().refusal(None), None);
        assert_eq!(pods().timeout_refusal(7200), None);
        let why = pods().timeout_refusal(7201).unwrap();
        assert!(why.starts_with("spec.build.timeoutSeconds is 7201"), "{why}");
        assert!(why.contains("at most 7200") && why.contains("build.maxTimeoutSeconds"), "{why}");
        assert_eq!(BuildPods::default().refusal(Some(&wish(json!({ "limits": { "cpu": "64" } })))), None);
    }

    #[test]
    fn build_pods_and_builder_pods_have_limits_of_memory_and_disk_by_default() {
        let pods = BuildPods::default();
        for resources in [pods.resources(None), pods.client_resources()] {
            let (requests, limits) = (resources.requests.unwrap(), resources.limits.unwrap());
            assert!(limits.contains_key("memory") && limits.contains_key("ephemeral-storage"), "{limits:?}");
            // Without a request, Kubernetes takes the limit as the request.
            assert!(limits.keys().all(|name| requests.contains_key(name)), "{requests:?}");
        }
    }

    #[test]
    fn invalid_settings_are_rejected_at_start() {
        for (text, named) in [
            (r#"{"resources": {"limits": {"memory": "4GB"}}}"#, "\"4GB\" is not an amount"),
            (r#"{"maxResources": {"cpu": "many"}}"#, "\"many\" is not an amount"),
            (r#"{"nodeselector": {}}"#, "unknown field `nodeselector`"),
        ] {
            let error = text.parse::<BuildPods>().unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
