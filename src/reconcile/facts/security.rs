//! Explains why Pod Security or the kubelet rejects the pods of the app, with what to do.

use super::super::observed::Trouble;
use crate::crd::run::Security;
use crate::memory::record::Record;
use crate::text::bounded;

/// The kubelet found that the image runs as root, which the pod forbids.
pub(super) const IMAGE_RUNS_AS_ROOT: &str = "ImageRunsAsRoot";

/// The kubelet found a user that is not a number, so it may be root.
pub(super) const IMAGE_USER_UNKNOWN: &str = "ImageUserUnknown";

/// Pod Security of the namespace rejects the pods.
const FORBIDDEN: &str = "ForbiddenByPodSecurity";

/// The label that says what a namespace admits.
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// Adds what to do if Pod Security or the user of the image is the cause. Returns any other trouble unchanged.
pub(super) fn explained(trouble: Trouble, record: Option<&Record>) -> Trouble {
    let (reason, advice) = if trouble.message.contains("violates PodSecurity \"restricted") {
        (FORBIDDEN, not_admitted(record))
    } else if trouble.message.contains("violates PodSecurity") {
        (
            FORBIDDEN,
            format!(
                "Pod Security of the namespace rejects these pods: label the namespace {ENFORCE}=baseline"
            ),
        )
    } else if trouble.message.contains("runAsNonRoot and image will run as root") {
        let advice = "the image runs as root, which spec.run.security: Restricted forbids: add USER with a number above 0 to \
                      its Dockerfile, or set spec.run.security: Baseline";
        (IMAGE_RUNS_AS_ROOT, advice.to_owned())
    } else if trouble.message.contains("runAsNonRoot and image has non-numeric user") {
        let advice = "the user of the image is not a number, which spec.run.security: Restricted forbids: write a number into \
                      USER of its Dockerfile, or set spec.run.security: Auto";
        (IMAGE_USER_UNKNOWN, advice.to_owned())
    } else {
        return trouble;
    };
    Trouble { reason: reason.to_owned(), message: format!("{advice}. {}", bounded(&trouble.message, 400)) }
}

/// The namespace enforces "restricted", and the pods of this version do not meet it.
fn not_admitted(record: Option<&Record>) -> String {
    let security = record.map(|record| record.facts.security).unwrap_or_default();
    let why = match (security, record.and_then(Record::user)) {
        (Security::Baseline | Security::Auto, Some(0)) => {
            "the image runs as root: add USER with a number above 0 to its Dockerfile"
        }
        (Security::Baseline, _) => "spec.run.security: Baseline needs more rights: set Restricted",
        (_, None) => "the user of the image is unknown: set spec.run.security: Restricted",
        _ => "these pods need more rights: correct the fields that Kubernetes names",
    };
    format!(
        "the namespace enforces Pod Security \"restricted\", and {why}, or label the namespace {ENFORCE}=baseline"
    )
}
