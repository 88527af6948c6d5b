//! The HTTP API under test: the real server in this process on a port of its own, with exactly the rights of the chart. Callers use
//! real HTTP and tokens of the real API server.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use doce_operator::server;
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::rbac::v1::RoleBinding;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::operator::as_user;
use super::setup::SERVERS;
use super::{PATIENCE, World};

/// The audience of tokens for the API server of these tests.
const AUDIENCE: &str = "https://kubernetes.default.svc.cluster.local";

/// A running server. Dropping it kills it.
pub(crate) struct ApiServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its metrics and probes are.
    pub metrics: SocketAddr,
    /// Its user in the audit log.
    pub user: String,
    task: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
}

impl ApiServer {
    /// Starts a server for the namespace of `world`.
    pub(crate) async fn start(world: &World) -> Self {
        Self::start_with(world, |_| {}).await
    }

    /// Starts a server with other settings.
    pub(crate) async fn start_with(world: &World, set: impl FnOnce(&mut server::Arguments)) -> Self {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut arguments = server::Arguments {
            address: any,
            metrics_address: any,
            namespace: world.namespace.clone(),
            default_namespace: String::new(),
            origins: vec![],
            rate: 10_000.try_into().unwrap(),
            streams_per_caller: 1000,
            streams: 1000,
            connections: 2000,
        };
        set(&mut arguments);
        let user = format!("system:serviceaccount:{}:doce-server", world.namespace);
        let bound = server::bind(arguments, as_user(&user, SERVERS).await).unwrap();
        let (address, metrics) = bound.addresses().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(bound.serve(async {
            let _ = stopped.await;
        }));
        let server = Self { address, metrics, user, task, stop: Some(stop) };
        server.until_ready().await;
        server
    }

    async fn until_ready(&self) {
        let caller = Caller::new(self, None);
        let ready = async {
            while caller
                .request(Method::GET, "/readyz")
                .send()
                .await
                .is_ok_and(|answer| answer.status() != 200)
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("the server is ready");
    }

    /// Stops it like SIGTERM and waits for its end.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.task).await.unwrap();
    }

    /// Kills it, with all connections, and waits until its port is free.
    pub(crate) async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// The value of a metric with its labels, as `/metrics` has it.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        metric(self.metrics, name).await
    }
}

/// A server that listens.
pub(crate) trait Listens {
    /// The address of its API.
    fn address(&self) -> SocketAddr;
}

impl Listens for ApiServer {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The value of a metric with its labels, as `/metrics` at this address has it.
pub(crate) async fn metric(metrics: SocketAddr, name: &str) -> Option<f64> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let text = client.get(format!("http://{metrics}/metrics")).send().await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

impl ApiServer {
    /// Reads a metric until it has this value.
    pub(crate) async fn until_metric(&self, name: &str, value: f64) {
        let mut last = None;
        let has = async {
            while last != Some(value) {
                last = self.metric(name).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, has).await;
        assert!(waited.is_ok(), "timed out waiting for {name} {value}, which is {last:?}");
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client of the HTTP API.
#[derive(Clone)]
pub(crate) struct Caller {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Caller {
    /// With this token.
    pub(crate) fn new(server: &impl Listens, token: Option<&str>) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, base: format!("http://{}", server.address()), token: token.map(str::to_owned) }
    }

    /// An account with the role `edit` in the namespace of `world`.
    pub(crate) async fn editor(world: &World, server: &impl Listens) -> Self {
        Self::with_role(world, server, "editor", "edit").await
    }

    /// An account with a role in the namespace of `world`.
    pub(crate) async fn with_role(world: &World, server: &impl Listens, account: &str, role: &str) -> Self {
        let caller = Self::stranger(world, server, account).await;
        world.grant(account, role).await;
        caller
    }

    /// An account without rights.
    pub(crate) async fn stranger(world: &World, server: &impl Listens, account: &str) -> Self {
        Self::new(server, Some(&world.token(account, AUDIENCE, None).await))
    }

    /// The same caller at another server.
    pub(crate) fn at(&self, server: &impl Listens) -> Self {
        Self::new(server, self.token.as_deref())
    }

    /// The token.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().unwrap()
    }

    /// A request with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request with a JSON body.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request =
            self.request(method, path).header("content-type", "application/json").body(body.to_string());
        read(request.send().await.unwrap()).await
    }

