//! No write without the lease: a client that sends changes only while the lease lasts, by this process's own monotonic
//! clock. A process that was frozen past its lease finds the fence closed when it continues.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Instant;

use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use tower::{BoxError, service_fn};

/// Until when this process may write. Clones share one fence.
#[derive(Clone, Debug, Default)]
pub struct Fence {
    open_until: Arc<Mutex<Option<Instant>>>,
}

/// The fence was closed, so the write was not sent.
#[derive(Debug, thiserror::Error)]
#[error("write not sent: this operator does not hold the lease, or could not renew it in time")]
pub struct Closed;

impl Fence {
    /// Allows writes until `end`.
    pub fn open_until(&self, end: Instant) {
        *self.lock() = Some(end);
    }

    /// Blocks all writes from now on.
    pub fn close(&self) {
        *self.lock() = None;
    }

    /// Whether a write may be sent now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().is_some_and(|end| Instant::now() < end)
    }

    /// The client behind this fence. Reads and watches pass, so the caches of a standby are warm.
    #[must_use]
    pub fn guard(&self, client: Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        let fence = self.clone();
        let guarded = service_fn(move |request| send(fence.clone(), client.clone(), request));
        Client::new(guarded, namespace)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.open_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn send(fence: Fence, client: Client, request: Request<Body>) -> Result<Response<Body>, BoxError> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(client.send(request).await?);
    }
    let mut sent = pin!(client.send(request));
    // Checked at each step: the lease may end while a connection is being opened.
    poll_fn(|context| {
        if !fence.is_open() {
            return Poll::Ready(Err(Closed.into()));
        }
        sent.as_mut().poll(context).map_err(BoxError::from)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use kube::api::{Patch, PatchParams};
    use serde_json::json;

    use super::*;

    /// A server that answers every request with the same object, and counts requests.
    fn server() -> (Client, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let answer = service_fn(move |_: Request<Body>| {
            counted.fetch_add(1, Ordering::Relaxed);
            let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "site" } });
            async move { Ok::<_, BoxError>(Response::new(Body::from(body.to_string().into_bytes()))) }
        });
        (Client::new(answer, "shops"), asked)
    }

    async fn write(client: &Client) -> Result<ConfigMap, kube::Error> {
        let maps = Api::<ConfigMap>::default_namespaced(client.clone());
        maps.patch("site", &PatchParams::default(), &Patch::Merge(json!({}))).await
    }

    #[tokio::test]
    async fn writes_pass_only_while_the_fence_is_open_and_reads_always_pass() {
        let (client, asked) = server();
        let fence = Fence::default();
        let guarded = fence.guard(client);
        let maps = Api::<ConfigMap>::default_namespaced(guarded.clone());

        maps.get("site").await.unwrap();
        let refused = write(&guarded).await.unwrap_err();
        assert!(refused.to_string().contains("does not hold the lease"), "{refused}");
        assert_eq!(asked.load(Ordering::Relaxed), 1, "only the read was sent");

        fence.open_until(Instant::now() + Duration::from_hours(1));
        write(&guarded).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 2);

        fence.open_until(Instant::now());
        write(&guarded).await.unwrap_err();
        fence.open_until(Instant::now() + Duration::from_hours(1));
        fence.close();
        write(&guarded).await.unwrap_err();
        maps.get("site").await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 3, "only the read was sent");
    }

    #[tokio::test]
    async fn a_write_waiting_for_a_connection_is_dropped_when_the_fence_closes() {
        let (way, begun) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
        let asked = Arc::new(AtomicUsize::new(0));
        let (opened, told, counted) = (way.clone(), begun.clone(), asked.clone());
        let connecting = service_fn(move |_: Request<Body>| {
            let (opened, told, counted) = (opened.clone(), told.clone(), counted.clone());
            async move {
                told.notify_one();
                opened.notified().await;
                counted.fetch_add(1, Ordering::Relaxed);
                Ok::<_, BoxError>(Response::new(Body::empty()))
            }
        });
        let fence = Fence::default();
        fence.open_until(Instant::now() + Duration::from_hours(1));
        let guarded = fence.guard(Client::new(connecting, "shops"));
        let waits = tokio::spawn(async move { write(&guarded).await });
        begun.notified().await;
        fence.close();
        way.notify_one();
        let refused = waits.await.unwrap().unwrap_err();
        assert!(refused.to_string().contains("does not hold the lease"), "{refused}");
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    }
}
