//! The pod template of a version. It is rendered once, into the record, without the image. A version keeps it, whatever
//! a later release of the operator would render.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::placement::{ARCHITECTURE_LABEL, OS_LABEL};
use super::probe::probe;
use super::security::{self, Means};
use super::{meta, names, volumes};
use crate::memory::record::Record;
use crate::project::Project;
use crate::version::short;

/// Seconds between two startup probes: short, so that a pod serves as soon as it can.
const STARTUP_PERIOD: i32 = 1;

/// The template for the record: everything except the image and what depends on it.
#[must_use]
pub fn render(project: &Project, version: &str) -> Value {
    let run = &project.run;
    let pairs = run.pod_labels.iter().map(|(key, value)| (key.clone(), value.0.clone()));
    let mut labels: BTreeMap<String, String> = pairs.collect();
    labels.extend(meta::labels(project, names::ROLE_APP));
    labels.insert(names::VERSION.to_owned(), short(version));
    let pairs = run.pod_annotations.iter().map(|(key, value)| (key.clone(), value.0.clone()));
    let mut annotations: BTreeMap<String, String> = pairs.collect();
    annotations.insert(names::VERSION.to_owned(), version.to_owned());
    let mut template = json!({
        "metadata": {
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {
            "containers": [container(project)],
            "volumes": volumes::volumes(&run.volumes),
            "imagePullSecrets": run.image_pull_secrets,
            "nodeSelector": { OS_LABEL: "linux" },
            "enableServiceLinks": false,
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": run.stop.grace_seconds + run.stop.drain_seconds,
        },
    });
    if security::is_low(run.port.into()) {
        template["spec"]["securityContext"] = security::low_ports();
    }
    template
}

fn container(project: &Project) -> Value {
    let run = &project.run;
    let mut env = vec![json!({ "name": "PORT", "value": run.port.to_string() })];
    env.extend(run.env.iter().map(|variable| json!(variable)));
    json!({
        "name": names::APP,
        "command": run.command,
        "args": run.args,
        "workingDir": run.working_dir,
        "env": env,
        "envFrom": run.env_from,
        "resources": run.resources,
        "volumeMounts": volumes::mounts(&run.volumes),
        "ports": [{ "name": names::PORT, "containerPort": run.port, "protocol": "TCP" }],
        "startupProbe": probe(&run.health, STARTUP_PERIOD, startup_failures(project)),
        "readinessProbe": probe(&run.health, run.health.period_seconds, 3),
        "lifecycle": drain(run.stop.drain_seconds),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    })
}

/// The pod keeps answering for a while after its termination begins, so no request is lost until all nodes know.
fn drain(seconds: i32) -> Option<Value> {
    (seconds > 0).then(|| json!({ "preStop": { "sleep": { "seconds": seconds } } }))
}

/// Failures that the startup probe allows. Its budget ends slightly before the deadline, so status names a slow start
/// before it is judged.
#[must_use]
pub fn startup_failures(project: &Project) -> i32 {
    ((project.rollout.deadline_seconds - 5) / STARTUP_PERIOD).max(1)
}

/// Labels of the recorded pods that are not ours: `run.podLabels`.
#[must_use]
pub fn labels(record: &Record) -> BTreeMap<String, String> {
    let labels = record.facts.template["metadata"]["labels"].as_object();
    let pairs = labels.into_iter().flatten().filter_map(|(key, value)| Some((key, value.as_str()?)));
    let theirs =
        pairs.filter(|(key, _)| !key.starts_with("doce.dev/") && !key.starts_with("app.kubernetes.io/"));
    theirs.map(|(key, value)| (key.clone(), value.to_owned())).collect()
}

/// The template for the Deployment: the recorded one with the image, the fields that depend on it, the restart stamp,
/// and the startup budget if it differs from the recorded one. `None` if the record has no image yet.
#[must_use]
pub fn complete(record: &Record, stamp: Option<&str>, startup: Option<i32>) -> Option<Value> {
    let image = record.named_image()?;
    let mut template = record.facts.template.clone();
    template["spec"]["containers"][0]["image"] = json!(image.reference);
    let port = template["spec"]["containers"][0]["ports"][0]["containerPort"].as_i64().unwrap_or(0);
    let means = Means { security: record.facts.security, uid: image.uid, low_port: security::is_low(port) };
    template["spec"]["securityContext"] = means.pod(&template["spec"]["securityContext"]);
    if let Some(group) = volumes::group(&template) {
        template["spec"]["securityContext"]["fsGroup"] = group;
        template["spec"]["securityContext"]["fsGroupChangePolicy"] = json!("OnRootMismatch");
    }
    if let Some(context) = means.container() {
        template["spec"]["containers"][0]["securityContext"] = context;
    }
    if let Some((_, architecture)) = image.platform.split_once('/') {
        template["spec"]["nodeSelector"][ARCHITECTURE_LABEL] = json!(architecture.split('/').next());
    }
    let probe = template["spec"]["containers"][0]["startupProbe"].as_object_mut();
    if let Some((probe, failures)) = probe.zip(startup) {
        probe.insert("failureThreshold".to_owned(), json!(failures));
    }
    if let Some(stamp) = stamp {
        template["metadata"]["annotations"][names::RESTARTED] = json!(stamp);
    }
    Some(template)
}
