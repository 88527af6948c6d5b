//! Asks the API server whose a token is. The registry proxy does; the operator never sees a token.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

use super::Error;

/// Reviews tokens.
#[derive(Clone)]
pub struct TokenReviews {
    api: Api<TokenReview>,
}

impl TokenReviews {
    /// Through `client`, which may create `TokenReviews`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { api: Api::all(client) }
    }

    /// The user of a token that is valid for `audience`; `None` if it is not valid.
    pub async fn user(&self, token: &str, audience: &str) -> Result<Option<String>, Error> {
        let spec =
            TokenReviewSpec { token: Some(token.to_owned()), audiences: Some(vec![audience.to_owned()]) };
        let review = TokenReview { spec, ..TokenReview::default() };
        let answer = self.api.create(&PostParams::default(), &review).await;
        let answer = answer.map_err(|error| Error::sort("review a token", error))?;
        let Some(status) = answer.status.filter(|status| status.authenticated == Some(true)) else {
            return Ok(None);
        };
        // An API server that does not know audiences authenticates a token for any of them.
        let meant = status.audiences.is_some_and(|audiences| audiences.iter().any(|one| one == audience));
        Ok(status.user.and_then(|user| user.username).filter(|_| meant))
    }
}
