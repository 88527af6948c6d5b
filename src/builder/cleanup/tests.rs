use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use serde_json::json;

use super::*;
use crate::builder::credentials::CONFIG;
use crate::builder::http::tests::serve;
use crate::version::text_digest;

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

fn cleanup(repository: &str, digest: &str, push: Credentials) -> Cleanup {
    let order = CleanupOrder {
        repository: repository.to_owned(),
        insecure: true,
        digest: digest.to_owned(),
        key: KEY.to_owned(),
        push_secret: None,
    };
    let log = Log::hiding(Instant::now(), &push.secrets());
    Cleanup { order, http: Http::for_tests(), push, log }
}

/// The requests to a registry that answers deletes with one status, and requires a token for them if it is closed.
#[derive(Clone)]
struct Asked {
    answer: StatusCode,
    closed: bool,
    /// A tag that no build created and that points to the image.
    other: Option<&'static str>,
    /// It announces more tags and lists the same ones again.
    unending: bool,
    deleted: Arc<Mutex<Vec<String>>>,
}

impl Asked {
    fn new(answer: u16, closed: bool) -> Self {
        let answer = StatusCode::from_u16(answer).unwrap();
        Self { answer, closed, other: None, unending: false, deleted: Arc::default() }
    }

    async fn start(&self) -> String {
        let asked = self.clone();
        let router = Router::new().fallback(async move |request: Request| asked.answer(&request));
        format!("git.test:{}/you/shop", serve(router).await)
    }

