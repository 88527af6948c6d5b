//! Golden hashes: every later release must compute the same version as a released operator. Otherwise an upgrade would
//! rebuild and restart every project.

use std::collections::BTreeMap;

use doce_operator::crd::run::Security;
use doce_operator::crd::spec::{Health, HealthType, HttpHeader, Run, Stop};
use doce_operator::protocol::framework::Framework;
use doce_operator::protocol::order::{Settings, Strategy, Watch};
use doce_operator::version::{build_key, canonical, files_digest, revision, short, text_digest, version};
use k8s_openapi::api::core::v1::EnvVar;
use proptest::prelude::*;
use serde_json::{Value, json};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn all_settings() -> Settings {
    Settings {
        path: Some("apps/shop".to_owned()),
        strategy: Strategy::Dockerfile,
        dockerfile: Some("Dockerfile.prod".to_owned()),
        target: Some("run".to_owned()),
        args: BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())]),
        epoch: 3,
        ..Settings::default()
    }
}

fn full_run() -> Run {
    Run {
        port: 8080,
        args: vec![doce_operator::crd::spec::BoundedString("--verbose".to_owned())],
        env: vec![EnvVar { name: "COLOUR".to_owned(), value: Some("blue".to_owned()), ..EnvVar::default() }],
        health: Health { kind: HealthType::Tcp, period_seconds: 5, ..Health::default() },
        ..Run::default()
    }
}

#[test]
fn format_1_keeps_the_hashes_of_release_0_1() {
    let plain = build_key(COMMIT, &Settings::default());
    let full = build_key(COMMIT, &all_settings());
    assert_eq!(plain, "98982402fc3d9227070db19fabad70ed9c13db3b3dcb2e7621a0cad9ae515b22");
    assert_eq!(full, "55af0caa7d5bbe47b8a599d65d8b7740bda28deded7cc77ddfa47cb6ae343d15");
    assert_eq!(
        version(&plain, &Run::default()),
        "b76c4404553e2e7859a3438e8b36c72335c41665659f57350ecc969072448124"
    );
    assert_eq!(
        version(&full, &full_run()),
        "cf1c19f3c988ababa3389f6206e98df6cd6fdda51e019df0192a1b450c236243"
    );
    let files =
        BTreeMap::from([("index.html".to_owned(), b"hello".to_vec()), ("style.css".to_owned(), vec![])]);
    assert_eq!(
        files_digest(&files),
        "sha256:4a51c499ece604939e9288bb46cd824251905af3600e89523d07f2d12baab315"
    );
}

#[test]
fn a_setting_at_its_default_does_not_enter_the_key() {
    let settings: Settings = serde_json::from_value(json!({})).unwrap();
    assert_eq!(serde_json::to_value(&settings).unwrap(), json!({}));
    assert_eq!(
        build_key(COMMIT, &settings),
        build_key(COMMIT, &Settings { strategy: Strategy::Auto, epoch: 0, ..Settings::default() })
    );
}

#[test]
fn every_setting_and_every_field_of_run_makes_another_version() {
    let plain = Settings::default();
    let others = [
        Settings { path: Some("a".into()), ..plain.clone() },
        Settings { strategy: Strategy::Generated, ..plain.clone() },
        Settings { dockerfile: Some("a".into()), ..plain.clone() },
        Settings { target: Some("a".into()), ..plain.clone() },
        Settings { args: BTreeMap::from([("a".into(), String::new())]), ..plain.clone() },
        Settings { epoch: 1, ..plain.clone() },
        Settings { command: Some("a".into()), ..plain.clone() },
        Settings { framework: Some(Framework::Go), ..plain.clone() },
        Settings { framework: Some(Framework::Rust), ..plain.clone() },
        Settings { repository: Some("r.example/a".into()), ..plain.clone() },
        Settings { secrets: ["A".to_owned()].into(), ..plain.clone() },
        Settings { watch: Some(Watch::Paths(["A".to_owned()].into())), ..plain.clone() },
        Settings { watch: Some(Watch::Workspace), ..plain.clone() },
        Settings { secrets: ["B".to_owned()].into(), ..plain.clone() },
    ];
    let mut keys: Vec<String> = others.iter().map(|settings| build_key(COMMIT, settings)).collect();
    keys.push(build_key(COMMIT, &plain));
    keys.push(build_key("another", &plain));
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
    assert_ne!(version("k", &Run::default()), version("k", &full_run()));
    let with = |security| version("k", &Run { security, ..Run::default() });
    assert_eq!(with(Security::Auto), version("k", &Run::default()), "Auto is the default");
    assert_ne!(with(Security::Auto), with(Security::Restricted));
    assert_ne!(with(Security::Baseline), with(Security::Restricted));
}

