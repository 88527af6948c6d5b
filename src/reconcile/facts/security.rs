//! What Kubernetes says where Pod Security or the kubelet does not let the app's pods run, with the way out.

use super::super::observed::Trouble;
use crate::crd::run::Security;
use crate::memory::record::Record;
use crate::text::bounded;

/// The kubelet found that the image runs as root, which the pod forbids.
pub(super) const IMAGE_RUNS_AS_ROOT: &str = "ImageRunsAsRoot";

/// The kubelet found a user that is no number, so that it may be root.
pub(super) const IMAGE_USER_UNKNOWN: &str = "ImageUserUnknown";

/// The namespace's Pod Security does not admit the pods.
const FORBIDDEN: &str = "ForbiddenByPodSecurity";

/// The label that says what a namespace admits.
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// The trouble with the way out, where its words are those of Pod Security; any other as it is.
pub(super) fn explained(trouble: Trouble, record: Option<&Record>) -> Trouble {
    let (reason, advice) = if trouble.message.contains("violates PodSecurity \"restricted") {
        (FORBIDDEN, not_admitted(record))
    } else if trouble.message.contains("violates PodSecurity") {
        (FORBIDDEN, format!("the namespace does not admit these pods: label it {ENFORCE}=baseline"))
    } else if trouble.message.contains("runAsNonRoot and image will run as root") {
        let advice = "the image runs as root, which spec.run.security: Restricted does not let: add USER with a number above \
                      0 to its Dockerfile, or write spec.run.security: Baseline";
        (IMAGE_RUNS_AS_ROOT, advice.to_owned())
    } else if trouble.message.contains("runAsNonRoot and image has non-numeric user") {
        let advice = "the image names its user by a word, which spec.run.security: Restricted does not let: write a number \
                      into USER of its Dockerfile, or write spec.run.security: Auto";
        (IMAGE_USER_UNKNOWN, advice.to_owned())
    } else {
        return trouble;
    };
    Trouble { reason: reason.to_owned(), message: format!("{advice}. {}", bounded(&trouble.message, 400)) }
}

/// The namespace enforces "restricted" and the pods of this version do not meet it.
fn not_admitted(record: Option<&Record>) -> String {
    let security = record.map(|record| record.facts.security).unwrap_or_default();
    let why = match (security, record.and_then(Record::user)) {
        (Security::Baseline | Security::Auto, Some(0)) => {
            "the image runs as root: add USER with a number above 0 to its Dockerfile"
        }
        (Security::Baseline, _) => "spec.run.security: Baseline asks for more: write Restricted",
        (_, None) => "the user of the image is not known: write spec.run.security: Restricted",
        _ => "these pods ask for more",
    };
    format!(
        "the namespace enforces Pod Security \"restricted\", and {why}, or label the namespace {ENFORCE}=baseline"
    )
}
