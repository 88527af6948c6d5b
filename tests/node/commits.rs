//! Commits from the repository to the running app: submodules, and the recorded commit data.

use doce_operator::crd::ProjectDeploymentStatus;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::client::until_answer;
use crate::harness::World;
use crate::repository::Repository;

const DOCKERFILE: &str = "FROM docker.io/library/busybox:1.37\nCOPY words /www\n\
    RUN mkdir -p /www && ls -A /www && if [ ! -e /www/index.html ]; then echo no words > /www/index.html; fi\n\
    USER 1000\nCMD [\"sh\", \"-c\", \"exec httpd -f -p $PORT -h /www\"]\n";

/// Commit, first line of the message, author and time of the newest commit, as Git prints them.
fn told_by_git(repository: &Repository) -> [String; 4] {
    let [commit, message, author, seconds] =
        ["%H", "%s", "%an <%ae>", "%ct"].map(|format| repository.log(format));
    let time = Timestamp::from_second(seconds.parse().unwrap()).unwrap();
    [commit, message, author, time.to_string()]
}

/// Commit, message, author, time and reference in the record of the live version.
async fn told_by_record(world: &World, status: &ProjectDeploymentStatus) -> [Value; 5] {
    let version = status.version.as_deref().unwrap().trim_start_matches('v').to_owned();
    let revisions = world.list::<ControllerRevision>().await;
    let facts = |revision: &ControllerRevision| revision.data.clone().unwrap().0;
    let is_record = |revision: &&ControllerRevision| {
        facts(revision)["version"].as_str().is_some_and(|long| long.starts_with(&version))
    };
    let record = revisions.iter().find(is_record).unwrap();
    let source = facts(record)["source"].clone();
    let image: Value = serde_json::from_str(&record.annotations()["doce.dev/image"]).unwrap();
    // For a commit that the spec names, only the build knows the rest.
    let either =
        |field: &str| if source[field].is_null() { image[field].clone() } else { source[field].clone() };
    let digest = source["digest"].clone();
    [digest, either("message"), either("author"), either("committedAt"), source["reference"].clone()]
}

/// Checks that record, status and history agree with Git.
async fn assert_told(world: &World, repository: &Repository, status: &ProjectDeploymentStatus, asked: &str) {
    let [commit, message, author, time] = told_by_git(repository);
    let told = json!([commit, message, author, time, asked]);
    assert_eq!(json!(told_by_record(world, status).await), told);
    let source = json!(status.source);
    let history = json!(status.history);
    let newest = &history[0];
    let shown = |entry: &Value, digest: &str| {
        json!([entry[digest], entry["message"], entry["author"], entry["committedAt"], entry["ref"]])
    };
    assert_eq!((shown(&source, "digest"), shown(newest, "source")), (told.clone(), told));
    assert_eq!((&newest["version"], &newest["state"]), (&json!(status.version), &json!("Serving")));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn submodules_are_built_on_request_and_records_match_git_log() {
    let world = World::new("commits").await;
    let (repository, words) = (Repository::new("commits"), Repository::new("commits-words"));
    let inner = words.commit("Words", &[("index.html", "words of a submodule")]);
    repository.submodule("words", "../commits-words.git", &inner);
    // The message has a body, and the author is not the committer, so that the test can tell them apart.
    let message = "Sell words, and Größeres\n\nThis is not the first line.";
    let commit = repository.commit(message, &[("Dockerfile", DOCKERFILE)]);
    assert_ne!(repository.log("%an"), repository.log("%cn"));
    let deploy = async |git: Value| {
        world.deploy("shop", &json!({ "source": { "git": git }, "rollout": { "minReadySeconds": 0 } })).await;
        world.until_ready("shop").await
    };
    let answers = async |status: &ProjectDeploymentStatus, words: &str| {
        until_answer(&world.address, status.node_port.unwrap(), words).await;
    };

    let without = deploy(json!({ "url": repository.url, "ref": { "branch": "main" } })).await;
    answers(&without, "no words").await;
    assert_told(&world, &repository, &without, "branch main").await;

    let by_commit = json!({ "url": repository.url, "ref": { "commit": commit }, "submodules": true });
    let with = deploy(by_commit).await;
    answers(&with, "words of a submodule").await;
    assert_ne!(with.version, without.version, "the same commit needs another build");
    assert_told(&world, &repository, &with, &format!("commit {commit}")).await;
}
