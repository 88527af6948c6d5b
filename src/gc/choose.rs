//! Selects the tags of a repository to delete. Pure.

use super::references::References;
use crate::protocol::order::cleanup::{Pushed, pushed};

/// A tag and what it points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// The tag.
    pub tag: String,
    /// Digest of its manifest.
    pub digest: String,
}

/// Whether our build pods create such a tag, so that the sweep may consider it.
#[must_use]
pub fn is_ours(tag: &str) -> bool {
    pushed(tag).is_some()
}

/// A pushed folder stays for this time in seconds, until a project names it. A time so far ahead is wrong.
const UNTIL_NAMED: u64 = 3600;

/// The tags of `repository` to delete: ours and unused. What a build of the last hour pushed stays, because its Job
/// still exists. No clock tells the age of an image: the time in it is that of the cache that it came from. No Job tells of a
/// folder that was just pushed, so its tag has the time. A manifest is deleted with all its tags or not at all, so `tags`
/// must contain every tag of the repository. `now` is in seconds since 1970.
#[must_use]
pub fn unreferenced(repository: &str, tags: &[Tagged], references: &References, now: i64) -> Vec<Tagged> {
    if references.is_busy(repository) || references.keeps(repository) {
        return vec![];
    }
    let alone = |tagged: &Tagged| {
        let kept = match pushed(&tagged.tag) {
            None => true,
            Some(Pushed::Image) => false,
            Some(Pushed::Source(pushed)) => pushed.abs_diff(now) < UNTIL_NAMED,
            // Cache and logs belong to the repository as a whole.
            Some(Pushed::Cache | Pushed::Log) => references.uses(repository),
        };
        !kept && !references.has(&tagged.digest)
    };
    let stays = |digest: &str| tags.iter().any(|other| other.digest == digest && !alone(other));
    tags.iter().filter(|tagged| !stays(&tagged.digest)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::ControllerRevision;
    use k8s_openapi::api::batch::v1::Job;
    use kube::core::PartialObjectMeta;
    use serde_json::{Value, json};

    use super::*;

    fn digest(letter: char) -> String {
        format!("sha256:{}", letter.to_string().repeat(64))
    }

    fn image(letter: char) -> Tagged {
        Tagged { tag: format!("k{}", letter.to_string().repeat(40)), digest: digest(letter) }
    }

    fn tagged(tag: &str, letter: char) -> Tagged {
        Tagged { tag: tag.to_owned(), ..image(letter) }
    }

    const NOW: i64 = 1_764_530_000;
    const LOG: &str = "log-0123456789abcdef";

    fn record(letter: char) -> PartialObjectMeta<ControllerRevision> {
        let text = json!({ "reference": format!("localhost:30050/n/shop@{}", digest(letter)) }).to_string();
        revision("doce.dev/image", &text)
    }

    fn revision(annotation: &str, text: &str) -> PartialObjectMeta<ControllerRevision> {
        let metadata = json!({ "name": "r", "namespace": "elsewhere", "annotations": { annotation: text } });
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    fn job(repository: &Value) -> Job {
        let order = json!({ "repository": repository }).to_string();
        let env = json!([{ "name": "DOCE_ORDER", "value": order }]);
        let pod = json!({ "spec": { "containers": [{ "name": "build", "env": env }] } });
        serde_json::from_value(
            json!({ "metadata": { "name": "j", "namespace": "n" }, "spec": { "template": pod } }),
        )
        .unwrap()
    }

    fn tags(unreferenced: &[Tagged]) -> Vec<&str> {
        unreferenced.iter().map(|tagged| tagged.tag.as_str()).collect()
    }

    #[test]
    fn images_named_by_any_record_stay_and_unnamed_images_are_deleted() {
        let references = References::read(&[], &[record('a')], &[]);
        let all = [image('a'), image('b'), tagged("cache", 'c'), tagged(LOG, 'd')];
        assert_eq!(tags(&unreferenced("n/shop", &all, &references, NOW)), [image('b').tag]);
    }

    #[test]
    fn an_unused_repository_is_deleted_except_for_foreign_tags() {
        let references = References::read(&[], &[record('a')], &[]);
        let all = [
            image('b'),
            tagged("cache", 'c'),
            tagged(LOG, 'd'),
            tagged("latest", 'e'),
            tagged("k1", 'f'),
            tagged("log-viewer", '1'),
        ];
        assert_eq!(tags(&unreferenced("n/gone", &all, &references, NOW)), [&image('b').tag, "cache", LOG]);
    }

    #[test]
    fn a_pushed_folder_stays_while_a_project_names_it_and_for_an_hour_before() {
        let oci = json!({ "oci": { "reference": format!("registry.test:5000/n/shop@{}", digest('a')) } });
        let project = serde_json::from_value(json!({
            "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
            "metadata": { "name": "shop", "namespace": "n" }, "spec": { "source": oci },
        }));
        let references = References::read(&[], &[], &[project.unwrap()]);
        let at = |seconds: i64| format!("source-{}", NOW + seconds);
        let all = [
            tagged(&at(-7200), 'a'),
            tagged(&at(-7200), 'b'),
            tagged(&at(-60), 'c'),
            tagged(&at(-7200), 'c'),
            tagged(&at(60), 'd'),
            tagged(&at(7200), 'e'),
        ];
        let deleted: Vec<Tagged> = unreferenced("n/shop", &all, &references, NOW);
        assert_eq!(deleted, [all[1].clone(), all[5].clone()]);
    }

    #[test]
    fn the_folder_of_a_version_that_can_be_built_again_stays() {
        let old = Tagged { tag: format!("source-{}", NOW - 7200), digest: digest('a') };
        let references = References::read(&[], &[revision("doce.dev/source", &digest('a'))], &[]);
        assert_eq!(unreferenced("n/shop", std::slice::from_ref(&old), &references, NOW), []);
        assert_eq!(unreferenced("n/shop", std::slice::from_ref(&old), &References::default(), NOW), [old]);
    }

    #[test]
    fn a_manifest_with_a_foreign_tag_keeps_all_its_tags() {
        for other in ["keep-this", "log-viewer"] {
            let all = [image('b'), tagged(other, 'b')];
            assert_eq!(unreferenced("n/gone", &all, &References::default(), NOW), [], "{other}");
        }
    }

    #[test]
    fn nothing_is_deleted_while_a_build_uses_the_repository() {
        let references = References::read(&[job(&json!("registry.test:5000/n/shop"))], &[], &[]);
        assert_eq!(unreferenced("n/shop", &[image('b')], &references, NOW), []);
        assert_eq!(unreferenced("n/other", &[image('b')], &references, NOW).len(), 1);
        let unclear = References::read(&[job(&json!(null))], &[], &[]);
        assert_eq!(unreferenced("n/other", &[image('b')], &unclear, NOW), []);
        assert_eq!(unreferenced("m/other", &[image('b')], &unclear, NOW).len(), 1);
    }
}
