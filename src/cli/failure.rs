//! How a command ends when it does not end well: an exit code, and what happened with the way out.

use crate::text::with_causes;

/// Exit codes of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All is well.
    Well,
    /// The API server or the operator refused, or something broke.
    Error,
    /// The command line is wrong.
    Usage,
    /// The project is not ready, or the time is over.
    NotReady,
}

impl Exit {
    /// The number that the shell gets.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::NotReady => 3,
        }
    }
}

/// Why a command did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The exit code.
    pub(super) exit: Exit,
    /// What happened and the way out.
    pub(super) message: String,
}

impl Failure {
    /// Something broke or was refused.
    pub(super) fn error(message: impl Into<String>) -> Self {
        Self { exit: Exit::Error, message: message.into() }
    }

    /// The command line is wrong.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// The project is not ready, or the time is over.
    pub(super) fn not_ready(message: impl Into<String>) -> Self {
        Self { exit: Exit::NotReady, message: message.into() }
    }

    /// A file could not be read or written.
    pub(super) fn file(path: &str, error: &std::io::Error) -> Self {
        Self::error(format!("{path}: {error}"))
    }

    /// The API server's answer to `doing`, with the way out. `flags` choose the cluster of suggested commands.
    pub(super) fn api(doing: &str, error: &kube::Error, flags: &str) -> Self {
        let kube::Error::Api(status) = error else {
            return Self::error(format!(
                "cannot {doing}: {}. Check the connection: kubectl cluster-info",
                with_causes(error)
            ));
        };
        // Quotas and admission policies answer 403 too.
        let lacks_right = status.code == 403 && status.message.contains(" cannot ");
        let way_out = match status.code {
            401 => {
                ". Log in again: the API server does not accept the credentials of this context".to_owned()
            }
            403 if lacks_right => {
                ". Ask for the ClusterRole edit in this namespace, or choose another namespace with -n"
                    .to_owned()
            }
            404 if status.message.contains("could not find the requested resource") => {
                format!(". Is doce-operator installed on this cluster? See: kubectl doce doctor {flags}")
            }
            _ => String::new(),
        };
        Self::error(format!("cannot {doing}: {}{way_out}", status.message.trim_end_matches('.')))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_missing_right_is_answered_with_a_role() {
        let says = |code: u16, message: &str| {
            let status = serde_json::from_value(json!({ "code": code, "message": message })).unwrap();
            Failure::api("list pods", &kube::Error::Api(status), "-n team --context prod").message
        };
        let right = "pods is forbidden: User \"ann\" cannot list resource \"pods\"";
        assert!(says(403, right).ends_with("choose another namespace with -n"));
        let quota = says(403, "pods \"a\" is forbidden: exceeded quota: small");
        assert_eq!(quota, "cannot list pods: pods \"a\" is forbidden: exceeded quota: small");
        let absent = says(404, "the server could not find the requested resource");
        assert!(absent.ends_with("kubectl doce doctor -n team --context prod"), "{absent}");
    }
}
