//! The nodes that may run the pods of builds and image cleanups, and their priority. All of these pods run our binary,
//! so they need a node of Linux and of an architecture that the operator's image has.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::platform::Platform;

/// The label of nodes with their operating system.
pub const OS_LABEL: &str = "kubernetes.io/os";

/// The label of nodes with their architecture.
pub const ARCHITECTURE_LABEL: &str = "kubernetes.io/arch";

/// The spec of a pod with the nodes that the platform allows for it, and with its priority.
#[must_use]
pub fn placed(platform: &Platform, mut spec: Value) -> Value {
    let pods = &platform.build_pods;
    spec["nodeSelector"] = json!(on_linux(&pods.node_selector));
    spec["tolerations"] = json!(pods.tolerations);
    if !platform.architectures.is_empty() {
        let rule = json!({ "key": ARCHITECTURE_LABEL, "operator": "In", "values": platform.architectures });
        spec["affinity"] = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchExpressions": [rule] }],
        }}});
    }
    if let Some(class) = pods.priority_class() {
        spec["priorityClassName"] = json!(class);
    }
    spec
}

fn on_linux(selector: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut selector = selector.clone();
    selector.insert(OS_LABEL.to_owned(), "linux".to_owned());
    selector
}
