//! Tests of kept logs, and of registries that accept none.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kept_log::KIND;
use super::tests::build;
use super::*;
use crate::builder::http::tests::serve;
use crate::builder::registry::tests::{full, taking};
use crate::protocol::report::Built;

/// A time limit that also holds on a machine that stalls.
const HOUR: Duration = Duration::from_hours(1);

fn config_map() -> Source {
    Source::ConfigMap { digest: "sha256:ab".into() }
}

fn at(mut build: Build, repository: String) -> Build {
    build.order.repository = repository;
    build.registry =
        Registry::new(plain_registries(&build.order), None, "", Keyring::default(), &Proxies::default())
            .unwrap();
    build
}

#[tokio::test]
async fn the_log_of_a_failed_build_is_kept_without_secrets() {
    let taken = Arc::new(Mutex::new(BTreeMap::new()));
    let port = serve(taking(taken.clone())).await;
    let dir = tempfile::tempdir().unwrap();
    let mut build = at(build(dir.path(), config_map(), 1800), format!("127.0.0.1:{port}/ns/shop"));
    build.log = Log::hiding(Instant::now(), &["planted-w0rd".to_owned()]);
    build.log.line("the step said planted-w0rd");
    // The ConfigMap does not exist, so the build fails at the fetch.
    let report = build.report(Instant::now()).await;
    let reference = build.keep_log_within(HOUR, &report).await.unwrap();
    let key = build_key("sha256:ab", &build.order.settings);
    assert_eq!(reference, format!("127.0.0.1:{port}/ns/shop:log-{}", &key[..16]));

    let taken = taken.lock().unwrap();
    let manifest = &taken[&format!("/v2/ns/shop/manifests/log-{}", &key[..16])];
    let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
    assert_eq!(manifest["artifactType"], KIND);
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
    assert_eq!(
        (manifest["layers"].as_array().unwrap().len(), &manifest["layers"][0]["mediaType"]),
        (1, &"text/plain".into())
    );
    let title = &manifest["layers"][0]["annotations"]["org.opencontainers.image.title"];
    assert_eq!(title, "build.log");
    let text = &taken[manifest["layers"][0]["digest"].as_str().unwrap()];
    assert!(text.contains("the step said ***\n") && text.contains("\n==> failed "), "{text}");
    assert!(!format!("{taken:?}").contains("planted"), "{taken:?}");
    let Report::Failed(failed) = report.with_log(Some(reference.clone())) else { panic!("it built") };
    assert_eq!(failed.log_reference, Some(reference));
}

#[tokio::test]
async fn a_registry_that_rejects_the_log_adds_one_log_line() {
    let dir = tempfile::tempdir().unwrap();
    let build = build(dir.path(), config_map(), 1800);
    let report = build.report(Instant::now()).await;
    let before = build.log.lines().len();
    assert_eq!(build.keep_log_within(HOUR, &report).await, None);
    let lines = build.log.lines();
    assert_eq!(lines.len(), before + 1);
    assert!(
        lines.last().unwrap().starts_with("note: this log could not be kept at 127.0.0.1:1/ns/shop:log-")
    );
}

#[tokio::test]
async fn a_log_never_goes_to_a_forbidden_address_or_replaces_the_log_of_the_image() {
    let taken = Arc::new(Mutex::new(BTreeMap::new()));
    let port = serve(taking(taken.clone())).await;
    let dir = tempfile::tempdir().unwrap();
    let mut build = at(build(dir.path(), config_map(), 1800), format!("127.0.0.1:{port}/ns/shop"));
    let reused = Report::Built(Built { reused: true, ..Built::default() });
    assert_eq!(build.keep_log_within(HOUR, &reused).await, None, "a reused image has no new log");
    build.order.settings.repository = Some(build.order.repository.clone());
    let report = build.report(Instant::now()).await;
    assert_eq!(build.keep_log_within(HOUR, &report).await, None);
    assert!(build.log.lines().last().unwrap().contains("loopback"));
    build.order.source = Source::Image { reference: "ghcr.io/you/shop:1".into() };
    build.order.settings.repository = None;
    assert_eq!(build.keep_log_within(HOUR, &report).await, None, "nothing was built");
    assert!(taken.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_log_is_named_after_the_order_if_the_build_key_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let tag = |url: &str| build(dir.path(), super::tests::git(url), 1800).log_tag();
    assert_eq!(tag("https://git.test/a"), tag("https://git.test/a"));
    assert_ne!(tag("https://git.test/a"), tag("https://git.test/b"));
    assert_eq!(tag("https://git.test/a").len(), "log-".len() + 16);
}

#[tokio::test]
async fn a_full_registry_is_detected_even_if_buildkit_reports_only_the_status() {
    let dir = tempfile::tempdir().unwrap();
    let status =
        || Failure::new(Stage::Push, FailureReason::RegistryUnavailable, "500 Internal Server Error");
    let mut build =
        at(build(dir.path(), config_map(), 1800), format!("127.0.0.1:{}/ns/shop", serve(full()).await));
    let failure = build.heard_within(HOUR, status()).await;
    assert_eq!((failure.stage, failure.reason), (Stage::Push, FailureReason::RegistryFull));
    for part in ["no space left on device", "registry.embedded.persistence.size", "spec.history.limit"] {
        assert!(failure.message.contains(part), "{}", failure.message);
    }
    build.order.settings.repository = Some(build.order.repository.clone());
    let failure = build.heard_within(HOUR, status()).await;
    assert!(failure.message.contains("spec.build.output.repository"), "{}", failure.message);
    let denied = Failure { reason: FailureReason::RegistryDenied, ..status() };
    assert_eq!(build.heard_within(HOUR, denied.clone()).await, denied, "no request is sent");

    let taken = Arc::new(Mutex::new(BTreeMap::new()));
    let well = at(build, format!("127.0.0.1:{}/ns/shop", serve(taking(taken)).await));
    assert_eq!(well.heard_within(HOUR, status()).await, status());
    let gone = at(well, "127.0.0.1:1/ns/shop".to_owned());
    assert_eq!(gone.heard_within(HOUR, status()).await, status());
}
