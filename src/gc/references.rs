//! What the cluster uses in a registry: images of records, repositories that builds may push to, and repositories of
//! projects. Pure.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use kube::core::PartialObjectMeta;
use serde_json::Value;

use crate::crd::ProjectDeployment;
use crate::crd::spec::Cleanup;
use crate::desired::{job_env, names};
use crate::memory::revisions;

/// What must not be deleted. Repositories are paths without the registry's host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Digests in any record or ledger and of sources, of any kind.
    digests: BTreeSet<String>,
    /// Images in records, by digest.
    images: BTreeSet<String>,
    /// Repositories of images in records, and of existing projects.
    used: BTreeSet<String>,
    /// Repositories of existing build Jobs: waiting, running, or ended within the last hour.
    busy: BTreeSet<String>,
    /// Repositories of projects with `spec.build.output.cleanup: Keep`.
    kept: BTreeSet<String>,
    /// Namespaces with a Job whose target repository is unknown. No release of the operator creates such a Job, so it
    /// blocks only its own namespace: anyone who can create one must not block the sweep of the whole registry.
    unclear: BTreeSet<String>,
}

impl References {
    /// Reads the lists. `builds` must be listed before `revisions`: if a Job is gone by then, a record names its image.
    pub fn read(
        builds: &[Job],
        revisions: &[PartialObjectMeta<ControllerRevision>],
        projects: &[ProjectDeployment],
    ) -> Self {
        let mut references = Self::default();
        for build in builds {
            let namespace = build.namespace().unwrap_or_default();
            match job_env::repository(build).as_deref().and_then(path) {
                Some(repository) if is_below(&repository, &namespace) => {
                    references.busy.insert(repository);
                }
                Some(_) => {}
                None => {
                    references.unclear.insert(namespace);
                }
            }
        }
        for revision in revisions {
            references.remember(revision);
        }
        for project in projects {
            let output = &project.spec.build.output;
            let namespace = project.namespace().unwrap_or_default();
            // The folder of a person that its source names.
            let source = project.spec.source.oci.as_ref().and_then(|oci| oci.reference.split_once('@'));
            if let Some((repository, digest)) = source
                && path(repository).is_some_and(|repository| is_below(&repository, &namespace))
            {
                references.digests.insert(digest.to_owned());
            }
            let own = || format!("{namespace}/{}", project.name_any());
            let repository = output.repository.as_deref().and_then(path).unwrap_or_else(own);
            if !is_below(&repository, &namespace) {
                continue;
            }
            if output.cleanup == Cleanup::Keep {
                references.kept.insert(repository.clone());
            }
            references.used.insert(repository);
        }
        references
    }

    fn remember(&mut self, revision: &PartialObjectMeta<ControllerRevision>) {
        self.digests.extend(revisions::digests(revision).map(str::to_owned));
        let image = revision.annotations().get(names::IMAGE);
        let image = image.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let reference = image.as_ref().and_then(|image| image["reference"].as_str());
        self.images.extend(reference.filter(|reference| reference.contains('@')).map(str::to_owned));
        self.used.extend(
            reference.and_then(|reference| reference.split_once('@')).and_then(|(name, _)| path(name)),
        );
    }

    /// A build may soon name anything in this repository.
    #[must_use]
    pub fn is_busy(&self, repository: &str) -> bool {
        let namespace = repository.split('/').next().unwrap_or_default();
        self.unclear.contains(namespace) || self.busy.contains(repository)
    }

    /// A record, a ledger or the source of a project names this digest.
    #[must_use]
    pub fn has(&self, digest: &str) -> bool {
        self.digests.contains(digest)
    }

    /// The images that records name.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        self.images.iter().map(String::as_str)
    }

    /// Nothing may be deleted from this repository.
    #[must_use]
    pub fn keeps(&self, repository: &str) -> bool {
        self.kept.contains(repository)
    }

    /// A record or project uses this repository.
    #[must_use]
    pub fn uses(&self, repository: &str) -> bool {
        self.used.contains(repository)
    }
}

