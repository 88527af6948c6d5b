//! Why a registry did not serve a request, and what the build reports.

use oci_client::Reference;
use oci_client::errors::{OciDistributionError, OciErrorCode};

use super::super::outcome::Failure;
use super::{chain, quota};
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// Why a registry did not describe or accept an image.
#[derive(Debug, thiserror::Error)]
pub(in crate::builder) enum Error {
    /// The registry answers that the image does not exist.
    #[error("image {0} does not exist")]
    NotFound(String),
    /// The registry requires credentials or rejects the request.
    #[error("the registry rejected {0}, which is private or does not exist")]
    Denied(String),
    /// The registry answers that its storage or a quota is full.
    #[error("the registry is full and rejected {image}: {why}")]
    Full { image: String, why: String },
    /// No answer, or an unusable one.
    #[error("the registry of {image} does not answer: {why}")]
    Unreachable { image: String, why: String },
    /// The text is not a reference.
    #[error("{0:?} is not an image reference")]
    Reference(String),
}

/// What to do when the registry for images rejects one.
#[derive(Clone, Debug, Default)]
pub(in crate::builder) struct Advice {
    /// When it denies access.
    pub(in crate::builder) refused: String,
    /// When it is full.
    pub(in crate::builder) full: &'static str,
}

impl Error {
    /// The failure for an image that a person named as source.
    pub(in crate::builder) fn of_source(&self) -> Failure {
        let reason = match self {
            Self::NotFound(_) | Self::Reference(_) => FailureReason::SourceNotFound,
            Self::Denied(_) => FailureReason::SourceAuthFailed,
            Self::Unreachable { .. } | Self::Full { .. } => FailureReason::SourceUnreachable,
        };
        let advice = Advice {
            refused: "set secretRef to its Secret, or correct the reference".to_owned(),
            ..Advice::default()
        };
        Failure::new(Stage::Resolve, reason, format!("{self}; {}", self.way_out(&advice)))
    }

    /// The failure for the repository that builds push to.
    pub(in crate::builder) fn of_push(&self, advice: &Advice) -> Failure {
        let reason = match self {
            Self::Denied(_) => FailureReason::RegistryDenied,
            Self::Full { .. } => FailureReason::RegistryFull,
            _ => FailureReason::RegistryUnavailable,
        };
        Failure::new(Stage::Push, reason, format!("{self}; {}", self.way_out(advice)))
    }

    fn way_out<'a>(&self, advice: &'a Advice) -> &'a str {
        match self {
            Self::Denied(_) => &advice.refused,
            Self::Full { .. } if !advice.full.is_empty() => advice.full,
            _ => "check the reference, and that pods can reach the registry",
        }
    }
}

pub(super) fn explain(reference: &Reference, error: &OciDistributionError) -> Error {
    use OciDistributionError as E;

    let image = reference.to_string();
    if let Some(why) = quota::refusal(error) {
        return Error::Full { image, why };
    }
    match error {
        E::ImageManifestNotFoundError(_) | E::ServerError { code: 404, .. } => Error::NotFound(image),
        E::AuthenticationFailure(_)
        | E::UnauthorizedError { .. }
        | E::ServerError { code: 401 | 403, .. } => Error::Denied(image),
        E::RegistryError { envelope, .. } => {
            let has =
                |codes: &[OciErrorCode]| envelope.errors.iter().any(|error| codes.contains(&error.code));
            if has(&[OciErrorCode::ManifestUnknown, OciErrorCode::NameUnknown, OciErrorCode::NotFound]) {
                Error::NotFound(image)
            } else if has(&[OciErrorCode::Unauthorized, OciErrorCode::Denied]) {
                Error::Denied(image)
            } else {
                Error::Unreachable { image, why: error.to_string() }
            }
        }
        other => Error::Unreachable { image, why: chain(other) },
    }
}
