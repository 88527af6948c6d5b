//! Causes outside a version: the same image with the same settings may start as soon as they are gone.

use super::super::observed::Trouble;

/// Reasons of Kubernetes for trouble with a registry, a quota, a policy, a node or a missing object.
const REASONS: [&str; 9] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "RegistryUnavailable",
    "FailedCreate",
    "ForbiddenByPodSecurity",
    "Unschedulable",
    "SchedulerError",
    "CreateContainerConfigError",
    "CreateContainerError",
];

/// An init command failed.
pub(super) const INIT_COMMAND_FAILED: &str = "InitCommandFailed";

/// What programs print when a service does not answer.
const AWAY: [&str; 14] = [
    "ECONNREFUSED",
    "ENOTFOUND",
    "EAI_AGAIN",
    "ETIMEDOUT",
    "EHOSTUNREACH",
    "onnection refused",
    "onnection timed out",
    "no such host",
    "Name or service not known",
    "Temporary failure in name resolution",
    "could not translate host name",
    "nodename nor servname",
    "UnknownHostException",
    "Can't reach database server",
];

/// The reason that Kubernetes gives is one of these.
#[must_use]
pub fn is_reason(reason: &str) -> bool {
    REASONS.contains(&reason)
}

/// The cause is outside the version.
pub(super) fn is_outside(trouble: &Trouble) -> bool {
    let exits =
        matches!(trouble.reason.as_str(), "CrashLoopBackOff" | "ContainerExits" | INIT_COMMAND_FAILED);
    is_reason(&trouble.reason) || exits && AWAY.iter().any(|words| trouble.message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_quota_node_and_database_faults_are_outside_the_version_and_bugs_are_not() {
        let is = |reason: &str, message: &str| {
            is_outside(&Trouble { reason: reason.to_owned(), message: message.to_owned() })
        };
        assert!(
            is("ImagePullBackOff", "") && is("Unschedulable", "") && is("FailedCreate", "exceeded quota")
        );
        assert!(is("CrashLoopBackOff", "exit code 1: Error: connect ECONNREFUSED 10.0.0.5:5432"));
        assert!(is("ContainerExits", "java.net.ConnectException: Connection refused"));
        assert!(!is("CrashLoopBackOff", "TypeError: x is not a function"));
        assert!(!is("NotListening", "connection refused on port 3000"), "the app itself refuses");
        assert!(!is("InvalidImageName", ""));
    }
}
