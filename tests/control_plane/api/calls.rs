//! Every documented call.

use std::collections::BTreeSet;

use doce_operator::crd::ProjectDeployment;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::api::{ApiServer, Caller, read};
use crate::harness::{Built, Operator, World, commit, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_project_is_created_read_changed_listed_and_deleted() {
    let world = World::new("api-crud").await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    let list = format!("/api/v1/namespaces/{}/projects", world.namespace);
    let body = json!({ "metadata": { "name": "site", "labels": { "team": "a" } }, "spec": prebuilt(1) });
    let request = editor.request(Method::POST, &list).header("content-type", "application/json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(answer.headers()["location"], world.path("site").as_str());
    assert_eq!(read(answer).await.0, 201);
    assert_eq!(editor.send(Method::POST, &list, &body).await.0, 409, "it exists");
    world.apply("other", prebuilt(2)).await;

    let site = until_served(&editor, &world.path("site")).await;
    assert_eq!(site["kind"], "ProjectDeployment");
    assert_eq!(site["metadata"].get("managedFields"), None);
    until_served(&editor, &world.path("other")).await;

    let (_, page) = editor.get(&format!("{list}?limit=1")).await;
    assert_eq!((names(&page), &page["continue"]), (vec!["other".to_owned()], &json!("other")));
    let (_, page) = editor.get(&format!("{list}?limit=1&continue=other")).await;
    assert_eq!((names(&page), page.get("continue")), (vec!["site".to_owned()], None));
    let (_, page) = editor.get(&format!("{list}?labelSelector=team%3Da")).await;
    assert_eq!(names(&page), ["site"]);
    assert_eq!(editor.get(&format!("{list}?limit=0")).await.0, 400);

    let merge = json!({ "spec": { "replicas": 2 } });
    let (status, changed) =
        patch(&editor, &world.path("site"), "application/merge-patch+json", &merge.to_string()).await;
    assert_eq!((status, &changed["spec"]["replicas"]), (200, &json!(2)));
    let apply = "metadata: {labels: {team: b}}\nspec: {source: {image: {reference: registry.test/x:1}}}";
    let (status, problem) = patch(&editor, &world.path("site"), "application/apply-patch+yaml", apply).await;
    assert_eq!(status, 409, "another manager owns the field: {problem}");
    let forced = format!("{}?force=true", world.path("site"));
    assert_eq!(patch(&editor, &forced, "application/apply-patch+yaml", apply).await.0, 200);
    let created = "spec: {source: {image: {reference: registry.test/x:1}}}";
    assert_eq!(patch(&editor, &world.path("third"), "application/apply-patch+yaml", created).await.0, 200);

    let answer = editor.request(Method::DELETE, &world.path("site")).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    world.until_gone::<ProjectDeployment>("site").await;
    let gone = async { while editor.get(&world.path("site")).await.0 != 404 {} };
    tokio::time::timeout(crate::harness::PATIENCE, gone).await.unwrap();
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn what_the_api_server_rejects_names_the_field() {
    let world = World::new("api-invalid").await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    let mut spec = prebuilt(1);
    spec["rollout"]["minReadySeconds"] = json!(-1);
    let list = format!("/api/v1/namespaces/{}/projects", world.namespace);
    let body = json!({ "metadata": { "name": "site" }, "spec": spec });
    let (status, problem) = editor.send(Method::POST, &list, &body).await;
    assert_eq!(status, 422, "{problem}");
    assert_eq!(problem["errors"][0]["field"], "spec.rollout.minReadySeconds", "{problem}");
    for wrong in ["spec: {nonsense: 1}", "'': null", "spec: {replicas: many}"] {
        let (status, problem) =
            patch(&editor, &world.path("site"), "application/apply-patch+yaml", wrong).await;
        assert_eq!(status, 422, "{wrong}: {problem}");
    }
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_write_with_if_match_changes_only_the_version_that_was_read() {
    let world = World::new("api-if-match").await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    world.apply("site", prebuilt(1)).await;
    until_served(&editor, &world.path("site")).await;
    let answer = editor.request(Method::GET, &world.path("site")).send().await.unwrap();
    let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
    let again = editor.request(Method::GET, &world.path("site")).header("if-none-match", &tag);
    assert_eq!(again.send().await.unwrap().status(), 304);

    let write = |method: Method, path: String, tag: String| {
        let request = editor.request(method, &path).header("if-match", tag);
        request.header("content-type", "application/json").body(r#"{"spec":{"replicas":2}}"#).send()
    };
    assert_eq!(read(write(Method::PATCH, world.path("site"), tag.clone()).await.unwrap()).await.0, 200);
    for (method, path) in [(Method::PATCH, ""), (Method::DELETE, "")] {
        let answer =
            write(method.clone(), format!("{}{path}", world.path("site")), tag.clone()).await.unwrap();
        assert_eq!(read(answer).await.0, 412, "{method}");
    }
    let stop = editor.request(Method::POST, &format!("{}/stop", world.path("site"))).header("if-match", &tag);
    assert_eq!(read(stop.send().await.unwrap()).await.0, 412);
    let deploy =
        editor.request(Method::POST, &format!("{}/deploy", world.path("site"))).header("if-match", "x");
    assert_eq!(read(deploy.send().await.unwrap()).await.0, 400);
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn every_action_reaches_the_operator_and_says_where_to_watch() {
    let world = World::new("api-actions").await;
    let _operator = Operator::start(&world).await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    let path = world.path("site");
    world.apply("site", prebuilt(1)).await;
    let first = world.until_ready("site", "True", "Serving").await.status.unwrap().version.unwrap();
    world.apply("site", prebuilt(2)).await;
    let second = world.until_ready("site", "True", "Serving").await.status.unwrap().version.unwrap();
    assert_ne!(first, second);

    let answer = editor.request(Method::POST, &format!("{path}/stop")).send().await.unwrap();
    assert_eq!(answer.headers()["location"], format!("{path}/events").as_str());
    let (status, stopped) = read(answer).await;
    assert_eq!((status, &stopped["status"]["status"]), (202, &json!("stopped")));
    world.until_ready("site", "True", "Stopped").await;
    assert_eq!(editor.post(&format!("{path}/start")).await.0, 202);
    world.until_ready("site", "True", "Serving").await;

    let (status, asked) =
        editor.send(Method::POST, &format!("{path}/rollback"), &json!({ "version": first })).await;
    assert_eq!((status, &asked["action"]), (202, &json!("rollback")));
    world.until_ready("site", "True", "Held").await;
    assert_eq!(
        editor.send(Method::POST, &format!("{path}/rollback"), &json!({ "version": "nonsense" })).await.0,
        400
    );

    for action in ["restart", "retry", "deploy"] {
        let (status, asked) = editor.post(&format!("{path}/{action}")).await;
        assert_eq!(status, 202, "{asked}");
        let value = asked["request"].as_str().unwrap().to_owned();
        world
            .until("site", "the request is handled", move |object: Option<&ProjectDeployment>| {
                let handled = object.and_then(|object| object.status.as_ref()?.handled.get(action));
                handled.is_some_and(|handled| handled.value == value)
            })
            .await;
    }
    assert_eq!(editor.post(&format!("{path}/cancel")).await.0, 409, "there is no build");
    let (_, status) =
        until(&editor, &format!("{path}/status"), |status| !status["handled"]["deploy"].is_null()).await;
    assert_eq!((&status["version"], &status["status"]), (&json!(first), &json!("running")), "{status}");
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_same_idempotency_key_makes_one_request() {
    let world = World::new("api-idempotency").await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    world.apply("site", prebuilt(1)).await;
    let ask = |key: &'static str| {
        let request = editor.request(Method::POST, &format!("{}/restart", world.path("site")));
        request.header("idempotency-key", key).send()
    };
    let (_, first) = read(ask("one").await.unwrap()).await;
    let (status, again) = read(ask("one").await.unwrap()).await;
    assert_eq!((status, &again["request"]), (202, &json!("@one")));
    assert_eq!(first["resourceVersion"], again["resourceVersion"], "the object did not change");
    let (_, other) = read(ask("two").await.unwrap()).await;
    assert_ne!(first["resourceVersion"], other["resourceVersion"]);
    assert_eq!(read(ask("a@b").await.unwrap()).await.0, 400);
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn versions_and_builds_are_listed_with_the_callers_token_and_a_build_is_cancelled() {
    let world = World::new("api-history").await;
    let _operator = Operator::start(&world).await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    let path = world.path("site");
    world.apply("site", commit(1)).await;
    world.until_ready("site", "False", "Building").await;
    let job = world.finish_build(Built::default()).await;
    let live = world.until_ready("site", "True", "Serving").await.status.unwrap().version.unwrap();
    world.apply("site", commit(2)).await;
    world.until_ready("site", "False", "Building").await;

    let (_, versions) = until(&editor, &format!("{path}/versions"), |page| {
        page["items"].as_array().is_some_and(|all| all.len() == 2)
    })
    .await;
    let [building, serving] = &versions["items"].as_array().unwrap()[..] else { panic!("{versions}") };
    assert_eq!(
        (&serving["version"], &serving["isActive"], &serving["state"]),
        (&json!(live), &json!(true), &json!("Serving"))
    );
    assert_eq!((&building["isActive"], &building["state"]), (&json!(false), &json!("Building")));
    let (_, page) = editor.get(&format!("{path}/versions?limit=1")).await;
    let (_, next) =
        editor.get(&format!("{path}/versions?limit=1&continue={}", page["continue"].as_str().unwrap())).await;
    assert_eq!((&next["items"][0]["version"], next.get("continue")), (&json!(live), None));

    let (_, builds) = editor.get(&format!("{path}/builds")).await;
    let ids: BTreeSet<&str> =
        builds["items"].as_array().unwrap().iter().map(|build| build["id"].as_str().unwrap()).collect();
    assert!(ids.len() == 2 && ids.contains(job.as_str()), "{builds}");
    let (status, build) = editor.get(&format!("{path}/builds/{job}")).await;
    assert_eq!((status, &build["state"]), (200, &json!("succeeded")), "{build}");
    assert_eq!(editor.get(&format!("{path}/builds/other")).await.0, 404);

    let (_, status) =
        until(&editor, &format!("{path}/status"), |status| status["status"] == "building").await;
    assert_eq!(status["activeJob"]["type"], "production.build");
    let (status, asked) = editor.post(&format!("{path}/cancel")).await;
    assert_eq!(status, 202, "{asked}");
    world.until_ready("site", "False", "Cancelled").await;
    world.leave().await;
}

/// Reads until the answer meets a condition.
pub(super) async fn until(caller: &Caller, path: &str, holds: impl Fn(&Value) -> bool) -> (u16, Value) {
    let mut last = (0, Value::Null);
    let waited = tokio::time::timeout(crate::harness::PATIENCE, async {
        loop {
            last = caller.get(path).await;
            if holds(&last.1) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "timed out waiting for {path}, which answers {last:?}");
    last
}

/// Waits until the watch of the server has a project.
pub(super) async fn until_served(caller: &Caller, path: &str) -> Value {
    until(caller, path, |object| object["metadata"]["name"].is_string()).await.1
}

async fn patch(caller: &Caller, path: &str, kind: &str, body: &str) -> (u16, Value) {
    let request = caller.request(Method::PATCH, path).header("content-type", kind).body(body.to_owned());
    read(request.send().await.unwrap()).await
}

fn names(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}
