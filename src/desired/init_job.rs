//! The Job that runs the init command of a version: the version's pod with another command, without probes and ports.
//! The Job never retries; the loop decides what a failure means.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

use super::{meta, names, template};
use crate::memory::record::Record;
use crate::project::Project;

/// Seconds that its pod may wait for a node and an image, in addition to the command's own.
pub const START_SECONDS: i64 = 120;

/// Seconds that Kubernetes keeps the Job and its log after its end.
const KEPT_SECONDS: i32 = 86_400;

/// The Job; `None` if the version has no init command, or no image yet.
#[must_use]
pub fn create(project: &Project, record: &Record, number: u64) -> Option<Result<Job, serde_json::Error>> {
    let command = record.facts.init_command.as_ref()?;
    let mut template = template::complete(record, None, None)?;
    let version = &record.facts.version;
    let mut labels = template::labels(record);
    labels.extend(project.copied.labels.clone());
    labels.extend(meta::labels(project, names::ROLE_INIT));
    template["metadata"]["labels"] = json!(labels);
    run_once(&mut template["spec"], &json!(command.command), command.deadline_seconds);
    let mut metadata =
        meta::dressed(project, &names::init(project, version, number), names::ROLE_INIT, BTreeMap::new());
    metadata.annotations.get_or_insert_default().extend([
        (names::INIT_OF.to_owned(), version.clone()),
        (names::ATTEMPT.to_owned(), number.to_string()),
    ]);
    Some(serde_json::from_value(json!({
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": i64::from(command.deadline_seconds) + START_SECONDS,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            // One pod at a time, even if a node is drained. Only then does Kubernetes start it again.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": { "rules": [
                { "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] },
            ]},
            "template": template,
        },
    })))
}

fn run_once(spec: &mut Value, command: &Value, seconds: i32) {
    spec["restartPolicy"] = json!("Never");
    // The pod's own deadline keeps the pod and its output; the Job's deadline would delete both.
    spec["activeDeadlineSeconds"] = json!(seconds);
    let container = &mut spec["containers"][0];
    container["name"] = json!(names::INIT);
    container["command"] = command.clone();
    if let Some(container) = container.as_object_mut() {
        for field in ["args", "ports", "startupProbe", "readinessProbe", "lifecycle"] {
            container.remove(field);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::init_command::InitCommand;
    use crate::crd::run::BoundedString;
    use crate::memory::record::{Facts, ImageFact};

    fn project() -> Project {
        let object = json!({
            "apiVersion": "doce.dev/v1alpha1",
            "kind": "ProjectDeployment",
            "metadata": { "name": "shop", "namespace": "apps", "uid": "uid-1" },
            "spec": { "source": { "image": { "reference": "r.example/shop:1" } }, "run": {
                "args": ["serve"],
                "env": [{ "name": "DATABASE_URL", "value": "db" }],
                "podLabels": { "team": "blue" },
                "volumes": [{ "name": "data", "mountPath": "/data", "persistentVolumeClaim": { "name": "data" } }],
            }},
        });
        Project::parse(&serde_json::from_value(object).unwrap()).unwrap()
    }

    fn job(uid: i64) -> Value {
        let project = project();
        let words = ["npm", "run", "migrate"].map(|word| BoundedString(word.to_owned())).to_vec();
        let facts = Facts {
            version: "a".repeat(64),
            template: template::render(&project, &"a".repeat(64)),
            init_command: Some(InitCommand { command: words, deadline_seconds: 60 }),
            ..Facts::default()
        };
        let image =
            ImageFact { reference: "r/shop@sha256:1".to_owned(), uid: Some(uid), ..ImageFact::default() };
        let record = Record { facts, image: Some(image), ..Record::default() };
        serde_json::to_value(create(&project, &record, 3).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn the_init_command_runs_with_the_image_environment_and_volumes_of_the_version() {
        let job = job(1000);
        let pod = &job["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        assert_eq!(container["command"], json!(["npm", "run", "migrate"]));
        assert_eq!(container["image"], "r/shop@sha256:1");
        let named = |name: &str| json!({ "name": name, "value": if name == "PORT" { "3000" } else { "db" } });
        assert_eq!(container["env"], json!([named("PORT"), named("DATABASE_URL")]));
        assert_eq!(container["volumeMounts"][0]["mountPath"], "/data");
        assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], "data");
        assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
        for field in ["args", "ports", "startupProbe", "readinessProbe", "lifecycle"] {
            assert_eq!(container[field], Value::Null, "{field} is only for serving pods");
        }
    }

    #[test]
    fn the_init_pod_is_not_selected_by_the_service_and_starts_once() {
        let job = job(1000);
        let labels = &job["spec"]["template"]["metadata"]["labels"];
        assert_eq!((&labels["doce.dev/role"], &labels["team"]), (&json!("init"), &json!("blue")));
        assert_eq!(job["spec"]["backoffLimit"], 0);
        assert_eq!(job["spec"]["template"]["spec"]["restartPolicy"], "Never");
        assert_eq!(job["spec"]["template"]["spec"]["activeDeadlineSeconds"], 60);
        assert_eq!(job["spec"]["activeDeadlineSeconds"], 60 + START_SECONDS);
    }
}
