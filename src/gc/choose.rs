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

/// The tags of `repository` to delete: ours and unused. What a build of the last hour pushed stays, because its Job
/// still exists. No clock is used: the time in an image is that of the cache that it came from. A manifest is deleted
/// with all its tags or not at all, so `tags` must contain every tag of the repository.
#[must_use]
pub fn unreferenced(repository: &str, tags: &[Tagged], references: &References) -> Vec<Tagged> {
    if references.is_busy(repository) || references.keeps(repository) {
        return vec![];
    }
    let alone = |tagged: &Tagged| {
        let kept = match pushed(&tagged.tag) {
            None => true,
            Some(Pushed::Image) => false,
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

    const LOG: &str = "log-0123456789abcdef";

    fn record(letter: char) -> PartialObjectMeta<ControllerRevision> {
        let text = json!({ "reference": format!("localhost:30050/n/shop@{}", digest(letter)) }).to_string();
        let metadata =
            json!({ "name": "r", "namespace": "elsewhere", "annotations": { "doce.dev/image": text } });
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
        assert_eq!(tags(&unreferenced("n/shop", &all, &references)), [image('b').tag]);
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
        assert_eq!(tags(&unreferenced("n/gone", &all, &references)), [&image('b').tag, "cache", LOG]);
    }

    #[test]
    fn a_manifest_with_a_foreign_tag_keeps_all_its_tags() {
        for other in ["keep-this", "log-viewer"] {
            let all = [image('b'), tagged(other, 'b')];
            assert_eq!(unreferenced("n/gone", &all, &References::default()), [], "{other}");
        }
    }

    #[test]
    fn nothing_is_deleted_while_a_build_uses_the_repository() {
        let references = References::read(&[job(&json!("registry.test:5000/n/shop"))], &[], &[]);
        assert_eq!(unreferenced("n/shop", &[image('b')], &references), []);
        assert_eq!(unreferenced("n/other", &[image('b')], &references).len(), 1);
        let unclear = References::read(&[job(&json!(null))], &[], &[]);
        assert_eq!(unreferenced("n/other", &[image('b')], &unclear), []);
        assert_eq!(unreferenced("m/other", &[image('b')], &unclear).len(), 1);
    }
}
