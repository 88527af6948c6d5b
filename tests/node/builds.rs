//! Concurrent and consecutive builds: the cache, and builds that are no longer needed.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::LogParams;
use serde_json::json;

use crate::harness::{World, ready};
use crate::repository::Repository;

/// A program with enough packages that their installation is most of the work.
const PACKAGE: &str = r#"{ "name": "shop", "version": "1.0.0", "scripts": { "start": "node server.js" },
    "dependencies": { "express": "4.21.2", "fastify": "5.2.1", "typescript": "5.7.3" } }"#;

fn server(words: &str) -> String {
    format!("require('http').createServer((_, answer) => answer.end('{words}')).listen(process.env.PORT);\n")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_second_build_reuses_unchanged_layers_from_the_cache() {
    let world = World::new("cache").await;
    let repository = Repository::new("cache");
    let mut took = vec![];
    for words in ["first", "second"] {
        let commit = repository.commit(words, &[("package.json", PACKAGE), ("server.js", &server(words))]);
        let source = json!({ "git": { "url": repository.url, "ref": { "commit": commit } } });
        world.deploy("shop", &json!({ "source": source, "rollout": { "minReadySeconds": 0 } })).await;
        world.until_serves("shop", words).await;
        let (job, seconds) = world.last_build().await;
        took.push((seconds, world.log_of(&job).await));
    }
    let [(first, cold), (second, warm)] = &took[..] else { unreachable!() };
    println!(
        "first build {first:.1} s, after a change of the source {second:.1} s: {:.1} times as fast",
        first / second
    );
    let cached = |log: &str| log.lines().filter(|line| line.contains("CACHED")).count();
    assert_eq!(cached(cold), 0, "{cold}");
    assert!(cached(warm) > 0, "{warm}");
    assert!(!warm.contains("added "), "packages were installed again: {warm}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn environments_with_the_same_repository_build_a_commit_once() {
    let world = World::new("environments").await;
    let repository = Repository::new("environments");
    let commit = repository.commit("Both", &[("package.json", PACKAGE), ("server.js", &server("both"))]);
    let source = json!({ "git": { "url": repository.url, "ref": { "commit": commit } } });
    let deploy = async |name: &str, output: serde_json::Value, environment: &str| {
        let run = json!({ "env": [{ "name": "ENVIRONMENT", "value": environment }] });
        let build = json!({ "output": output });
        let rollout = json!({ "minReadySeconds": 0 });
        let spec = json!({ "source": source, "build": build, "run": run, "rollout": rollout });
        world.deploy(name, &spec).await;
        world.until_serves(name, "Both").await
    };
    // Any project shows this address in `status.image`.
    let alone = deploy("alone", json!({}), "trial").await;
    let registry = alone.image.unwrap().split_once('/').unwrap().0.to_owned();
    let shared = json!({ "repository": format!("{registry}/environments/both") });
    let staging = deploy("staging", shared.clone(), "staging").await;
    let production = deploy("production", shared, "production").await;
    assert_eq!(production.image, staging.image);
    assert_ne!(production.version, staging.version, "it runs differently");
    for (name, built) in [("alone", true), ("staging", true), ("production", false)] {
        let job = world.build_of(name).await;
        let log = world.log_of(&job).await;
        assert_eq!(log.contains("# Generated for "), built, "{name}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_cancelled_or_superseded_build_leaves_no_pod() {
    let world = World::new("unwanted").await;
    let repository = Repository::new("unwanted");
    let endless = "FROM docker.io/library/busybox:1.37\nRUN sleep 3600\n";
    let deploy = async |commit: &str| {
        let source = json!({ "git": { "url": repository.url, "ref": { "commit": commit } } });
        world.deploy("shop", &json!({ "source": source, "rollout": { "minReadySeconds": 0 } })).await;
    };
    let runs = |pods: &[Pod]| pods.iter().any(|pod| phase(pod) == Some("Running"));
    let none = |pods: &[Pod]| pods.is_empty();

    deploy(&repository.commit("Endless", &[("Dockerfile", endless)])).await;
    world.until_pods_of("build", "the build runs", runs).await;
    let named = |status: &doce_operator::crd::ProjectDeploymentStatus| status.build.is_some();
    let build = world.until_status("shop", "status names the build", named).await.build.unwrap();
    world.annotate("shop", "doce.dev/cancel", &format!("{}@1", build.id)).await;
    let cancelled = |status: &_| ready(status).is_some_and(|(_, reason)| reason == "Cancelled");
    world.until_status("shop", "it is cancelled", cancelled).await;
    world.until_pods_of("build", "its pod is gone", none).await;

    deploy(&repository.commit("Endless too", &[("Dockerfile", endless), ("x", "y")])).await;
    world.until_pods_of("build", "the next build runs", runs).await;
    let good = "FROM docker.io/library/busybox:1.37\nRUN mkdir /www && echo good > /www/index.html\nUSER 1000\n\
        CMD [\"sh\", \"-c\", \"exec httpd -f -p $PORT -h /www\"]\n";
    deploy(&repository.commit("Good", &[("Dockerfile", good)])).await;
    world.until_serves("shop", "Good").await;
    let over = |pods: &[Pod]| pods.iter().all(|pod| phase(pod) == Some("Succeeded"));
    world.until_pods_of("build", "only finished pods are left", over).await;
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

impl World {
    /// Start and end of a build Job. An app may serve before Kubernetes has ended the Job.
    pub async fn lasted(&self, job: &str) -> (Timestamp, Timestamp) {
        let ended = |job: Option<&Job>| {
            job.and_then(|job| job.status.as_ref()).is_some_and(|status| status.completion_time.is_some())
        };
        let status = self.until::<Job>(job, "Kubernetes ends it", ended).await.status.unwrap();
        (status.start_time.unwrap().0, status.completion_time.unwrap().0)
    }

    /// Name of the build that was created last, and the seconds that it took.
    async fn last_build(&self) -> (String, f64) {
        let jobs = self.list::<Job>().await;
        let name = jobs.iter().max_by_key(|job| job.creation_timestamp()).unwrap().name_any();
        let (started, ended) = self.lasted(&name).await;
        (name, (ended - started).total(jiff::Unit::Second).unwrap())
    }

    /// Name of the only build of a project.
    async fn build_of(&self, project: &str) -> String {
        let jobs = self.list::<Job>().await;
        let of_project =
            |job: &&Job| job.labels().get("doce.dev/project").is_some_and(|name| name == project);
        let [job] = jobs.iter().filter(of_project).collect::<Vec<_>>()[..] else { panic!("{jobs:#?}") };
        job.name_any()
    }

    /// Log of a build pod.
    pub async fn log_of(&self, job: &str) -> String {
        let pods = self.list::<Pod>().await;
        let of_job =
            |pod: &&Pod| pod.labels().get("batch.kubernetes.io/job-name").is_some_and(|name| name == job);
        let pod = pods.iter().find(of_job).unwrap();
        let params = LogParams { container: Some("build".to_owned()), ..LogParams::default() };
        self.api::<Pod>().logs(&pod.name_any(), &params).await.unwrap()
    }
}