#[test]
fn newer_health_and_stop_fields_change_the_version_only_if_they_differ_from_the_default() {
    let plain = version("k", &Run::default());
    let read = |run: Value| version("k", &serde_json::from_value::<Run>(run).unwrap());
    for same in [
        json!({ "stop": {} }),
        json!({ "stop": { "graceSeconds": 30, "drainSeconds": 5 } }),
        json!({ "health": { "path": "/" } }),
    ] {
        assert_eq!(read(same.clone()), plain, "{same}");
    }
    let health = |health: Health| version("k", &Run { health, ..Run::default() });
    let header = HttpHeader { name: "Host".into(), value: "shop.example".into() };
    let others = [
        version("k", &Run { stop: Stop { grace_seconds: 60, ..Stop::default() }, ..Run::default() }),
        version("k", &Run { stop: Stop { drain_seconds: 0, ..Stop::default() }, ..Run::default() }),
        health(Health { timeout_seconds: Some(4), ..Health::default() }),
        health(Health { port: Some(9000), ..Health::default() }),
        health(Health { http_headers: vec![header], ..Health::default() }),
        health(Health { kind: HealthType::Command, ..Health::default() }),
        plain,
    ];
    assert_eq!(others.iter().collect::<std::collections::BTreeSet<_>>().len(), others.len());
}

#[test]
fn volumes_and_pod_labels_change_the_version_and_empty_ones_do_not() {
    let run = |run: Value| version("k", &serde_json::from_value::<Run>(run).unwrap());
    let plain = run(json!({}));
    for nothing in [json!({ "volumes": [] }), json!({ "podLabels": {} }), json!({ "podAnnotations": {} })] {
        assert_eq!(run(nothing), plain);
    }
    let volume = |kind: &str| json!({ "volumes": [{ "name": "data", "mountPath": "/data", kind: { "name": "shop" } }] });
    let others = [
        volume("persistentVolumeClaim"),
        volume("secret"),
        volume("configMap"),
        json!({ "podLabels": { "team": "blue" } }),
        json!({ "podAnnotations": { "team": "blue" } }),
    ];
    let mut hashes: Vec<String> = others.into_iter().map(run).collect();
    hashes.push(plain);
    let count = hashes.len();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
}

#[test]
fn one_cpu_gives_the_same_version_as_a_number_and_as_text() {
    let run = |cpu: Value| {
        let run = json!({ "resources": { "limits": { "cpu": cpu } } });
        version("k", &serde_json::from_value::<Run>(run).unwrap())
    };
    assert_eq!(run(json!(1)), run(json!("1")));
}

#[test]
fn with_watched_paths_only_their_digest_determines_the_build_key() {
    let watch = Watch::Paths(["packages/ui".to_owned()].into());
    let settings = Settings { watch: Some(watch), ..Settings::default() };
    let key = |commit: &str, watched: &str| build_key(&format!("{commit}@tree:{watched}"), &settings);
    assert_eq!(key("aa", "1"), key("bb", "1"));
    assert_ne!(key("aa", "1"), key("aa", "2"));
    assert_ne!(key("aa", "1"), build_key("tree:1", &Settings::default()), "watched paths are a setting too");
    assert_eq!((revision("aa@tree:1"), revision("sha256:x")), ("aa", "sha256:x"));
    // Golden: the key of a released build with a list of paths never changes.
    let released = r#"{"format":1,"kind":"build","settings":{"watch":["packages/ui"]},"source":"tree:1"}"#;
    assert_eq!(key("aa", "1"), text_digest(released));
    let settings = Settings { watch: Some(Watch::Workspace), ..Settings::default() };
    let other = r#"{"format":1,"kind":"build","settings":{"watch":"workspace"},"source":"tree:1"}"#;
    assert_eq!(build_key("aa@tree:1", &settings), text_digest(other));
    let again: Settings = serde_json::from_value(json!({ "watch": "workspace" })).unwrap();
    assert_eq!(again, settings);
}

#[test]
fn the_files_digest_depends_on_where_each_name_and_file_ends() {
    let files = |pairs: &[(&str, &str)]| {
        let map = pairs.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
        files_digest(&map.collect())
    };
    assert_ne!(files(&[("a", "bc")]), files(&[("ab", "c")]));
    assert_ne!(files(&[("a", ""), ("b", "")]), files(&[("a", "b")]));
}

#[test]
fn yaml_cannot_parse_a_short_version_as_a_number() {
    assert_eq!(short("1234567890"), "v12345678");
}

proptest! {
    #[test]
    fn the_order_of_keys_never_matters(pairs in proptest::collection::btree_map("[a-z]{1,8}", 0i64..100, 0..8)) {
        let forward: Value = pairs.iter().map(|(key, value)| (key.clone(), json!(value))).collect::<serde_json::Map<_, _>>().into();
        let backward: Value = pairs.iter().rev().map(|(key, value)| (key.clone(), json!(value))).collect::<serde_json::Map<_, _>>().into();
        prop_assert_eq!(canonical(&forward), canonical(&backward));
    }

    #[test]
    fn an_empty_value_equals_an_absent_one(key in "[a-z]{1,8}") {
        for nothing in [json!(null), json!([]), json!({}), json!({ "inner": null })] {
            prop_assert_eq!(canonical(&json!({ (key.clone()): nothing })), canonical(&json!({})));
        }
    }
}
