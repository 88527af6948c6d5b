//! Sources without a repository: an archive behind a URL, an artifact in the layout of Flux, an archive in a ConfigMap.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use doce_operator::crd::ProjectDeploymentStatus;
use k8s_openapi::api::core::v1::ConfigMap;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::until_answer;
use crate::harness::{PATIENCE, World, holds};
use crate::repository::variable;

const DOCKERFILE: &str = "FROM docker.io/library/busybox:1.37\nCOPY index.html /www/\nUSER 1000\n\
    CMD [\"sh\", \"-c\", \"exec httpd -f -p $PORT -h /www\"]\n";
/// Host name under which build pods push. They use plain HTTP for it.
const REGISTRY: &str = "doce-doce-operator-registry.doce-system.svc:5000";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn sum(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// A site with this text, as a tar.gz of files below `top`.
fn packed(top: &str, words: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(vec![], flate2::Compression::fast()));
    for (name, text) in [("Dockerfile", DOCKERFILE), ("index.html", words)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{top}{name}"), text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// Serves the current content of `file` to the cluster. Returns the URL.
async fn serve(file: Arc<Mutex<Vec<u8>>>) -> String {
    let git = Url::parse(&variable("DOCE_GIT_URL")).unwrap();
    let listener = tokio::net::TcpListener::bind((git.host_str().unwrap(), 0)).await.unwrap();
    let url = format!("http://{}/shop-1.4.0.tar.gz", listener.local_addr().unwrap());
    let hand_out = move || {
        let bytes = file.lock().unwrap().clone();
        async move { bytes }
    };
    let router = Router::new().route("/shop-1.4.0.tar.gz", get(hand_out));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// Longest wait for one answer of a registry that is ready.
const SOON: Duration = Duration::from_secs(5);

/// Pushes `layer` as an artifact in the layout of `flux push artifact`. Returns the digest of its manifest.
async fn push(world: &World, path: &str, tag: &str, layer: Vec<u8>) -> String {
    let client = Client::builder().no_proxy().build().unwrap();
    let (address, token) = (world.registry("registry").await, world.registry_token().await);
    let login = |request: RequestBuilder| request.basic_auth("any", Some(&token));
    // The node's rules for a Service follow a moment after its pod is ready. Until then, a connection may lead nowhere.
    let ready = format!("http://{address}/readyz");
    let answers = async {
        while !client.get(&ready).timeout(SOON).send().await.is_ok_and(|answer| answer.status().is_success())
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, answers).await.expect("the registry answers");
    let registry = format!("http://{address}/v2/{path}");
    let config = b"{}".to_vec();
    let descriptor = |kind: &str, bytes: &[u8]| json!({ "mediaType": format!("application/vnd.cncf.flux.{kind}"), "digest": sum(bytes), "size": bytes.len() });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": descriptor("config.v1+json", &config), "layers": [descriptor("content.v1.tar+gzip", &layer)],
        "annotations": { "org.opencontainers.image.revision": "main@sha1:0123" },
    });
    for bytes in [config, layer] {
        let begun = login(client.post(format!("{registry}/blobs/uploads/"))).send().await;
        let begun = begun.and_then(Response::error_for_status).unwrap();
        let mut place = begun.url().join(begun.headers()[LOCATION].to_str().unwrap()).unwrap();
        place.query_pairs_mut().append_pair("digest", &sum(&bytes));
        let put = login(client.put(place).body(bytes)).send().await;
        put.and_then(Response::error_for_status).unwrap();
    }
    let text = manifest.to_string();
    let put = client.put(format!("{registry}/manifests/{tag}")).header(CONTENT_TYPE, MANIFEST);
    login(put.body(text.clone())).send().await.and_then(Response::error_for_status).unwrap();
    sum(text.as_bytes())
}

/// Waits until the project is built from this source and answers.
async fn answers(world: &World, name: &str, words: &str) -> ProjectDeploymentStatus {
    let status = world.until_ready(name).await;
    until_answer(&world.address, status.node_port.unwrap(), words).await;
    status
}

fn digest(status: &ProjectDeploymentStatus) -> Value {
    json!(status.source)["digest"].clone()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn archives_from_urls_and_config_maps_and_artifacts_are_built_and_answer() {
    let world = World::new("archives").await;
    // Like the archives of Git hosts: everything in one directory.
    let file = Arc::new(Mutex::new(packed("shop-1.4.0/", "the first archive")));
    let url = serve(file.clone()).await;
    let layer = packed("", "an artifact");
    let artifact = push(&world, "archives/artifact", "1.4.0", layer).await;
    let key = BASE64_STANDARD.encode(packed("", "a key of a config map"));
    world.apply::<ConfigMap>("site", json!({ "binaryData": { "source.tar.gz": key } })).await;
    for (name, source) in [
        ("by-url", json!({ "archive": { "url": url } })),
        ("by-tag", json!({ "oci": { "reference": format!("{REGISTRY}/archives/artifact:1.4.0") } })),
        ("by-key", json!({ "configMap": { "name": "site" } })),
    ] {
        world.deploy(name, &json!({ "source": source, "rollout": { "minReadySeconds": 0 } })).await;
    }
    let first = answers(&world, "by-url", "the first archive").await;
    assert_eq!(digest(&first), sum(&file.lock().unwrap()), "without sha256 in the spec, status has it");
    assert_eq!(digest(&answers(&world, "by-tag", "an artifact").await), artifact);
    answers(&world, "by-key", "a key of a config map").await;

    // The operator reads the URL again only on request.
    *file.lock().unwrap() = packed("shop-1.4.0/", "the second archive");
    world.annotate("by-url", "doce.dev/deploy", "@1").await;
    let sum = sum(&file.lock().unwrap());
    let second = world.until_status("by-url", "the second one serves", |status| {
        digest(status) == sum && status.version != first.version && holds(status, "Ready")
    });
    let second = second.await;
    until_answer(&world.address, second.node_port.unwrap(), "the second archive").await;
}
