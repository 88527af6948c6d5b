//! What our Jobs pass to their pods in environment variables, and how to read it.

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

use crate::platform::Platform;
use crate::protocol::order::{CA_BUNDLE_ENV, ORDER_ENV};

/// The variables that a pod needs to reach hosts outside: the CA certificates of the platform for our own program, and its
/// proxies for every program.
pub fn outside(platform: &Platform) -> impl Iterator<Item = Value> {
    let ca = Some((CA_BUNDLE_ENV, platform.ca_bundle.clone())).filter(|(_, bundle)| !bundle.is_empty());
    let variables = ca.into_iter().chain(platform.proxies.variables());
    variables.map(|(name, value)| json!({ "name": name, "value": value }))
}

/// The value of a variable in its containers.
#[must_use]
pub fn told<'a>(job: &'a Job, variable: &str) -> Option<&'a str> {
    let containers = &job.spec.as_ref()?.template.spec.as_ref()?.containers;
    let mut env = containers.iter().flat_map(|container| container.env.iter().flatten());
    env.find(|there| there.name == variable)?.value.as_deref()
}

/// The repository that a build Job pushes to, with its registry; `None` if it cannot be read.
pub fn repository(build: &Job) -> Option<String> {
    // Not parsed as an `Order`: older and newer releases have other fields.
    let order: Value = serde_json::from_str(told(build, ORDER_ENV)?).ok()?;
    order["repository"].as_str().map(str::to_owned)
}
