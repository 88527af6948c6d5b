//! The Job that deletes an image from a registry other than the platform's.

use doce_operator::crd::ProjectDeployment;
use doce_operator::desired::names;
use doce_operator::image_cleanup::job::{self, Attempt};
use doce_operator::memory::record::{Facts, ImageFact, Record};
use doce_operator::platform::Platform;
use doce_operator::project::Project;
use serde_json::{Value, json};

fn project(output: &Value) -> Project {
    let object = json!({
        "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
        "metadata": { "name": "shop", "namespace": "tenant", "uid": "11111111-2222-3333-4444-555555555555", "generation": 1 },
        "spec": { "source": { "configMap": { "name": "site" } }, "build": { "output": output } },
    });
    Project::parse(&serde_json::from_value::<ProjectDeployment>(object).unwrap()).unwrap()
}

fn platform() -> Platform {
    Platform {
        push_registry: "registry.doce-system.svc:5000".to_owned(),
        push_insecure: true,
        pull_registry: "localhost:30050".to_owned(),
        operator_image: "ghcr.io/doce-dev/doce-operator:0.1.0".to_owned(),
        ca_bundle: "-----BEGIN CERTIFICATE-----".to_owned(),
        sees_all: true,
        ..Platform::default()
    }
}

fn record(repository: &str, key: Option<&str>) -> Record {
    let reference = format!("{repository}@sha256:{}", "b".repeat(64));
    let facts = Facts { version: "9f2c41d7".repeat(8), key: key.map(str::to_owned), ..Facts::default() };
    Record { facts, image: Some(ImageFact { reference, ..ImageFact::default() }), ..Record::default() }
}

#[test]
fn the_cleanup_job_is_suspended_restricted_and_holds_no_token_and_only_a_secret_name() {
    let output = json!({ "repository": "r.example/you/shop", "pushSecretRef": { "name": "push" } });
    let (project, platform) = (project(&output), platform());
    let record = record("r.example/you/shop", Some(&"a".repeat(64)));
    let order = job::order(&project, &platform, &record).unwrap();
    let first = Attempt { name: names::cleanup(&project, &record), version: record.facts.version, number: 1 };
    insta::assert_yaml_snapshot!(job::create(&project, &platform, &first, &order).unwrap());
}

#[test]
fn only_images_that_a_build_pushed_to_the_current_repository_are_deleted() {
    let key = "a".repeat(64);
    let named = project(&json!({ "repository": "r.example/you/shop" }));
    let of = |project: &Project, record: &Record| job::order(project, &platform(), record);
    assert!(of(&named, &record("r.example/you/shop", Some(&key))).is_some());
    let kept = record("r.example/you/shop", Some(&key));
    let lost = Record { lost: kept.image.clone(), image: None, ..kept };
    assert!(of(&named, &lost).is_some(), "a part of a lost image may be left");
    assert_eq!(of(&named, &record("r.example/you/shop", None)), None, "a prebuilt image");
    assert_eq!(of(&named, &record("r.example/you/earlier", Some(&key))), None);
    let own = project(&json!({ "repository": "localhost:30050/tenant/shop" }));
    assert_eq!(of(&own, &record("localhost:30050/tenant/shop", Some(&key))), None, "the sweep deletes it");
    assert_eq!(of(&project(&json!({})), &record("localhost:30050/tenant/shop", Some(&key))), None);
}

#[test]
fn a_failed_cleanup_job_is_retried_with_the_same_order_and_growing_pauses_up_to_a_limit() {
    let output = json!({ "repository": "r.example/you/shop", "pushSecretRef": { "name": "push" } });
    let (project, platform) = (project(&output), platform());
    let record = record("r.example/you/shop", Some(&"a".repeat(64)));
    let order = job::order(&project, &platform, &record).unwrap();
    let version = record.facts.version.clone();
    let mut attempt = Attempt { name: names::cleanup(&project, &record), version, number: 1 };
    let mut pauses = vec![];
    let mut seen = vec![];
    loop {
        let job = job::create(&project, &platform, &attempt, &order).unwrap();
        assert_eq!(job::attempt(&job), attempt.number);
        assert_eq!(job.spec.as_ref().unwrap().suspend, Some(true));
        pauses.push(job::pause_seconds(attempt.number));
        seen.push(attempt.name);
        let Some(next) = job::next(&project, &job) else {
            assert_eq!(job::order_again(&project, &platform, &job), None, "that was the last attempt");
            break;
        };
        assert_eq!(job::order_again(&project, &platform, &job).as_ref(), Some(&order));
        assert_eq!(next.version, record.facts.version);
        attempt = next;
    }
    assert_eq!(pauses, [0, 60, 300, 1500, 7500]);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), pauses.len(), "each attempt has its own name");
}

#[test]
fn a_cleanup_is_not_retried_once_the_repository_secret_or_cleanup_setting_changes() {
    let output = json!({ "repository": "r.example/you/shop", "pushSecretRef": { "name": "push" } });
    let (named, platform) = (project(&output), platform());
    let record = record("r.example/you/shop", Some(&"a".repeat(64)));
    let order = job::order(&named, &platform, &record).unwrap();
    let first = Attempt { name: "shop-1".to_owned(), version: record.facts.version, number: 1 };
    let failed = job::create(&named, &platform, &first, &order).unwrap();
    let again = |output: &Value| job::order_again(&project(output), &platform, &failed);
    assert_eq!(again(&output), Some(order));
    for (field, value) in [
        ("repository", json!("r.example/you/other")),
        ("pushSecretRef", json!({ "name": "other" })),
        ("cleanup", json!("Keep")),
    ] {
        let mut other = output.clone();
        other[field] = value;
        assert_eq!(again(&other), None, "{field}");
    }
}
