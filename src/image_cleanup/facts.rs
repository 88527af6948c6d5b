//! Reads cleanup Jobs, and who names an image. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;

use super::observed::Cleanup;
use crate::desired::names;
use crate::image_cleanup::job;
use crate::memory::record::Record;
use crate::memory::revisions;
use crate::platform::Platform;
use crate::project::Project;
use crate::protocol::order::cleanup::CleanupOrder;
use crate::reconcile::facts::build::{has_failed, waits};

/// Reads a cleanup Job; `None` if it is a Job of another kind. Calls `revisions` only if it failed.
pub fn job(
    project: &Project,
    platform: &Platform,
    job: &Job,
    revisions: impl FnOnce() -> Vec<Arc<ControllerRevision>>,
) -> Option<Cleanup> {
    let version = job.annotations().get(names::CLEANUP_OF)?.clone();
    let again = has_failed(job).then(|| job::order_again(project, platform, job)).flatten();
    let tries_again =
        again.is_some_and(|order| !revisions().iter().any(|revision| names_image(revision, &order)));
    Some(Cleanup { name: job.name_any(), version, waits: waits(job), tries_again })
}

/// Whether a record or ledger names this image, or the build key by which builds find it.
#[must_use]
pub fn names_image(revision: &ControllerRevision, order: &CleanupOrder) -> bool {
    let key = revision.data.as_ref().and_then(|data| data.0["key"].as_str());
    key == Some(&order.key) || revisions::digests(revision).any(|digest| digest == order.digest)
}

/// The versions in `records` whose image may be deleted once their record is gone. A build left the image in the
/// external repository that the project names now, and nothing else in `revisions`, those of all namespaces, names it.
#[must_use]
pub fn orphans(
    project: &Project,
    platform: &Platform,
    records: &BTreeMap<String, Record>,
    revisions: &[Arc<ControllerRevision>],
) -> BTreeSet<String> {
    if !project.cleans || !platform.sees_all || platform.outside(project).is_none() {
        return BTreeSet::new();
    }
    let candidates: Vec<_> = records
        .values()
        .filter_map(|record| Some((record, job::order(project, platform, record)?)))
        .collect();
    let own = |record: &Record, revision: &ControllerRevision| {
        revision.namespace().as_ref() == Some(&project.namespace) && revision.name_any() == record.name
    };
    let claimed: BTreeSet<&String> = revisions
        .iter()
        .flat_map(|revision| {
            let claims = candidates
                .iter()
                .filter(|(record, order)| !own(record, revision) && names_image(revision, order));
            claims.map(|(record, _)| &record.facts.version)
        })
        .collect();
    let versions = candidates.iter().map(|(record, _)| &record.facts.version);
    versions.filter(|version| !claimed.contains(version)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::crd::ProjectDeployment;

    const REPOSITORY: &str = "r.example/you/shop";

    fn digest(letter: char) -> String {
        format!("sha256:{}", letter.to_string().repeat(64))
    }

    fn revision(namespace: &str, name: &str, key: &str, image: &str) -> Arc<ControllerRevision> {
        let image = json!({ "reference": image }).to_string();
        let metadata =
            json!({ "namespace": namespace, "name": name, "annotations": { "doce.dev/image": image } });
        let data = json!({ "version": name, "key": key });
        Arc::new(
            serde_json::from_value(json!({ "metadata": metadata, "data": data, "revision": 1 })).unwrap(),
        )
    }

    fn project(output: &Value) -> Project {
        let spec = json!({ "source": { "configMap": { "name": "site" } }, "build": { "output": output } });
        let metadata = json!({ "name": "shop", "namespace": "n", "uid": "u" });
        let object = json!({
            "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "metadata": metadata, "spec": spec,
        });
        Project::parse(&serde_json::from_value::<ProjectDeployment>(object).unwrap()).unwrap()
    }

    fn platform() -> Platform {
        Platform { push_registry: "push.test:5000".to_owned(), sees_all: true, ..Platform::default() }
    }

    /// The orphans among the versions `a` and `b`, which have images of their own in the repository, given `others`.
    fn found(project: &Project, platform: &Platform, others: &[Arc<ControllerRevision>]) -> Vec<String> {
        let image = |letter| format!("{REPOSITORY}@{}", digest(letter));
        let own = [revision("n", "a", "ka", &image('a')), revision("n", "b", "kb", &image('b'))];
        let records = own.iter().filter_map(|object| revisions::read(object));
        let records = records.map(|record| (record.facts.version.clone(), record)).collect();
        let all = [&own[..], others].concat();
        orphans(project, platform, &records, &all).into_iter().collect()
    }

    #[test]
    fn an_image_that_no_other_record_names_is_an_orphan() {
        let project = project(&json!({ "repository": REPOSITORY }));
        assert_eq!(found(&project, &platform(), &[]), ["a", "b"]);
    }

    #[test]
    fn an_image_named_by_digest_or_key_in_any_namespace_is_not_an_orphan() {
        let project = project(&json!({ "repository": REPOSITORY }));
        let by_digest = revision("elsewhere", "a", "kx", &format!("other.example/x@{}", digest('a')));
        assert_eq!(found(&project, &platform(), &[by_digest]), ["b"]);
        let by_key = revision("elsewhere", "x", "kb", "");
        assert_eq!(found(&project, &platform(), &[by_key]), ["a"]);
        let ledger = json!({ "lookup": { "answer": { "digest": digest('a') } } }).to_string();
        let ledger = json!({ "metadata": { "namespace": "m", "name": "l", "annotations": { "doce.dev/ledger": ledger } }, "revision": 0 });
        let ledger = Arc::new(serde_json::from_value(ledger).unwrap());
        assert_eq!(found(&project, &platform(), &[ledger]), ["b"]);
    }

    #[test]
    fn no_orphans_with_cleanup_keep_hidden_namespaces_or_the_platform_registry() {
        let kept = project(&json!({ "repository": REPOSITORY, "cleanup": "Keep" }));
        assert_eq!(found(&kept, &platform(), &[]), Vec::<String>::new());
        let named = project(&json!({ "repository": REPOSITORY }));
        let narrow = Platform { sees_all: false, ..platform() };
        assert_eq!(found(&named, &narrow, &[]), Vec::<String>::new());
        let own = Platform { push_registry: "r.example".to_owned(), ..platform() };
        assert_eq!(found(&named, &own, &[]), Vec::<String>::new(), "the sweep handles it");
        assert_eq!(found(&project(&json!({})), &platform(), &[]), Vec::<String>::new());
        let moved = project(&json!({ "repository": "r.example/you/other" }));
        assert_eq!(found(&moved, &platform(), &[]), Vec::<String>::new(), "its login is for another path");
    }
}
