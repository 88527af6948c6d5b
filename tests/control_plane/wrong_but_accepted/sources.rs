//! Missing sources: a branch, a host, a ConfigMap.

use doce_operator::crd::ProjectDeployment;
use doce_operator::protocol::report::{Failed, Stage};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::PostParams;
use serde_json::json;

use crate::harness::builds::failed;
use crate::harness::reading::message;
use crate::harness::{Built, Operator, Options, World, branch, is, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_unknown_branch_is_reported_and_retried_with_backoff() {
    let words = "https://git.test/app.git has no branch nope";
    comes_back("no-branch", failed(Stage::Resolve, "RefNotFound", words)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_unreachable_host_is_reported_and_retried_with_backoff() {
    let words = "git.test did not answer within 30 s";
    comes_back("no-host", failed(Stage::Resolve, "SourceUnreachable", words)).await;
}

async fn comes_back(test: &str, fault: Failed) {
    let world = World::new(test).await;
    // An expired delay is no longer reported. This one is long enough for a late read.
    let _operator = Operator::start_with(&world, Options { retry_seconds: 20, ..Options::default() }).await;
    let good = world.serve("shop", prebuilt(1)).await;
    let before = world.get::<Deployment>("shop").await;
    world.apply("shop", branch("nope")).await;
    let mut ended: Option<Timestamp> = None;
    for pause in [20, 40] {
        let job = world.running_build().await.0;
        let made = job.creation_timestamp().unwrap().0;
        if let Some(ended) = ended {
            let before = pause / 2; // The delay in the previous message.
            assert!(
                made.as_second() - ended.as_second() >= before,
                "ended at {ended}, retried at {made}, before {before} s"
            );
        }
        world.fail_build(fault.clone()).await;
        let sentence = format!("Retrying {pause} s after");
        let what = format!("{:?} and {sentence:?}", fault.message);
        let words = fault.message.clone();
        let object = world
            .until("shop", &what, move |object: Option<&ProjectDeployment>| {
                object.is_some_and(|object| {
                    is(object, "Ready", "False", "SourceUnavailable") && {
                        let said = message(object, "Ready");
                        said.contains(&words) && said.contains(&sentence)
                    }
                })
            })
            .await;
        assert!(
            is(&object, "Reconciling", "True", "SourceUnavailable")
                && is(&object, "Available", "True", "Serving")
        );
        let status = object.status.unwrap();
        let failure = status.failure.unwrap();
        assert_eq!((failure.stage, failure.reason), (format!("{:?}", fault.stage), fault.reason.clone()));
        assert_eq!(status.version.as_deref(), Some(good.as_str()));
        let job = world.get::<Job>(&job.name_any()).await;
        ended = Some(
            job.status
                .unwrap()
                .conditions
                .unwrap_or_default()
                .iter()
                .find(|condition| condition.type_ == "Failed")
                .unwrap()
                .last_transition_time
                .clone()
                .unwrap()
                .0,
        );
    }
    assert_eq!(world.get::<Deployment>("shop").await.spec, before.spec, "the running version stays");
    let job = world.finish_build(Built { commit: Some("ab".repeat(20)), ..Built::default() }).await;
    let status = world.until_ready("shop", "True", "Serving").await.status.unwrap();
    assert_eq!((status.build.unwrap().id, status.failure), (job, None));
    assert_eq!(status.previous_version, Some(good));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_missing_config_map_is_reported_and_built_once_it_exists() {
    let world = World::new("no-config-map").await;
    let _operator = Operator::start(&world).await;
    let spec = json!({ "source": { "configMap": { "name": "site" } }, "rollout": { "minReadySeconds": 1 } });
    world.apply("shop", spec).await;
    let missing = world.until_ready("shop", "False", "ConfigMapNotFound").await;
    assert!(is(&missing, "Reconciling", "True", "ConfigMapNotFound"));
    let said = message(&missing, "Ready");
    assert!(said.contains("ConfigMap site does not exist") && said.contains("create it"), "{said}");
    let site: ConfigMap = serde_json::from_value(
        json!({ "metadata": { "name": "site" }, "data": { "index.html": "<h1>hello</h1>" } }),
    )
    .unwrap();
    world.api::<ConfigMap>().create(&PostParams::default(), &site).await.unwrap();
    world.finish_build(Built::default()).await;
    let first = world.until_ready("shop", "True", "Serving").await.status.unwrap().version.unwrap();

    world.patch::<ConfigMap>("site", json!({ "data": { "index.html": "<h1>hello again</h1>" } })).await;
    world.finish_build(Built::default()).await;
    let second = world.until("shop", "the change serves", move |object: Option<&ProjectDeployment>| {
        object.is_some_and(|object| {
            is(object, "Ready", "True", "Serving")
                && object.status.as_ref().unwrap().version.as_deref() != Some(first.as_str())
        })
    });
    second.await;
    world.delete::<ConfigMap>("site").await;
    let gone = world.until_ready("shop", "False", "ConfigMapNotFound").await;
    assert!(is(&gone, "Available", "True", "Serving"), "the running version stays");
}