/// Whether a repository belongs to a namespace. A project cannot block the sweep of foreign repositories by naming
/// them, because no build pushes there. An image that any record names stays.
pub(super) fn is_below(repository: &str, namespace: &str) -> bool {
    repository.split_once('/').is_some_and(|(first, _)| first == namespace)
}

/// `host[:port]/path` without the host.
fn path(repository: &str) -> Option<String> {
    repository.split_once('/').map(|(_, path)| path.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(letter: char) -> String {
        format!("sha256:{}", letter.to_string().repeat(64))
    }

    fn revision(annotation: &str, text: &str) -> PartialObjectMeta<ControllerRevision> {
        let metadata = json!({ "name": "r", "namespace": "n", "annotations": { annotation: text } });
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    fn build(order: &Value) -> Job {
        let env = json!([{ "name": "DOCE_ORDER", "value": order.to_string() }]);
        let pod = json!({ "spec": { "containers": [{ "name": "build", "env": env }] } });
        serde_json::from_value(
            json!({ "metadata": { "name": "j", "namespace": "n" }, "spec": { "template": pod } }),
        )
        .unwrap()
    }

    #[test]
    fn a_record_names_its_image_by_digest_and_its_repository_without_the_host() {
        let image = json!({ "reference": format!("localhost:30050/n/shop@{}", digest('a')), "uid": 0 });
        let references = References::read(&[], &[revision("doce.dev/image", &image.to_string())], &[]);
        assert!(references.has(&digest('a')) && !references.has(&digest('b')));
        assert!(references.uses("n/shop") && !references.uses("n/other") && !references.is_busy("n/shop"));
    }

    #[test]
    fn a_broken_record_and_a_ledger_still_name_their_digests() {
        let broken = revision("doce.dev/image", &format!("{{ localhost:30050/n/shop@{}", digest('a')));
        let ledger = revision(
            "doce.dev/ledger",
            &json!({ "lookup": { "answer": { "digest": digest('b') } } }).to_string(),
        );
        let references = References::read(&[], &[broken, ledger], &[]);
        assert!(references.has(&digest('a')) && references.has(&digest('b')));
    }

    #[test]
    fn a_job_makes_its_repository_busy_and_an_unreadable_one_its_whole_namespace() {
        let of_another_release = json!({ "repository": "registry.test:5000/n/shop", "somethingNew": 1 });
        let references = References::read(&[build(&of_another_release)], &[], &[]);
        assert!(references.is_busy("n/shop") && !references.is_busy("n/other"));
        let unclear = References::read(&[build(&json!("?"))], &[], &[]);
        assert!(unclear.is_busy("n/other") && !unclear.is_busy("m/other") && !unclear.is_busy("nn/other"));
    }

    #[test]
    fn a_project_uses_its_own_repository_before_it_has_any_record() {
        assert!(References::read(&[], &[], &[project(&json!({}))]).uses("n/shop"));
        let elsewhere = project(&json!({ "repository": "localhost:30050/n/both" }));
        assert!(References::read(&[], &[], &[elsewhere]).uses("n/both"));
    }

    #[test]
    fn a_project_keeps_nothing_in_the_repository_of_another_namespace() {
        let theirs = project(&json!({ "repository": "localhost:30050/m/shop", "cleanup": "Keep" }));
        let job = build(&json!({ "repository": "localhost:30050/m/shop" }));
        let references = References::read(&[job], &[], &[theirs]);
        assert!(!references.keeps("m/shop") && !references.uses("m/shop") && !references.is_busy("m/shop"));
    }

    #[test]
    fn a_project_can_keep_everything_in_its_repository() {
        assert!(References::read(&[], &[], &[project(&json!({ "cleanup": "Keep" }))]).keeps("n/shop"));
        assert!(!References::read(&[], &[], &[project(&json!({}))]).keeps("n/shop"));
    }

    fn project(output: &Value) -> ProjectDeployment {
        let spec = json!({ "source": { "configMap": { "name": "site" } }, "build": { "output": output } });
        let metadata = json!({ "name": "shop", "namespace": "n" });
        let kind = "ProjectDeployment";
        serde_json::from_value(
            json!({ "apiVersion": "doce.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec }),
        )
        .unwrap()
    }
}
