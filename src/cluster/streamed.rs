//! The watch of one kind. The API server sends the existing objects as its first events, so no list is needed
//! (docs/decisions/0060).

use std::future::ready;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use http::{Request, Uri};
use kube::client::Body;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tower::{BoxError, service_fn};

use super::pulses::Pulse;

/// Seconds after which the API server ends a watch and we start it again. A half-open connection is noticed by then.
pub(super) const WATCH_SECONDS: u32 = 60;

/// Objects of a page, if the API server cannot stream. A page is in memory at once, and an object may have more than a megabyte.
const PAGE: u32 = 20;

/// The events of all objects that `config` selects. If the API server cannot stream the existing objects, or not before it ends the
/// watch, the operator lists them, until it restarts.
pub(super) fn events<K>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<watcher::Event<K>>> + use<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let config = config.timeout(WATCH_SECONDS).page_size(PAGE);
    let mut first = FirstEvents::default();
    let streamed = watcher(api.clone(), config.clone().streaming_lists());
    let streamed = streamed.take_while(move |event| {
        let goes_on = first.go_on(event);
        if !goes_on {
            tracing::info!(kind = %K::kind(&()), "the API server cannot stream the existing objects, listing them");
        }
        ready(goes_on)
    });
    streamed.chain(watcher(api, config)).default_backoff()
}

/// Whether the first events of a watch arrive.
#[derive(Default)]
struct FirstEvents {
    /// They have begun, and neither their end nor an error has followed.
    begun: bool,
}

impl FirstEvents {
    /// False if the API server rejects such watches, or ended one before it was complete: there are too many objects for
    /// [`WATCH_SECONDS`].
    fn go_on<K>(&mut self, event: &watcher::Result<watcher::Event<K>>) -> bool {
        match event {
            Ok(watcher::Event::Init) => !std::mem::replace(&mut self.begun, true),
            Ok(watcher::Event::InitApply(_)) => true,
            Ok(_) | Err(_) => {
                self.begun = false;
                !cannot_stream(event)
            }
        }
    }
}

/// The events, without errors: each is logged, and the watch restarts. `pulse` notes both.
pub(super) fn logged<K: Resource<DynamicType = ()>>(
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>>,
    pulse: Arc<Pulse>,
) -> impl Stream<Item = watcher::Event<K>> {
    events.filter_map(move |event| {
        pulse.heard(&event);
        let failed = |error: &watcher::Error| {
            tracing::warn!(%error, kind = %K::kind(&()), "watch failed, restarting it");
        };
        ready(event.inspect_err(failed).ok())
    })
}

/// The API server has the feature gate `WatchList` turned off.
fn cannot_stream<E>(event: &watcher::Result<E>) -> bool {
    matches!(event, Err(watcher::Error::WatchStartFailed(kube::Error::Api(status))) if status.code == 422)
}

/// The client for one watch with [`events`]. `pulse` notes each answer that continues the watch. kube asks for objects of version 0 or later, and an API server that lags behind may then answer
/// with old ones: a restart would take the operator back in time. Without a version, the answer is consistent.
pub(super) fn consistent(client: &Client, pulse: &Arc<Pulse>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let (client, pulse) = (client.clone(), pulse.clone());
    let service = service_fn(move |request: Request<Body>| {
        let (client, pulse) = (client.clone(), pulse.clone());
        async move {
            let continues = continues_a_watch(request.uri());
            let answer = client.send(without_version(request)?).await?;
            if continues && answer.status().is_success() {
                pulse.beat();
            }
            Ok::<_, BoxError>(answer)
        }
    });
    Client::new(service, namespace)
}

/// The request continues a watch after its first list.
fn continues_a_watch(uri: &Uri) -> bool {
    let has = |pair| uri.query().is_some_and(|query| query.split('&').any(|there| there == pair));
    has("watch=true") && !has(STREAMS_FIRST)
}

/// The API server sends the existing objects as the first events.
const STREAMS_FIRST: &str = "sendInitialEvents=true";

fn without_version(mut request: Request<Body>) -> Result<Request<Body>, http::Error> {
    let query: Vec<&str> = request.uri().query().unwrap_or_default().split('&').collect();
    if query.contains(&STREAMS_FIRST) {
        let kept: Vec<&str> = query.into_iter().filter(|pair| *pair != "resourceVersion=0").collect();
        let path = format!("{}?{}", request.uri().path(), kept.join("&"));
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(path.try_into()?);
        *request.uri_mut() = Uri::from_parts(parts)?;
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn sent(uri: &str) -> String {
        let request = Request::get(uri).body(Body::empty()).unwrap();
        without_version(request).unwrap().uri().to_string()
    }

    #[test]
    fn a_first_watch_names_no_version_and_other_requests_are_unchanged() {
        assert_eq!(
            sent(
                "/api/v1/pods?&watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=0"
            ),
            "/api/v1/pods?&watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
        );
        for uri in
            ["/api/v1/pods", "/api/v1/pods?&watch=true&resourceVersion=0", "/api/v1/pods?&resourceVersion=07"]
        {
            assert_eq!(sent(uri), uri);
        }
    }

    #[test]
    fn only_the_answer_to_a_watch_that_continues_is_a_sign_of_life() {
        let continues = |uri: &str| continues_a_watch(&uri.parse().unwrap());
        assert!(continues("/api/v1/pods?&watch=true&timeoutSeconds=60&resourceVersion=7"));
        assert!(
            !continues("/api/v1/pods?&watch=true&sendInitialEvents=true"),
            "the first list may never end"
        );
        assert!(!continues("/api/v1/pods?&limit=500"), "nor may one that consists of pages");
    }

    #[test]
    fn only_an_api_server_that_rejects_the_first_watch_is_asked_for_lists() {
        let answer = |code| {
            let status = Status { code, ..Status::default() };
            Err::<(), _>(watcher::Error::WatchStartFailed(kube::Error::Api(Box::new(status))))
        };
        assert!(cannot_stream(&answer(422)));
        assert!(!cannot_stream(&answer(403)) && !cannot_stream(&answer(500)) && !cannot_stream(&Ok(())));
    }

    #[test]
    fn a_first_watch_that_ends_before_it_is_complete_is_followed_by_lists_unless_an_error_ended_it() {
        use watcher::Event::{Apply, Init, InitApply, InitDone};
        let mut first = FirstEvents::default();
        let mut go_on = |event| first.go_on::<()>(&event);
        assert!(
            [Init, InitApply(()), InitDone, Apply(())].map(|event| go_on(Ok(event))).iter().all(|on| *on)
        );
        assert!(go_on(Ok(Init)) && go_on(Ok(InitApply(()))), "a later watch may start over");
        assert!(go_on(Err(watcher::Error::NoResourceVersion)) && go_on(Ok(Init)), "the connection was lost");
        assert!(go_on(Ok(InitApply(()))) && !go_on(Ok(Init)));
    }
}
