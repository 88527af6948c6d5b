//! Image cleanup in a registry of your own after a record is deleted: the Job that deletes the image, when it starts,
//! and when there is none. The registry is simulated; unit tests run the Job against a real one.

use doce_operator::protocol::order::cleanup::CleanupOrder;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ResourceQuota;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt as _;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::harness::cleanups::{CLEANUPS, outside, suspended};
use crate::harness::{Built, Operator, Options, World};

async fn operator(world: &World) -> Operator {
    Operator::start_with(world, Options { sees_all: true, ..Options::default() }).await
}

fn ordered(job: &Job) -> CleanupOrder {
    let pod = job.spec.clone().unwrap().template.spec.unwrap();
    let env = pod.containers[0].env.clone().unwrap();
    let text = env.into_iter().find(|variable| variable.name == "DOCE_CLEANUP").unwrap().value.unwrap();
    serde_json::from_str(&text).unwrap()
}

impl World {
    /// Builds and deploys one version. Returns its build Job and its image.
    async fn build(&self, name: &str, spec: Value) -> (String, String) {
        self.apply(name, spec).await;
        let job = self.finish_build(Built::default()).await;
        let served = self.until_ready(name, "True", "Serving").await;
        (job, served.status.unwrap().image.unwrap())
    }

    /// Deploys three versions. Only the build Job of the first one still keeps its record.
    async fn three(&self, with: impl Fn(Value) -> Value) -> (String, String) {
        let first = self.build("shop", with(outside(1))).await;
        for n in [2, 3] {
            self.build("shop", with(outside(n))).await;
        }
        self.until_sets(2).await;
        first
    }

    async fn until_records(&self, project: &str, count: usize) {
        let labels = format!("doce.dev/role=record,doce.dev/project={project}");
        let what = format!("{count} records of {project}");
        self.until_labelled::<ControllerRevision>(&labels, &what, |all| all.len() == count).await;
    }

    async fn cleanups(&self) -> Vec<Job> {
        let jobs = self.list::<Job>().await.into_iter();
        jobs.filter(|job| job.labels().get("doce.dev/role").is_some_and(|role| role == "cleanup")).collect()
    }

    /// Creates a running Job with the label of the operator's Jobs, as a user who may create Jobs.
    async fn forge(&self, name: &str, variable: &str, order: &str, annotations: Value) {
        let env = json!([{ "name": variable, "value": order }]);
        let container = json!({ "name": "build", "image": "forger.test/x:1", "env": env });
        let labels = json!({ "doce.dev/project": "shop", "doce.dev/uid": "nobody" });
        let job = json!({
            "metadata": { "name": name, "labels": labels, "annotations": annotations },
            "spec": {
                "suspend": false,
                "template": { "spec": { "restartPolicy": "Never", "containers": [container] } },
            },
        });
        let job: Job = serde_json::from_value(job).unwrap();
        self.api::<Job>().create(&PostParams::default(), &job).await.unwrap();
        let runs = |job: Option<&Job>| {
            job.is_some_and(|job| job.status.clone().unwrap_or_default().start_time.is_some())
        };
        self.until(name, "it runs", runs).await;
    }

