use std::path::Path;

use super::facts::tag;
use super::*;
use crate::protocol::order::{Profile, Reference, Settings};
use crate::protocol::report::{EXIT_VERDICT, Failed, MAX_BYTES};

/// A build in its own directory. Its registry is a port on which nothing listens.
pub(super) fn build(directory: &Path, source: Source, deadline_seconds: u64) -> Build {
    let order = Order {
        rebuilds: false,
        cleans: false,
        source,
        settings: Settings::default(),
        repository: "127.0.0.1:1/ns/shop".into(),
        insecure: true,
        mirror: None,
        public_source: false,
        secret: None,
        profile: Profile::Rootless,
        remote: None,
        builder: None,
        push_secret: None,
        token_registry: None,
        token_registry_insecure: false,
        build_secrets: vec![],
        deadline_seconds,
    };
    // The process has no provider for TLS in this test, and needs none for plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Build {
        registry: Registry::new(plain_registries(&order), None, "", Keyring::default(), &Proxies::default())
            .unwrap(),
        http: Http::default(),
        credentials: Credentials::default(),
        push: Credentials::default(),
        step_secrets: StepSecrets::default(),
        log: Log::new(Instant::now()),
        workspace: Workspace::prepare(directory.to_owned(), "").unwrap(),
        progress: Mutex::default(),
        order,
    }
}

pub(super) fn git(url: &str) -> Source {
    Source::Git { url: url.to_owned(), reference: Reference::Branch("main".into()) }
}

pub(super) async fn failure(source: Source) -> Failed {
    let dir = tempfile::tempdir().unwrap();
    match build(dir.path(), source, 1800).report(Instant::now()).await {
        Report::Failed(failed) => failed,
        Report::Built(built) => panic!("{built:?}"),
    }
}

#[tokio::test]
async fn sources_at_forbidden_addresses_are_not_contacted() {
    for url in [
        "http://127.0.0.1:1/x",
        "http://localhost/x",
        "http://[::1]/x",
        "http://169.254.169.254/latest/meta-data",
        "http://0x7f000001/x",
        "http://127.1/x",
        "http://[::ffff:127.0.0.1]/x",
        "file:///etc",
        "ext::sh -c true",
    ] {
        let failed = failure(git(url)).await;
        assert_eq!((failed.stage, failed.reason.as_str()), (Stage::Resolve, "SourceForbidden"), "{url}");
        assert!(!failed.is_verdict());
    }
    let image = failure(Source::Image { reference: "localhost:5000/shop:1".into() }).await;
    assert_eq!(image.reason, "SourceForbidden");
    assert!(image.message.contains("loopback"), "{}", image.message);
}

#[tokio::test]
async fn a_repository_at_a_forbidden_address_is_not_contacted() {
    for host in ["localhost:5000", "127.0.0.1:5000", "169.254.169.254:80"] {
        let dir = tempfile::tempdir().unwrap();
        let mut build = build(dir.path(), Source::ConfigMap { digest: "x".into() }, 1800);
        build.order.repository = format!("{host}/you/shop");
        build.order.settings.repository = Some(build.order.repository.clone());
        let Report::Failed(failed) = build.report(Instant::now()).await else { panic!("it built") };
        assert_eq!((failed.stage, failed.reason.as_str()), (Stage::Push, "SourceForbidden"), "{host}");
        assert!(failed.message.starts_with("spec.build.output.repository: "), "{}", failed.message);
    }
}

#[tokio::test]
async fn passwords_in_urls_are_never_shown() {
    let failed = failure(git("https://lovelace:hunter2@git.example/x")).await;
    let text = serde_json::to_string(&failed).unwrap();
    assert!(!text.contains("hunter2") && !text.contains("lovelace"), "{text}");
    assert_eq!(failed.reason, "SourceForbidden");
}

#[tokio::test]
async fn an_unavailable_registry_is_a_fault_of_the_push() {
    let failed = failure(Source::ConfigMap { digest: "sha256:ab".into() }).await;
    assert_eq!(
        (failed.stage, failed.reason.as_str()),
        (Stage::Push, "RegistryUnavailable"),
        "{}",
        failed.message
    );
    assert_eq!(failed.source.as_deref(), Some("sha256:ab"));
    assert_eq!(failed.key, Some(build_key("sha256:ab", &Settings::default())));
    assert!(failed.message.contains("onnection refused"), "{}", failed.message);
    assert!(failed.log.contains("==> resolve  files of a ConfigMap"), "{}", failed.log);
}

#[tokio::test]
async fn the_deadline_ends_a_hanging_stage() {
    // Accepts and never answers.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut build = build(dir.path(), Source::ConfigMap { digest: "x".into() }, 31);
    build.order.repository = format!("{}/ns/shop", listener.local_addr().unwrap());
    build.registry =
        Registry::new(plain_registries(&build.order), None, "", Keyring::default(), &Proxies::default())
            .unwrap();
    let Report::Failed(failed) = build.report(Instant::now()).await else { panic!("built") };
    assert_eq!(failed.reason, "BuildTimeout");
    assert!(
        failed.message.contains("within 1 s (spec") && failed.message.contains("it was at stage Push."),
        "{}",
        failed.message
    );
    assert!(failed.message.contains("raise spec.build.timeoutSeconds"), "{}", failed.message);
}

// Bad input 94: step that never ends
#[test]
fn a_timeout_is_a_verdict_only_during_the_build_stage() {
    let dir = tempfile::tempdir().unwrap();
    let build = build(dir.path(), Source::ConfigMap { digest: "x".into() }, 1800);
    for (stage, code) in [(Stage::Fetch, EXIT_FAULT), (Stage::Build, EXIT_VERDICT), (Stage::Push, EXIT_FAULT)]
    {
        build.enter(stage, "stage", "");
        let failure = build.timeout(1770);
        assert_eq!((failure.stage, failure.reason), (stage, FailureReason::BuildTimeout));
        let report = super::failed(&failure, build.progress(), String::new());
        assert_eq!(outcome::exit_code(&report), code, "{stage:?}");
    }
}

#[test]
fn failure_reports_never_exceed_the_limit() {
    let failure = Failure::new(Stage::Build, FailureReason::BuildFailed, "é\u{1b}[31m".repeat(4000));
    let report = outcome::encode(super::failed(&failure, Progress::default(), "\"".repeat(2048)));
    assert!(report.len() <= MAX_BYTES);
    assert!(!report.contains("\\u001b"), "{report}");
}

#[test]
fn image_tags_contain_the_start_of_the_build_key() {
    assert_eq!(tag(&"ab".repeat(32)), format!("k{}", "ab".repeat(20)));
}
