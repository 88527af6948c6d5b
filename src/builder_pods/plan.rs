//! Which builder pods to start and to end. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;

use crate::build_queue::schedule::Limits;
use crate::cluster::builder_jobs::BuilderJob;
use crate::desired::{builder_job, names};
use crate::protocol::builder_key::BuilderKey;
use crate::reconcile::facts::build::{is_finished, is_suspended};

/// What to do.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// Builds that get a builder pod, with its key.
    pub(super) create: Vec<(Arc<Job>, BuilderKey)>,
    /// Builder pods of builds that have ended.
    pub(super) delete: Vec<BuilderJob>,
    /// Builder pods of builds that no cache has. If they do not exist either, nothing needs the pod.
    pub(super) check: Vec<BuilderJob>,
}

/// `builds` are the Jobs of existing projects. `asks` says whether the pod of a build asks for a builder pod. There are never
/// more builder pods than builds may run, so Jobs that others start get none beyond that.
pub(super) fn plan(
    builds: &[Arc<Job>],
    builders: &[BuilderJob],
    limits: Limits,
    asks: impl Fn(&Job) -> bool,
) -> Plan {
    let mut plan = Plan::default();
    let by_uid: HashMap<String, &Arc<Job>> =
        builds.iter().filter_map(|build| Some((build.uid()?, build))).collect();
    let mut running: HashMap<&str, usize> = HashMap::new();
    for builder in builders.iter().filter(|builder| !builder.ended) {
        *running.entry(&builder.build.0).or_default() += 1;
        match by_uid.get(&builder.build_uid) {
            Some(build) if !works(build) => plan.delete.push(builder.clone()),
            Some(_) => {}
            None => plan.check.push(builder.clone()),
        }
    }
    let has = |key: &BuilderKey| builders.iter().any(|builder| builder.name == key.name());
    let mut needy: Vec<_> = builds
        .iter()
        .filter(|build| works(build) && (!names::is_poll(build) || asks(build)))
        .filter_map(|build| Some((build, builder_job::key(build)?)))
        .filter(|(_, key)| !has(key))
        .collect();
    needy.sort_by_key(|(build, _)| (build.creation_timestamp(), build.namespace(), build.name_any()));
    for (build, key) in needy {
        let namespace = build.metadata.namespace.as_deref().unwrap_or_default();
        let all: usize = running.values().sum();
        let here = running.entry(namespace).or_default();
        if all < limits.cluster && *here < limits.namespace {
            *here += 1;
            plan.create.push((build.clone(), key));
        }
    }
    plan
}

/// It runs, and is not being deleted.
fn works(build: &Job) -> bool {
    names::is_build(build)
        && !is_suspended(build)
        && !is_finished(build)
        && build.metadata.deletion_timestamp.is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LIMITS: Limits = Limits { cluster: 2, namespace: 2, polls: None };

    /// A build with the key of this number, in a state, created at this second.
    fn build(number: u8, state: &str, reason: &str) -> Arc<Job> {
        let conditions =
            if state == "done" { json!([{ "type": "Complete", "status": "True" }]) } else { json!([]) };
        let time = jiff::Timestamp::from_second(i64::from(number)).unwrap().to_string();
        let deleted = (state == "ending").then_some("2026-01-01T00:00:00Z");
        let env = json!([{ "name": "DOCE_BUILDER_KEY", "value": BuilderKey::new([number; 32]).text() }]);
        let pod = json!({ "containers": [{ "name": "build", "env": env }] });
        let job = json!({
            "metadata": {
                "name": format!("b{number}"), "namespace": "n", "uid": format!("u{number}"),
                "creationTimestamp": time, "deletionTimestamp": deleted,
                "annotations": { "doce.dev/build-reason": reason },
            },
            "spec": { "suspend": state == "waits", "template": { "spec": pod } },
            "status": { "conditions": conditions },
        });
        Arc::new(serde_json::from_value(job).unwrap())
    }

    fn builder(number: u8, ended: bool) -> BuilderJob {
        BuilderJob {
            namespace: "doce-builds".to_owned(),
            name: BuilderKey::new([number; 32]).name(),
            uid: String::new(),
            build: ("n".to_owned(), format!("b{number}")),
            build_uid: format!("u{number}"),
            ended,
        }
    }

    fn created(plan: &Plan) -> Vec<String> {
        plan.create.iter().map(|(build, _)| build.name_any()).collect()
    }

    #[test]
    fn a_running_build_gets_one_builder_pod() {
        let builds =
            [build(1, "runs", ""), build(2, "waits", ""), build(3, "done", ""), build(4, "ending", "")];
        assert_eq!(created(&plan(&builds, &[], LIMITS, |_| false)), ["b1"]);
        assert_eq!(plan(&builds, &[builder(1, false)], LIMITS, |_| false), Plan::default());
        assert_eq!(created(&plan(&builds, &[builder(1, true)], LIMITS, |_| false)), [""; 0], "it had one");
    }

    #[test]
    fn a_poll_gets_one_only_when_it_asks() {
        let builds = [build(1, "runs", "Polled")];
        assert_eq!(created(&plan(&builds, &[], LIMITS, |_| false)), [""; 0]);
        assert_eq!(created(&plan(&builds, &[], LIMITS, |_| true)), ["b1"]);
    }

    #[test]
    fn the_oldest_builds_come_first_and_the_limits_hold() {
        let builds: Vec<_> = (1..6).rev().map(|number| build(number, "runs", "")).collect();
        assert_eq!(created(&plan(&builds, &[], LIMITS, |_| false)), ["b1", "b2"]);
        let one = Limits { cluster: 9, namespace: 1, polls: None };
        assert_eq!(created(&plan(&builds, &[], one, |_| false)), ["b1"]);
        assert_eq!(created(&plan(&builds, &[builder(1, false)], LIMITS, |_| false)), ["b2"]);
    }

    #[test]
    fn a_builder_pod_ends_with_its_build() {
        let builds = [build(1, "done", ""), build(2, "ending", ""), build(3, "runs", "")];
        let builders = [1, 2, 3, 4].map(|number| builder(number, false));
        let plan = plan(&builds, &builders, LIMITS, |_| false);
        assert_eq!(plan.delete, builders[..2]);
        assert_eq!(plan.check, builders[3..], "its build is not in the cache");
    }
}
