//! The way to the API server with the caller's own token. All callers share the connections.

use std::time::Duration;

use http::{Request, header};
use http_body_util::Limited;
use kube::client::Body;
use kube::config::AuthInfo;
use kube::{Client, Config};
use tower::{BoxError, service_fn};

use super::caller::Token;
use crate::cluster::counted::counted;
use crate::metrics::Requests;

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
    /// To the API server of `config`, without its credentials. Requests count in `sent`.
    pub(super) fn new(mut config: Config, sent: Requests) -> Result<Self, kube::Error> {
        config.auth_info = AuthInfo::default();
        config.headers.clear();
        config.connect_timeout = Some(CONNECT);
        Ok(Self { bare: counted(Client::try_from(config)?, sent) })
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

#[cfg(test)]
mod tests {
    use axum::body::Body as Bytes;
    use http::{HeaderMap, Response};
    use k8s_openapi::api::core::v1::Pod;
    use kube::Api;
    use kube::api::{ListParams, LogParams};

    use super::*;
    use crate::server::refusal::problem;

    /// An API server whose every answer has so many bytes.
    fn pods(bytes: usize) -> Api<Pod> {
        let large = service_fn(move |_: Request<Body>| {
            std::future::ready(Ok::<_, BoxError>(Response::new(Bytes::from("x".repeat(bytes)))))
        });
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer a".parse().unwrap());
        let door = Door { bare: Client::new(large, "shops") };
        Api::namespaced(door.of(&Token::of(&headers).unwrap()), "shops")
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_is_a_bad_gateway_that_says_so_and_a_log_is_not_bounded() {
        let pods = pods(ANSWER + 1);
        let refused = problem(&pods.list(&ListParams::default()).await.unwrap_err(), false);
        assert!(refused.status == 502 && refused.detail.contains("larger than 8 MiB"), "{}", refused.detail);
        let log = pods.logs("p", &LogParams::default()).await.unwrap();
        assert_eq!(log.len(), ANSWER + 1);
    }
}