    fn answer(&self, request: &Request) -> Response {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let host = request.headers()["host"].to_str().unwrap();
        let (method, path) = (request.method().as_str(), request.uri().path());
        let known = header == Some("Bearer delete-t0ken");
        let scope = if method == "DELETE" { "delete" } else { "pull" };
        match (method, path) {
            (_, "/token") if header != Some("Basic YWRhOmh1bnRlcjI=") => {
                StatusCode::UNAUTHORIZED.into_response()
            }
            (_, "/token") => {
                let scope = request.uri().query().unwrap().contains("%3Adelete");
                json!({ "token": if scope { "delete-t0ken" } else { "pull-t0ken" } })
                    .to_string()
                    .into_response()
            }
            _ if self.closed && (header.is_none() || method == "DELETE" && !known) => {
                let ask =
                    format!("Bearer realm=\"http://{host}/token\",scope=\"repository:you/shop:{scope}\"");
                (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, ask)]).into_response()
            }
            ("GET", "/v2/you/shop/tags/list") => {
                let log = format!("log-{}", &KEY[..16]);
                let tags: Vec<_> = ["cache", &log].into_iter().chain(self.other).collect();
                let next =
                    self.unending.then_some([("link", "</v2/you/shop/tags/list?page=2>; rel=\"next\"")]);
                (next.map(AppendHeaders), json!({ "tags": tags }).to_string()).into_response()
            }
            ("HEAD", place) if self.other.is_some_and(|tag| place.ends_with(&format!("/{tag}"))) => {
                [("docker-content-digest", digest('a'))].into_response()
            }
            ("HEAD", _) => [("docker-content-digest", digest('b'))].into_response(),
            ("DELETE", place) => {
                self.deleted.lock().unwrap().push(place.rsplit('/').next().unwrap().to_owned());
                self.answer.into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

fn ada(host: &str) -> Credentials {
    let config = json!({ "auths": { host: { "auth": "YWRhOmh1bnRlcjI=" } } }).to_string();
    Credentials::of(&[(CONFIG, &config)])
}

#[tokio::test]
async fn the_cleanup_deletes_the_image_and_its_log_with_a_delete_token() {
    let asked = Asked::new(202, true);
    let repository = asked.start().await;
    let host = repository.split('/').next().unwrap().to_owned();
    let ended = cleanup(&repository, &digest('a'), ada(&host)).clean().await;
    assert_eq!(ended, Ok(End::Deleted));
    assert_eq!(*asked.deleted.lock().unwrap(), [digest('a'), digest('b')]);
}

#[tokio::test]
async fn a_users_tag_that_starts_like_a_log_tag_keeps_its_image() {
    let asked = Asked { other: Some("log-viewer"), ..Asked::new(202, false) };
    let repository = asked.start().await;
    let ended = cleanup(&repository, &digest('a'), Credentials::default()).clean().await;
    assert_eq!(ended, Ok(End::Tagged("log-viewer".to_owned())));
    assert!(!asked.deleted.lock().unwrap().contains(&digest('a')));
}

#[tokio::test]
async fn an_endless_tag_list_keeps_the_image() {
    let asked = Asked { unending: true, ..Asked::new(202, false) };
    let repository = asked.start().await;
    let ended = cleanup(&repository, &digest('a'), Credentials::default()).clean().await;
    let Err(Error::Refused(why)) = ended else { panic!("{ended:?}") };
    assert!(why.contains("more tags"), "{why}");
    assert!(asked.deleted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_rejected_deletion_ends_the_cleanup_and_says_what_to_do() {
    for (status, closed, says) in [
        (405, false, "does not support deletion"),
        (400, false, "does not support deletion"),
        (403, false, "does not allow the deletion"),
        (202, true, "does not accept the login"),
    ] {
        let repository = Asked::new(status, closed).start().await;
        let cleanup = cleanup(&repository, &digest('a'), ada("elsewhere.example"));
        let ended = cleanup.clean().await;
        assert!(matches!(ended, Err(Error::Refused(_))), "{status}: {ended:?}");
        let sentence = cleanup.sentence(&ended);
        assert!(sentence.contains(says) && sentence.contains("cleanup: Keep"), "{sentence}");
        assert!(
            sentence.contains("spec.build.output.pushSecretRef") || sentence.contains("spec.source"),
            "{sentence}"
        );
        assert!(!sentence.contains("hunter2") && !sentence.contains("YWRh"), "{sentence}");
    }
}

#[tokio::test]
async fn an_unavailable_registry_is_a_fault_and_a_forbidden_address_is_not_contacted() {
    let broken = Asked::new(503, false).start().await;
    let ended = cleanup(&broken, &digest('a'), Credentials::default()).clean().await;
    assert!(matches!(ended, Err(Error::Fault(_))), "{ended:?}");
    let metadata = cleanup("metadata.test/you/shop", &digest('a'), Credentials::default()).clean().await;
    let Err(Error::Refused(why)) = metadata else { panic!("{metadata:?}") };
    assert!(why.contains("link-local"), "{why}");
}

/// Debian's `docker-registry` in its own process, which ends when this value is dropped.
struct Upstream {
    process: Child,
    host: String,
    client: reqwest::Client,
    _data: tempfile::TempDir,
}

impl Upstream {
    async fn start() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let data = tempfile::tempdir().unwrap();
        let storage = json!({ "filesystem": { "rootdirectory": data.path().join("data") }, "delete": { "enabled": true } });
        let config = json!({ "version": "0.1", "http": { "addr": free.to_string() }, "storage": storage });
        let file = data.path().join("config.yml");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(file).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("docker-registry (Debian package docker-registry) is on PATH");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let upstream = Self { process, host: free.to_string(), client, _data: data };
        let answers = async {
            while upstream.client.get(format!("http://{free}/v2/")).send().await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(5), answers).await.expect("the registry answers");
        upstream
    }

    /// Points tags to an empty index annotated as `what`; returns its digest.
    async fn push(&self, what: &str, tags: &[&str]) -> String {
        let blobs = format!("http://{}/v2/you/shop/blobs/uploads/", self.host);
        let begun = self.client.post(blobs).send().await.unwrap();
        let place = begun.headers()["location"].to_str().unwrap().to_owned();
        let place = format!("{place}&digest=sha256:{}", text_digest("{}"));
        self.client
            .put(place)
            .header("content-type", "application/octet-stream")
            .body("{}")
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
        let kind = "application/vnd.oci.image.index.v1+json";
        let content =
            json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [], "annotations": { "of": what } });
        for tag in tags {
            let place = format!("http://{}/v2/you/shop/manifests/{tag}", self.host);
            let put = self.client.put(place).header("content-type", kind).body(content.to_string());
            put.send().await.unwrap().error_for_status().unwrap();
        }
        format!("sha256:{}", text_digest(&content.to_string()))
    }

    async fn tags(&self) -> Vec<String> {
        let list =
            self.client.get(format!("http://{}/v2/you/shop/tags/list", self.host)).send().await.unwrap();
        let list: serde_json::Value = serde_json::from_str(&list.text().await.unwrap()).unwrap();
        let mut tags: Vec<String> = serde_json::from_value(list["tags"].clone()).unwrap_or_default();
        tags.sort();
        tags
    }

    /// Uses a name that is allowed: this address is not.
    fn repository(&self) -> String {
        self.host.replace("127.0.0.1", "git.test") + "/you/shop"
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
#[ignore = "needs docker-registry, which doce-cluster installs: make test-control-plane"]
async fn a_real_registry_loses_the_image_and_its_log_and_keeps_everything_else() {
    let upstream = Upstream::start().await;
    let (own, other) = (format!("k{}", &KEY[..40]), format!("k{}", "f".repeat(40)));
    let (log, other_log) = (format!("log-{}", &KEY[..16]), format!("log-{}", "f".repeat(16)));
    let image = upstream.push("the image", &[&own]).await;
    upstream.push("another image", &[&other, "latest"]).await;
    for beside in [log.as_str(), other_log.as_str(), "cache"] {
        upstream.push(beside, &[beside]).await;
    }
    let clean = async || cleanup(&upstream.repository(), &image, Credentials::default()).clean().await;
    assert_eq!(clean().await, Ok(End::Deleted));
    let stay = ["cache".to_owned(), other.clone(), "latest".to_owned(), other_log.clone()];
    assert_eq!(upstream.tags().await, stay);
    assert_eq!(clean().await, Ok(End::Gone));
    assert_eq!(upstream.tags().await, stay);
}

#[tokio::test]
#[ignore = "needs docker-registry, which doce-cluster installs: make test-control-plane"]
async fn a_real_registry_keeps_an_image_with_a_foreign_tag() {
    let upstream = Upstream::start().await;
    let own = format!("k{}", &KEY[..40]);
    let image = upstream.push("the image", &[&own, "release"]).await;
    let cleanup = cleanup(&upstream.repository(), &image, Credentials::default());
    let ended = cleanup.clean().await;
    assert_eq!(ended, Ok(End::Tagged("release".to_owned())));
    assert!(cleanup.sentence(&ended).contains("tag release, which doce-operator did not create"));
    assert_eq!(upstream.tags().await, [own, "release".to_owned()]);
}
