//! A registry and the registry proxy before it, each in a process of its own.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::PATIENCE;

/// Debian's `docker-registry`. Dropping it ends it and deletes its content.
pub(crate) struct Registry {
    _process: Child,
    directory: TempDir,
    /// `host:port`.
    pub(crate) host: String,
}

impl Registry {
    pub(crate) async fn start() -> Self {
        let (host, directory) = (free(), tempfile::tempdir().unwrap());
        let config = json!({
            "version": "0.1", "http": { "addr": host },
            "storage": {
                "filesystem": { "rootdirectory": directory.path().join("data") }, "delete": { "enabled": true }
            },
        });
        let file = directory.path().join("config.yml");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(file).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let process = command.spawn().expect("docker-registry (Debian package docker-registry) is on PATH");
        until_ready(&format!("http://{host}/v2/")).await;
        Self { _process: process, directory, host }
    }
}

impl Registry {
    /// Where it stores its content.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// The registry proxy before a registry. Dropping it ends it.
pub(crate) struct Proxy {
    process: Child,
    /// `host:port` for everything, and for reads only.
    pub(crate) host: String,
    pub(crate) reads: String,
}

impl Proxy {
    /// `nodes` and `sweep` are `ServiceAccount`s, `namespace:name`.
    pub(crate) async fn start(registry: &Registry, nodes: &str, sweep: &str) -> Self {
        let (host, reads) = (free(), free());
        let port = |host: &str| host.rsplit_once(':').unwrap().1.to_owned();
        let mut command = Command::new(env!("CARGO_BIN_EXE_doce-operator"));
        command.args(["registry-proxy", "--registry", &registry.host, "--port", &port(&host)]);
        command.args(["--read-port", &port(&reads), "--node-account", nodes, "--sweep-account", sweep]);
        let process = command.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        until_ready(&format!("http://{host}/readyz")).await;
        Self { process, host, reads }
    }

    /// The largest memory that the process has had, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id().unwrap())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

async fn until_ready(url: &str) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answers = async {
        while !client.get(url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, answers).await.expect("it answers");
}

/// A client of a registry with a token.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    host: String,
    token: Option<String>,
}

impl Client {
    pub(crate) fn new(host: &str, token: Option<&str>) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, host: host.to_owned(), token: token.map(str::to_owned) }
    }

    /// A request for a path below `/v2/`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.login(self.http.request(method, format!("http://{}/v2/{path}", self.host)))
            .header("accept", MANIFEST)
    }

    fn login(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.basic_auth("any", Some(token)),
            None => request,
        }
    }

    pub(crate) async fn status(&self, method: Method, path: &str) -> u16 {
        self.request(method, path).send().await.unwrap().status().as_u16()
    }

    /// The status and message of an answer that rejects.
    pub(crate) async fn refusal(&self, method: Method, path: &str) -> (u16, String) {
        let answer = self.request(method, path).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        (status, body["errors"][0]["message"].as_str().unwrap_or_default().to_owned())
    }

    /// Pushes a blob, and returns its digest.
    pub(crate) async fn push_blob(&self, repository: &str, bytes: Vec<u8>) -> String {
        let digest = sum(&bytes);
        let begun = self.request(Method::POST, &format!("{repository}/blobs/uploads/")).send().await;
        let begun = begun.and_then(Response::error_for_status).unwrap();
        let mut place = begun.url().join(begun.headers()["location"].to_str().unwrap()).unwrap();
        place.query_pairs_mut().append_pair("digest", &digest);
        let put = self.login(self.http.put(place)).header("content-type", "application/octet-stream");
        put.body(bytes).send().await.and_then(Response::error_for_status).unwrap();
        digest
    }

    /// Pushes an image of one layer under a tag. Returns the digest of its manifest.
    pub(crate) async fn push(&self, repository: &str, tag: &str, words: &str) -> String {
        let layer = self.push_blob(repository, words.as_bytes().to_vec()).await;
        let config = self.push_blob(repository, b"{}".to_vec()).await;
        let part = |kind: &str, digest: &str, size: usize| json!({ "mediaType": kind, "digest": digest, "size": size });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": part("application/vnd.oci.image.config.v1+json", &config, 2),
            "layers": [part("application/vnd.oci.image.layer.v1.tar", &layer, words.len())],
        });
        let text = manifest.to_string();
        let put = self.request(Method::PUT, &format!("{repository}/manifests/{tag}"));
        let put = put.header("content-type", MANIFEST).body(text.clone()).send().await;
        put.and_then(Response::error_for_status).unwrap();
        sum(text.as_bytes())
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn sum(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes)))
}
