//! Why a registry did not do what it was asked for, and what the build reports of it.

use oci_client::Reference;
use oci_client::errors::{OciDistributionError, OciErrorCode};

use super::super::outcome::Failure;
use super::{chain, room};
use crate::protocol::reason::Reason;
use crate::protocol::report::Stage;

/// Why a registry did not describe an image, or did not take one.
#[derive(Debug, thiserror::Error)]
pub(in crate::builder) enum Error {
    /// The registry answers, the image is not there.
    #[error("there is no image {0}")]
    NotFound(String),
    /// The registry wants credentials or refuses.
    #[error("the registry refuses {0}, which is not for everyone, or does not exist")]
    Denied(String),
    /// The registry answers that its storage, or somebody's part of it, is full.
    #[error("the registry has no room for {image}: {why}")]
    Full { image: String, why: String },
    /// No answer, or none that makes sense.
    #[error("the registry of {image} does not answer: {why}")]
    Unreachable { image: String, why: String },
    /// A reference that is none.
    #[error("{0:?} is no reference of an image")]
    Reference(String),
}

/// What to do when the registry that images are pushed to does not take one.
#[derive(Clone, Debug, Default)]
pub(in crate::builder) struct Advice {
    /// It refuses.
    pub(in crate::builder) refused: String,
    /// It has no room.
    pub(in crate::builder) full: &'static str,
}

impl Error {
    /// Seen from the source: an image that a person named.
    pub(in crate::builder) fn of_source(&self) -> Failure {
        let reason = match self {
            Self::NotFound(_) | Self::Reference(_) => Reason::SourceNotFound,
            Self::Denied(_) => Reason::SourceAuthFailed,
            Self::Unreachable { .. } | Self::Full { .. } => Reason::SourceUnreachable,
        };
        let advice = Advice {
            refused: "name its Secret in secretRef, or correct the reference".to_owned(),
            ..Advice::default()
        };
        Failure::new(Stage::Resolve, reason, format!("{self}; {}", self.way_out(&advice)))
    }

    /// Seen from the repository that builds are pushed to.
    pub(in crate::builder) fn of_push(&self, advice: &Advice) -> Failure {
        let reason = match self {
            Self::Denied(_) => Reason::RegistryDenied,
            Self::Full { .. } => Reason::RegistryFull,
            _ => Reason::RegistryUnavailable,
        };
        Failure::new(Stage::Push, reason, format!("{self}; {}", self.way_out(advice)))
    }

    fn way_out<'a>(&self, advice: &'a Advice) -> &'a str {
        match self {
            Self::Denied(_) => &advice.refused,
            Self::Full { .. } if !advice.full.is_empty() => advice.full,
            _ => "check the reference and that pods reach the registry",
        }
    }
}

pub(super) fn explain(reference: &Reference, error: &OciDistributionError) -> Error {
    use OciDistributionError as E;

    let image = reference.to_string();
    if let Some(why) = room::refusal(error) {
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
