//! Who may do what over HTTP: the API server decides with the caller's own token.

use reqwest::Method;
use serde_json::json;

use crate::harness::api::{ApiServer, Caller};
use crate::harness::{World, prebuilt};

/// Every path of one project, with its method.
const PATHS: [(&str, &str); 16] = [
    ("GET", ""),
    ("PATCH", ""),
    ("GET", "/status"),
    ("GET", "/events"),
    ("GET", "/versions"),
    ("GET", "/builds"),
    ("GET", "/builds/x"),
    ("GET", "/builds/x/logs"),
    ("GET", "/logs"),
    ("POST", "/deploy"),
    ("POST", "/retry"),
    ("POST", "/restart"),
    ("POST", "/rollback"),
    ("POST", "/cancel"),
    ("POST", "/stop"),
    ("POST", "/start"),
];

const DOCE: [(&str, &str); 6] = [
    ("GET", "production"),
    ("GET", "production-stream"),
    ("POST", "deploy"),
    ("POST", "stop-production"),
    ("GET", "production-history"),
    ("POST", "rollback-production"),
];

/// Every call on a project of this name.
fn calls(world: &World, name: &str) -> Vec<(Method, String)> {
    let own = PATHS.iter().map(|(method, path)| (*method, format!("{}{path}", world.path(name))));
    let doce = DOCE
        .iter()
        .map(|(method, path)| (*method, format!("/api/projects/{}.{name}/{path}", world.namespace)));
    let delete = [("DELETE", world.path(name))];
    own.chain(doce).chain(delete).map(|(method, path)| (method.parse().unwrap(), path)).collect()
}

async fn status(caller: &Caller, method: &Method, path: &str) -> (u16, String) {
    let (status, problem) = caller.send(method.clone(), path, &json!({ "toHash": "00000000" })).await;
    (status, problem["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn without_a_token_or_with_a_wrong_one_every_call_is_answered_with_401() {
    let world = World::new("api-no-token").await;
    let server = ApiServer::start(&world).await;
    world.apply("site", prebuilt(1)).await;
    for (method, path) in calls(&world, "site") {
        let answer = Caller::new(&server, None).request(method.clone(), &path).send().await.unwrap();
        assert_eq!(answer.headers().get("www-authenticate").unwrap(), "Bearer", "{method} {path}");
        assert_eq!(answer.status(), 401, "{method} {path}");
        let wrong = Caller::new(&server, Some("planted"));
        let (status, detail) = status_of_body(&wrong, &method, &path).await;
        assert_eq!(status, 401, "{method} {path}: {detail}");
        assert!(!detail.contains("planted"), "{detail}");
    }
    world.leave().await;
}

/// Bodies that pass the checks before the token is used.
async fn status_of_body(caller: &Caller, method: &Method, path: &str) -> (u16, String) {
    let body =
        if path.ends_with("rollback-production") { json!({ "toHash": "00000000" }) } else { json!({}) };
    let (status, problem) = caller.send(method.clone(), path, &body).await;
    (status, problem["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_caller_without_the_right_gets_403_and_does_not_learn_whether_the_project_exists() {
    let world = World::new("api-stranger").await;
    let server = ApiServer::start(&world).await;
    world.apply("site", prebuilt(1)).await;
    let stranger = Caller::stranger(&world, &server, "stranger").await;
    for ((method, there), (_, gone)) in calls(&world, "site").into_iter().zip(calls(&world, "gone")) {
        let (status, detail) = status_of_body(&stranger, &method, &there).await;
        assert_eq!(status, 403, "{method} {there}: {detail}");
        let verb = match method {
            Method::GET if there.ends_with("/events") || there.ends_with("-stream") => "watch",
            Method::DELETE => "delete",
            Method::PATCH | Method::POST => "patch",
            _ => "get",
        };
        assert!(detail.contains(verb) && detail.contains("projectdeployments"), "{method} {there}: {detail}");
        let of_gone = status_of_body(&stranger, &method, &gone).await;
        assert_eq!(of_gone, (403, detail.replace("\"site\"", "\"gone\"")), "{method} {gone}");
    }
    let list = format!("/api/v1/namespaces/{}/projects", world.namespace);
    let (status, problem) = stranger.get(&list).await;
    assert_eq!(status, 403, "{problem}");
    let (status, problem) = stranger
        .send(Method::POST, &list, &json!({ "metadata": { "name": "new" }, "spec": prebuilt(2) }))
        .await;
    assert_eq!((status, problem["detail"].as_str().unwrap().contains("create")), (403, true), "{problem}");
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_viewer_reads_and_watches_but_changes_nothing() {
    let world = World::new("api-viewer").await;
    let server = ApiServer::start(&world).await;
    world.apply("site", prebuilt(1)).await;
    let viewer = Caller::with_role(&world, &server, "viewer", "view").await;
    for path in ["", "/status", "/versions", "/builds", "/logs"] {
        let answer =
            viewer.request(Method::GET, &format!("{}{path}", world.path("site"))).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    for path in ["/deploy", "/stop", "/restart", "/retry", "/rollback"] {
        let (status, problem) = viewer.post(&format!("{}{path}", world.path("site"))).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(status == 403 && detail.contains("patch"), "{path}: {problem}");
    }
    assert_eq!(viewer.get(&world.path("gone")).await.0, 404);
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn rights_in_one_namespace_open_no_other() {
    let (world, other) = (World::new("api-own").await, World::new("api-other").await);
    let server = ApiServer::start_with(&world, |arguments| arguments.namespace = String::new()).await;
    other.apply("secret", prebuilt(1)).await;
    let editor = Caller::editor(&world, &server).await;
    for (method, path) in calls(&other, "secret") {
        let (status, detail) = status_of_body(&editor, &method, &path).await;
        assert_eq!(status, 403, "{method} {path}: {detail}");
    }
    let (status, _) = editor.get(&format!("/api/v1/namespaces/{}/projects", other.namespace)).await;
    assert_eq!(status, 403);
    world.leave().await;
    other.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_name_that_would_be_another_path_at_the_api_server_is_not_found() {
    let world = World::new("api-names").await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    for name in ["..%2f..%2fpods", "%2e%2e", "a%3fdryRun=All", "A", "a%00"] {
        let (code, detail) = status(&editor, &Method::PATCH, &world.path(name)).await;
        assert_eq!(code, 404, "{name}: {detail}");
    }
    world.leave().await;
}
