//! The way to the API server with the caller's own token. All callers share the connections.

use std::time::Duration;

use http::{Request, header};
use http_body_util::Limited;
use kube::client::Body;
use kube::config::AuthInfo;
use kube::{Client, Config};
use tower::{BoxError, service_fn};

use super::caller::Token;

/// Time to connect to the API server.
const CONNECT: Duration = Duration::from_secs(5);

/// Largest answer of the API server, but for a log, which is not kept.
const ANSWER: usize = 8 << 20;

/// Sends requests with the tokens of callers.
#[derive(Clone)]
pub(super) struct Door {
    /// It has no credentials.
    bare: Client,
}

impl Door {
    /// To the API server of `config`, without its credentials.
    pub(super) fn new(mut config: Config) -> Result<Self, kube::Error> {
        config.auth_info = AuthInfo::default();
        config.headers.clear();
        config.connect_timeout = Some(CONNECT);
        Ok(Self { bare: Client::try_from(config)? })
    }

    /// A client that does what `token` may do.
    pub(super) fn of(&self, token: &Token) -> Client {
        let (bare, login) = (self.bare.clone(), token.header().clone());
        let namespace = bare.default_namespace().to_owned();
        let service = service_fn(move |mut request: Request<Body>| {
            request.headers_mut().insert(header::AUTHORIZATION, login.clone());
            let bare = bare.clone();
            let most = if request.uri().path().ends_with("/log") { usize::MAX } else { ANSWER };
            async move {
                let answer = bare.send(request).await?;
                Ok::<_, BoxError>(answer.map(|body| Limited::new(body, most)))
            }
        });
        Client::new(service, namespace)
    }
}
