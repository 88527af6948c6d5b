//! `interval`: polling of a source.

use doce_operator::crd::ProjectDeployment;
use doce_operator::crd::status::TriggerKind;
use doce_operator::protocol::report::Stage;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use serde_json::json;

use crate::harness::builds::failed;
use crate::harness::reading::message;
use crate::harness::{Built, Operator, World, branch, is};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_branch_is_polled_and_only_a_new_commit_is_deployed() {
    let world = World::new("polls").await;
    let _operator = Operator::start(&world).await;
    let at = |n: u8| Built { commit: Some(format!("{n:02x}").repeat(20)), ..Built::default() };
    let mut spec = branch("main");
    spec["source"]["git"]["interval"] = json!("1m");
    world.apply("shop", spec).await;
    let first = world.finish_build(at(1)).await;
    let status = world.until_ready("shop", "True", "Serving").await.status.unwrap();

    let (poll, _) = world.running_build().await;
    assert_eq!(poll.annotations()["doce.dev/build-reason"], "Polled");
    let meanwhile = world.get::<ProjectDeployment>("shop").await;
    assert!(is(&meanwhile, "Ready", "True", "Serving"), "the poll has no result yet");
    assert_eq!(meanwhile.status.unwrap().build.unwrap().id, first, "status is unchanged");
    let unreachable = failed(Stage::Resolve, "SourceUnreachable", "git.test did not answer");
    world.fail_build(unreachable).await;
    let says = |object: Option<&ProjectDeployment>| {
        object.is_some_and(|object| message(object, "Ready").contains("git.test did not answer"))
    };
    let failing = world.until("shop", "the failed poll is reported", says).await;
    assert!(is(&failing, "Ready", "True", "Serving"));

    world.finish_build(at(2)).await;
    let (old, name) = (status.version.clone().unwrap(), "the new commit serves");
    let served = world
        .until("shop", name, move |object: Option<&ProjectDeployment>| {
            object.is_some_and(|object| {
                let version = object.status.as_ref().and_then(|status| status.version.clone());
                is(object, "Ready", "True", "Serving") && version.is_some_and(|version| version != old)
            })
        })
        .await;
    let status = served.status.unwrap();
    assert_eq!(status.source.unwrap().digest, "02".repeat(20));
    assert_eq!(status.history[0].trigger, Some(TriggerKind::Poll));
    let jobs = world.list::<Job>().await;
    let kept: Vec<_> = jobs.iter().filter_map(|job| job.spec.as_ref()?.ttl_seconds_after_finished).collect();
    assert!(kept.contains(&300), "Jobs of polls are kept for 300 s: {kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_interval_for_a_fixed_source_is_rejected_at_apply() {
    let world = World::new("intervals").await;
    let git = |interval: &str, reference: serde_json::Value| json!({ "source": { "git": { "url": "https://git.test/app.git", "ref": reference, "interval": interval } } });
    let watched = |watch: serde_json::Value| json!({ "source": { "git": { "url": "https://git.test/app.git", "path": "apps/shop", "watch": watch } } });
    let sum = "ab".repeat(32);
    for (spec, says) in [
        (git("30s", json!({ "branch": "main" })), "must be a duration from 1m to 168h"),
        (git("often", json!({ "branch": "main" })), "must be a duration from 1m to 168h"),
        (git("5m", json!({ "commit": "ab".repeat(20) })), "a commit never changes"),
        (watched(json!({ "paths": [] })), "spec.source.git.watch.paths"),
        (
            json!({ "source": { "archive": { "url": "https://h/x.tar.gz", "sha256": sum, "interval": "5m" } } }),
            "for archives without sha256",
        ),
        (
            json!({ "source": { "oci": { "reference": format!("ghcr.io/you/shop@sha256:{sum}"), "interval": "5m" } } }),
            "a digest never changes",
        ),
    ] {
        let refused = world.try_apply("shop", spec).await.unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}");
    }
    world.apply("shop", git("1h30m", json!({ "tag": "v1" }))).await;
    world.apply("watched", watched(json!({}))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_commit_outside_the_watched_paths_creates_no_version() {
    let world = World::new("watched").await;
    let _operator = Operator::start(&world).await;
    let at = |n: u8, tree: &str| Built {
        commit: Some(format!("{}@tree:{}", format!("{n:02x}").repeat(20), tree.repeat(64))),
        ..Built::default()
    };
    let mut spec = branch("main");
    spec["source"]["git"]["watch"] = json!({ "paths": ["packages/ui"] });
    world.apply("shop", spec).await;
    world.finish_build(at(1, "a")).await;
    let first = world.until_ready("shop", "True", "Serving").await.status.unwrap();

    world.ask("shop", "deploy", "@1").await;
    world.finish_build(at(2, "a")).await;
    world.ask("shop", "deploy", "@2").await;
    world.finish_build(at(3, "b")).await;
    let old = first.version.clone().unwrap();
    let served = world
        .until("shop", "the commit inside the paths serves", move |object: Option<&ProjectDeployment>| {
            object.is_some_and(|object| {
                let version = object.status.as_ref().and_then(|status| status.version.clone());
                is(object, "Ready", "True", "Serving") && version.is_some_and(|version| version != old)
            })
        })
        .await;
    let status = served.status.unwrap();
    assert_eq!(status.source.unwrap().digest, "03".repeat(20), "the status shows only the commit");
    assert_eq!(status.previous_version, first.version);
    assert_eq!(status.history.len(), 2, "{:?}", status.history);
}
