//! The resource `ProjectDeployment` (`doce.dev/v1alpha1`): what users write ([`spec`]) and read ([`status`]).
//!
//! It holds only types and their validation, no behaviour. `kubectl explain` prints the descriptions, so they address
//! the user who writes the field.
#![allow(
    rustdoc::bare_urls,
    rustdoc::invalid_html_tags,
    reason = "kubectl explain prints these texts unchanged"
)]

pub mod annotations;
pub mod bounds;
pub mod build;
pub mod conditions;
pub mod expose;
pub mod field_managers;
pub mod health;
pub mod init_command;
pub mod output;
pub mod pods;
pub mod run;
pub mod source;
pub mod spec;
pub mod status;
pub mod stop;
pub mod volumes;

use kube::CustomResourceExt;
pub use spec::{ProjectDeployment, ProjectDeploymentSpec};
pub use status::ProjectDeploymentStatus;

/// Group of the resource and prefix of every label and annotation.
pub const GROUP: &str = "doce.dev";

/// The CustomResourceDefinition as YAML, as `doce-operator crd` prints it and `crds/` holds it.
pub fn yaml() -> Result<String, serde_yaml::Error> {
    let mut crd = serde_yaml::to_value(definition())?;
    prune_nulls(&mut crd);
    serde_yaml::to_string(&crd)
}

/// The CustomResourceDefinition with what the derive macro cannot express. `status` has a default with
/// `observedGeneration: -1`, so that clients do not mistake a new object for a ready one.
pub fn definition()
-> k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition {
    let mut crd = ProjectDeployment::crd();
    let whole = serde_json::to_value(&crd).ok().map(quantities).map(|mut whole| {
        for version in whole["spec"]["versions"].as_array_mut().into_iter().flatten() {
            bounds::add(&mut version["schema"]["openAPIV3Schema"]["properties"]["spec"]);
        }
        whole
    });
    if let Some(whole) = whole.and_then(|whole| serde_json::from_value(whole).ok()) {
        crd = whole;
    }
    for version in &mut crd.spec.versions {
        let Some(root) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) else {
            continue;
        };
        let Some(status) = root.properties.as_mut().and_then(|properties| properties.get_mut("status"))
        else {
            continue;
        };
        let fresh = serde_json::json!({ "observedGeneration": -1 });
        status.default =
            Some(k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSON(fresh));
    }
    crd
}

/// Allows whole numbers as quantities, as in a Pod (`cpu: 1`), and shortens their description to one line.
fn quantities(mut schema: serde_json::Value) -> serde_json::Value {
    match &mut schema {
        serde_json::Value::Object(map) => {
            let is_quantity = map
                .get("description")
                .and_then(serde_json::Value::as_str)
                .is_some_and(|text| text.starts_with("Quantity is a fixed-point representation"));
            if is_quantity {
                map.remove("type");
                map.insert("description".to_owned(), "An amount such as 500m, 2, 512Mi or 1.5Gi.".into());
                map.insert("x-kubernetes-int-or-string".to_owned(), true.into());
            }
            for below in map.values_mut() {
                *below = quantities(below.take());
            }
        }
        serde_json::Value::Array(items) => {
            for below in items {
                *below = quantities(below.take());
            }
        }
        _ => {}
    }
    schema
}

fn prune_nulls(value: &mut serde_yaml::Value) {
    match value {
        serde_yaml::Value::Mapping(map) => {
            let nulls: Vec<_> = map.iter().filter(|(_, v)| v.is_null()).map(|(k, _)| k.clone()).collect();
            for key in nulls {
                map.remove(&key);
            }
            map.iter_mut().for_each(|(_, child)| prune_nulls(child));
        }
        serde_yaml::Value::Sequence(items) => items.iter_mut().for_each(prune_nulls),
        _ => {}
    }
}
