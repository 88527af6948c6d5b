//! What handlers take from a request.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::Server;
use super::caller::Token;
use super::problem::Problem;

impl FromRequestParts<Arc<Server>> for Token {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Problem> {
        let token = Self::of(&parts.headers)?;
        server.limits.request_of(token.fingerprint())?;
        Ok(token)
    }
}