    /// Reads a path.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// Posts `{}` to a path.
    pub(crate) async fn post(&self, path: &str) -> (u16, Value) {
        self.send(Method::POST, path, &json!({})).await
    }

    /// Opens a stream, after the event with this id.
    pub(crate) async fn events(&self, path: &str, last: Option<&str>) -> Events {
        let mut request = self.request(Method::GET, path).header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Events::new(answer)
    }
}

/// The status and JSON of an answer; null without any.
pub(crate) async fn read(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let problem = answer.headers().get("content-type").is_some_and(|kind| kind == "application/problem+json");
    let text = answer.text().await.unwrap();
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    assert_eq!(problem, status >= 400, "{status} {text}");
    if problem {
        assert_eq!(value["status"], status, "{text}");
    }
    (status, value)
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentEvent {
    /// Its name.
    pub name: String,
    /// Its id; empty without one.
    pub id: String,
    /// Its data.
    pub data: Value,
}

/// The events of a stream.
pub(crate) struct Events {
    bytes: Pin<Box<dyn Stream<Item = Vec<u8>> + Send>>,
    buffer: String,
}

impl Events {
    fn new(answer: Response) -> Self {
        let bytes = answer.bytes_stream().take_while(|read| std::future::ready(read.is_ok()));
        Self { bytes: Box::pin(bytes.map(|read| read.unwrap().to_vec())), buffer: String::new() }
    }

    /// The next event; none at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<SentEvent> {
        tokio::time::timeout(PATIENCE, self.read()).await.expect("the stream goes on or ends")
    }

    async fn read(&mut self) -> Option<SentEvent> {
        loop {
            while let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                let field = |name: &str| {
                    let found = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                    found.map(str::trim_start).collect::<Vec<_>>().join("\n")
                };
                if field("data").is_empty() {
                    continue; // A sign of life.
                }
                let data = serde_json::from_str(&field("data")).unwrap();
                return Some(SentEvent { name: field("event"), id: field("id"), data });
            }
            let more = self.bytes.next().await?;
            self.buffer.push_str(std::str::from_utf8(&more).unwrap());
        }
    }

    /// Reads until an event with this name. Returns all events with it.
    pub(crate) async fn until(&mut self, name: &str) -> Vec<SentEvent> {
        let mut seen = vec![];
        while let Some(event) = self.next().await {
            seen.push(event);
            if seen.last().unwrap().name == name {
                return seen;
            }
        }
        panic!("the stream ended before {name}: {seen:?}");
    }
}

impl World {
    /// Gives an account a role in this namespace.
    pub(crate) async fn grant(&self, account: &str, role: &str) {
        let binding = json!({
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
            "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": self.namespace }],
        });
        self.try_apply_object::<RoleBinding>(account, binding).await.unwrap();
        // The rights of the API server follow the binding after a moment.
        let spec = json!({ "spec": {
            "user": format!("system:serviceaccount:{}:{account}", self.namespace),
            "resourceAttributes": { "verb": "get", "group": "doce.dev", "resource": "projectdeployments", "namespace": self.namespace },
        } });
        let review: k8s_openapi::api::authorization::v1::SubjectAccessReview =
            serde_json::from_value(spec).unwrap();
        let reviews = kube::Api::all(self.client.clone());
        let granted = async {
            loop {
                let answer: k8s_openapi::api::authorization::v1::SubjectAccessReview =
                    reviews.create(&kube::api::PostParams::default(), &review).await.unwrap();
                if answer.status.is_some_and(|status| status.allowed) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, granted).await.expect("the role is in force");
    }

    /// Path of a project.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("/api/v1/namespaces/{}/projects/{name}", self.namespace)
    }
}
