//! Explains why a node cannot pull the image of the app, with what to do.

use super::super::observed::Trouble;
use crate::text::bounded;

/// Maximum number of characters kept of the node's message. The cause is at its end.
const WORDS: usize = 300;

/// Adds what to do if a pull failed. Returns any other trouble unchanged.
pub(super) fn explained(trouble: Trouble) -> Trouble {
    if !matches!(trouble.reason.as_str(), "ErrImagePull" | "ImagePullBackOff") {
        return trouble;
    }
    let says = |words: &[&str]| words.iter().any(|word| trouble.message.contains(word));
    let advice = if says(&["x509:", "tls:", "HTTP response to HTTPS client"]) {
        "the node does not trust the registry of the image: the administrator of the nodes must add its certificate to \
         their container runtime"
    } else if says(&["authorization failed", "401 Unauthorized", "403 Forbidden", "insufficient_scope"])
        || says(&["pull access denied", "no basic auth credentials", "failed to authorize"])
    {
        "the registry requires a login to pull the image: name a Secret of type kubernetes.io/dockerconfigjson in \
         spec.run.imagePullSecrets"
    } else if says(&["not found", "manifest unknown"]) {
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
