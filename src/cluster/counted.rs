//! A client that counts its requests.

use http::Request;
use kube::Client;
use kube::client::Body;
use tower::{BoxError, service_fn};

use crate::metrics::Requests;

/// The same client, whose requests count.
#[must_use]
pub fn counted(client: Client, requests: Requests) -> Client {
    let namespace = client.default_namespace().to_owned();
    let counting = service_fn(move |request: Request<Body>| {
        let (client, requests) = (client.clone(), requests.clone());
        async move {
            let method = request.method().to_string();
            let answer = client.send(request).await;
            requests.count(&method, answer.as_ref().ok().map(|answer| answer.status().as_u16()));
            Ok::<_, BoxError>(answer?)
        }
    });
    Client::new(counting, namespace)
}