    /// Makes the operator reconcile the project again, with nothing to do.
    async fn writes_nothing_more(&self, operator: &Operator) {
        operator.journal.at_rest().await;
        let before = operator.journal.writes().len();
        self.annotate("shop", "example.org/nothing", "1").await;
        self.with_canary().await;
        operator.journal.at_rest().await;
        let writes = operator.journal.writes().split_off(before);
        let to_shop = writes.iter().filter(|write| write.path.contains("/shop")).count();
        assert_eq!(to_shop, 0, "{writes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_job_is_created_before_the_record_is_deleted_and_starts_afterwards() {
    let world = World::new("cleanup").await;
    let operator = operator(&world).await;
    let (built, image) = world.three(|spec| spec).await;
    assert!(world.cleanups().await.is_empty(), "its build Job still exists");
    world.enforces("restricted").await;
    operator.journal.at_rest().await;
    let before = operator.journal.writes().len();
    world.delete::<Job>(&built).await;
    let job = world.until_cleanup("the Job has started", |job| !suspended(job)).await;
    world.until_records("shop", 2).await;
    let order = ordered(&job);
    assert_eq!(format!("{}@{}", order.repository, order.digest), image);
    assert_eq!((order.push_secret.as_deref(), order.insecure), (Some("push"), false));
    assert_eq!(job.owner_references()[0].name, "shop");

    world.end_cleanup("Succeeded").await;
    let ended = |job: &Job| job.status.as_ref().and_then(|status| status.succeeded) == Some(1);
    world.until_cleanup("the Job has ended", ended).await;
    operator.journal.at_rest().await;
    let acts: Vec<String> = operator.journal.writes()[before..]
        .iter()
        .filter(|write| write.status < 300 && !write.path.ends_with("/status"))
        .map(|write| {
            format!("{} {}", write.method, if write.path.contains("/jobs") { "Job" } else { "other" })
        })
        .collect();
    assert_eq!(acts, ["POST Job", "DELETE other", "PATCH Job"], "{:?}", operator.journal.writes());
    world.writes_nothing_more(&operator).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_failed_cleanup_job_stays_and_a_second_one_waits() {
    let world = World::new("cleanup-again").await;
    let operator = operator(&world).await;
    let (built, image) = world.three(|spec| spec).await;
    world.delete::<Job>(&built).await;
    let first = world.until_cleanup("the Job has started", |job| !suspended(job)).await;
    world.end_cleanup("Failed").await;
    let jobs = world.until_labelled::<Job>(CLEANUPS, "a second Job exists", |all| all.len() == 2).await;
    let (tried, next): (Vec<&Job>, Vec<&Job>) =
        jobs.iter().partition(|job| job.metadata.uid == first.metadata.uid);
    assert_eq!(tried[0].status.as_ref().and_then(|status| status.failed), Some(1));
    assert!(suspended(next[0]), "the retry waits");
    assert_eq!(next[0].annotations()["doce.dev/attempt"], "2");
    let order = ordered(next[0]);
    assert_eq!(format!("{}@{}", order.repository, order.digest), image);
    world.writes_nothing_more(&operator).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_image_that_another_project_uses_is_not_cleaned_up() {
    let world = World::new("cleanup-shared").await;
    let _operator = operator(&world).await;
    let (built, image) = world.three(|spec| spec).await;
    let (other, same) = world.build("other", outside(1)).await;
    assert_eq!(image, same);
    world.delete::<Job>(&other).await;
    world.delete::<Job>(&built).await;
    world.until_records("shop", 2).await;
    assert!(world.cleanups().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn keep_or_an_operator_for_one_namespace_deletes_no_image() {
    for (name, sees_all, cleanup) in [("keep", true, "Keep"), ("narrow", false, "Delete")] {
        let world = World::new(&format!("cleanup-{name}")).await;
        let _operator = Operator::start_with(&world, Options { sees_all, ..Options::default() }).await;
        let with = |mut spec: Value| {
            spec["build"]["output"]["cleanup"] = json!(cleanup);
            spec
        };
        let (built, _) = world.three(with).await;
        world.delete::<Job>(&built).await;
        world.until_records("shop", 2).await;
        assert!(world.cleanups().await.is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn builds_and_cleanups_of_one_repository_wait_for_each_other() {
    let world = World::new("cleanup-busy").await;
    let _operator = operator(&world).await;
    let (built, _) = world.three(|spec| spec).await;
    world.apply("other", outside(8)).await;
    world.running_build().await;
    world.delete::<Job>(&built).await;
    world.until_records("shop", 2).await;
    let waits = world.until_cleanup("the Job exists", |_| true).await;
    assert!(suspended(&waits), "the build may reuse the image");

    world.finish_build(Built::default()).await;
    world.until_cleanup("the Job has started", |job| !suspended(job)).await;
    world.until_ready("other", "True", "Serving").await;
    world.apply("third", outside(9)).await;
    world.until_ready("third", "False", "Queued").await;
    world.end_cleanup("Succeeded").await;
    world.finish_build(Built::default()).await;
    world.until_ready("third", "True", "Serving").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn forged_jobs_without_a_project_block_neither_builds_nor_cleanups() {
    let world = World::new("cleanup-forged").await;
    let image = json!({ "repository": "r.example/you/shop", "digest": "sha256:0", "key": "k" }).to_string();
    let push = json!({ "repository": "r.example/you/shop" }).to_string();
    let of = json!({ "doce.dev/build-of": "key/k", "doce.dev/attempt": "0" });
    for name in ["cleans", "cleans-too"] {
        world.forge(name, "DOCE_CLEANUP", &image, json!({ "doce.dev/cleanup-of": "v" })).await;
    }
    world.forge("builds", "DOCE_ORDER", &push, of.clone()).await;
    world.forge("unclear", "DOCE_ORDER", "?", of).await;
    let options = Options { sees_all: true, build_limit: 1, ..Options::default() };
    let _operator = Operator::start_with(&world, options).await;
    let (built, _) = world.three(|spec| spec).await;
    world.delete::<Job>(&built).await;
    world.until_cleanup("the Job has started", |job| !suspended(job)).await;
    for name in ["cleans", "cleans-too", "builds", "unclear"] {
        let forged = world.get::<Job>(name).await;
        let ended = forged.status.and_then(|status| status.conditions).is_some();
        assert!(!ended && forged.metadata.deletion_timestamp.is_none(), "{name} still runs");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_rejected_cleanup_job_keeps_no_record_and_is_reported() {
    let world = World::new("cleanup-quota").await;
    let operator = operator(&world).await;
    let (built, _) = world.three(|spec| spec).await;
    let jobs = world.list::<Job>().await.len() - 1;
    let quota = json!({
        "metadata": { "name": "no-more" }, "spec": { "hard": { "count/jobs.batch": jobs.to_string() } },
    });
    let quota: ResourceQuota = serde_json::from_value(quota).unwrap();
    world.api::<ResourceQuota>().create(&PostParams::default(), &quota).await.unwrap();
    world
        .until("no-more", "the quota is active", |quota: Option<&ResourceQuota>| {
            quota.and_then(|quota| quota.status.as_ref()).is_some_and(|status| status.used.is_some())
        })
        .await;
    world.delete::<Job>(&built).await;
    world.until_records("shop", 2).await;
    let told = |events: &[Event]| {
        events.iter().any(|event| {
            event.reason.as_deref() == Some("CleanupRefused")
                && event.note.as_deref().is_some_and(|note| {
                    note.contains("exceeded quota") && note.contains("spec.build.output.cleanup: Keep")
                })
        })
    };
    world.until_list("an event reports it", told).await;
    assert!(world.cleanups().await.is_empty());
    world.until_ready("shop", "True", "Serving").await;
    world.writes_nothing_more(&operator).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_interrupted_cleanup_is_continued_or_withdrawn_by_the_next_operator() {
    for (name, limit) in [("goes", 2), ("stays", 5)] {
        let world = World::new(&format!("cleanup-{name}")).await;
        let first = operator(&world).await;
        let (built, _) = world.three(|spec| spec).await;
        first.journal.hold("/controllerrevisions/");
        world.delete::<Job>(&built).await;
        world.until_cleanup("the Job exists and waits for the record", suspended).await;
        drop(first);
        let mut spec = outside(3);
        spec["history"] = json!({ "limit": limit });
        world.apply("shop", spec).await;

        let _second = operator(&world).await;
        if limit == 2 {
            world.until_cleanup("the Job has started", |job| !suspended(job)).await;
            world.until_records("shop", 2).await;
        } else {
            world.until_labelled::<Job>(CLEANUPS, "the Job is withdrawn", <[_]>::is_empty).await;
            world.until_records("shop", 3).await;
        }
    }
}
