//! Explains why a node cannot pull the image of the app, with what to do.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use super::super::observed::{MissingImage, Trouble};
use crate::memory::record::Record;
use crate::text::bounded;

/// Maximum number of characters kept of the node's message. The cause is at its end.
const WORDS: usize = 300;

/// What nodes say if the registry requires a login. Some registries answer so for what they do not have, too.
const LOGIN: [&str; 7] = [
    "authorization failed",
    "401 Unauthorized",
    "403 Forbidden",
    "insufficient_scope",
    "pull access denied",
    "no basic auth credentials",
    "failed to authorize",
];

/// What nodes say if the registry answers that it does not have the image.
const MISSING: [&str; 2] = ["not found", "manifest unknown"];

fn is_pull(reason: &str) -> bool {
    matches!(reason, "ErrImagePull" | "ImagePullBackOff")
}

fn says(message: &str, words: &[&str]) -> bool {
    words.iter().any(|word| message.contains(word))
}

/// The recorded image, if the node of one of these pods says that its registry does not have it.
pub(super) fn missing(pods: &[&Pod], record: Option<&Record>) -> Option<MissingImage> {
    let recorded = &record?.image.as_ref()?.reference;
    let says_so = |status: &ContainerStatus| {
        let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
        let message = waiting
            .filter(|waiting| waiting.reason.as_deref().is_some_and(is_pull))
            .and_then(|waiting| waiting.message.as_deref())
            .unwrap_or_default();
        // Not every "not found" is about the registry: the node may miss a layer that it had unpacked.
        let manifest = message.contains(&format!("{recorded}: not found"));
        let other =
            message.contains(recorded.as_str()) && says(message, &["manifest unknown", "content at http"]);
        (manifest || other) && !says(message, &LOGIN)
    };
    let waits = |pod: &&&Pod| {
        let status = pod.status.as_ref();
        status.into_iter().flat_map(|status| status.container_statuses.iter().flatten()).any(says_so)
    };
    let created = pods.iter().filter(waits).map(|pod| pod.metadata.creation_timestamp.as_ref());
    let since = created.map(|time| time.map(|time| time.0).unwrap_or_default()).max()?;
    Some(MissingImage { reference: recorded.clone(), since })
}

/// Adds what to do if a pull failed. Returns any other trouble unchanged.
pub(super) fn explained(trouble: Trouble) -> Trouble {
    if !is_pull(&trouble.reason) {
        return trouble;
    }
    let says = |words: &[&str]| says(&trouble.message, words);
    let advice = if says(&["x509:", "tls:", "HTTP response to HTTPS client"]) {
        "the node does not trust the registry of the image: the administrator of the nodes must add its certificate to \
         their container runtime"
    } else if says(&LOGIN) {
        "the registry requires a login to pull the image: name a Secret of type kubernetes.io/dockerconfigjson in \
         spec.run.imagePullSecrets"
    } else if says(&MISSING) {
        "the image is not in its registry: correct spec.source.image.reference, or change spec.build.epoch to build it \
         again"
    } else {
        return trouble;
    };
    Trouble { message: format!("{advice}. {}", end_of(&trouble.message)), ..trouble }
}

fn end_of(message: &str) -> String {
    let clean = bounded(message, usize::MAX);
    let from = clean.char_indices().rev().nth(WORDS).map_or(0, |(from, _)| from);
    let mark = if from > 0 { "…" } else { "" };
    format!("{mark}{}", &clean[from..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::record::ImageFact;
    use serde_json::json;

    fn told(message: &str) -> String {
        explained(Trouble { reason: "ErrImagePull".into(), message: message.into() }).message
    }

    #[test]
    fn each_pull_error_says_what_to_do() {
        let image = "10.0.0.9:5000/team/site@sha256:4bd1";
        for (cause, way_out) in [
            (
                "pull access denied, repository does not exist or may require authorization",
                "spec.run.imagePullSecrets",
            ),
            (
                "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized",
                "spec.run.imagePullSecrets",
            ),
            (
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                "certificate",
            ),
            ("docker.io/library/nothing:1: not found", "spec.source.image.reference"),
        ] {
            let message = told(&format!("failed to resolve reference \"{image}\": {cause}"));
            assert!(message.contains(way_out) && message.ends_with(cause), "{message}");
        }
    }

    /// What the operator takes from a pod whose node says this about the recorded image.
    fn missing_by(reason: &str, message: &str) -> bool {
        let image = ImageFact { reference: "reg:5000/n/shop@sha256:4bd1".to_owned(), ..ImageFact::default() };
        let record = Record { image: Some(image), ..Record::default() };
        let waiting = json!({ "waiting": { "reason": reason, "message": message } });
        let status = json!({ "name": "app", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": waiting });
        let pod = json!({ "status": { "containerStatuses": [status] } });
        let pod: Pod = serde_json::from_value(pod).unwrap();
        missing(&[&pod], Some(&record)).is_some()
    }

    #[test]
    fn an_image_is_missing_only_if_the_node_names_it_and_its_registry_says_that_it_is_not_there() {
        let named = |cause: &str| format!("failed to pull image \"reg:5000/n/shop@sha256:4bd1\": {cause}");
        assert!(missing_by("ErrImagePull", &named("reg:5000/n/shop@sha256:4bd1: not found")));
        assert!(missing_by("ImagePullBackOff", &named("manifest unknown")));
        let layer = "failed to copy: httpReadSeeker: failed open: content at http://r/v2/n/shop/blobs/sha256:1 not found: not found";
        assert!(missing_by("ErrImagePull", &named(layer)));
        assert!(!missing_by(
            "ErrImagePull",
            &named("failed to prepare snapshot: parent does not exist: not found")
        ));
        assert!(!missing_by("ErrImagePull", &named("no match for platform in manifest: not found")));
        assert!(!missing_by(
            "ErrImagePull",
            "failed to pull image \"reg:5000/n/other@sha256:77aa\": not found"
        ));
        assert!(!missing_by("ErrImagePull", &named("dial tcp 10.0.0.9:5000: connect: connection refused")));
        assert!(!missing_by(
            "ErrImagePull",
            &named("pull access denied, repository does not exist: not found")
        ));
        assert!(!missing_by("CreateContainerConfigError", &named("secret not found")));
    }

    #[test]
    fn the_cause_is_kept_at_the_end_of_a_long_node_message() {
        let message = told(&format!("{} not found", "failed to pull and unpack image ".repeat(60)));
        assert!(message.ends_with("not found") && message.len() < 600, "{message}");
    }

    #[test]
    fn other_troubles_are_unchanged() {
        let other = Trouble { reason: "CrashLoopBackOff".into(), message: "not found".into() };
        assert_eq!(explained(other.clone()), other);
        assert_eq!(
            told("dial tcp 10.0.0.9:5000: connect: connection refused"),
            "dial tcp 10.0.0.9:5000: connect: connection refused"
        );
    }
}
