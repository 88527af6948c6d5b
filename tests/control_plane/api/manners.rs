//! Conventions that hold for every call: errors, limits, ids, health, the document.

use reqwest::Method;
use serde_json::json;

use crate::harness::api::{ApiServer, Caller, read};
use crate::harness::{World, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn every_error_is_a_problem_also_those_of_the_web_framework() {
    let world = World::new("api-problems").await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    world.apply("site", prebuilt(1)).await;
    let path = world.path("site");
    let projects = format!("/api/v1/namespaces/{}/projects", world.namespace);
    let send = |method: Method, path: String, kind: &'static str, body: String| {
        editor.request(method, &path).header("content-type", kind).body(body).send()
    };
    let large = json!({ "metadata": { "name": "x" }, "spec": "x".repeat(1 << 20) }).to_string();
    for (method, path, kind, body, expected) in [
        (Method::GET, "/nowhere".to_owned(), "", String::new(), 404),
        (Method::PUT, path.clone(), "", String::new(), 405),
        (Method::PATCH, path.clone(), "text/plain", "{}".to_owned(), 415),
        (Method::POST, projects.clone(), "text/yaml", "a: b".to_owned(), 415),
        (Method::POST, projects.clone(), "application/json", "{".to_owned(), 400),
        (Method::POST, projects.clone(), "application/json", large, 413),
        (Method::GET, format!("{projects}?limit=x"), "", String::new(), 400),
        (Method::POST, format!("{path}/deploy"), "application/json", r#"{"a":1}"#.to_owned(), 400),
        (Method::GET, format!("{path}/logs?tail=-1"), "", String::new(), 400),
    ] {
        let answer = send(method.clone(), path.clone(), kind, body).await.unwrap();
        assert_eq!(answer.headers().contains_key("allow"), expected == 405);
        let (status, problem) = read(answer).await;
        assert_eq!(status, expected, "{method} {path}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_request_has_an_id_and_answers_are_kept_by_nothing_in_between() {
    let world = World::new("api-ids").await;
    let server = ApiServer::start(&world).await;
    let caller = Caller::new(&server, None);
    let chosen =
        caller.request(Method::GET, "/nowhere").header("x-request-id", "mine-1").send().await.unwrap();
    assert_eq!(chosen.headers()["x-request-id"], "mine-1");
    assert_eq!(chosen.headers()["cache-control"], "private, no-cache");
    let long =
        caller.request(Method::GET, "/nowhere").header("x-request-id", "x".repeat(100)).send().await.unwrap();
    assert_eq!(long.headers()["x-request-id"].len(), 32, "another one, because this one is too long");
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_caller_that_sends_too_much_gets_429_with_the_time_to_wait() {
    let world = World::new("api-rate").await;
    let server = ApiServer::start_with(&world, |arguments| arguments.rate = 2.try_into().unwrap()).await;
    let stranger = Caller::stranger(&world, &server, "stranger").await;
    let mut codes = vec![];
    for _ in 0..12 {
        let answer = stranger.request(Method::GET, &world.path("site")).send().await.unwrap();
        codes.push((answer.status().as_u16(), answer.headers().contains_key("retry-after")));
    }
    assert!(codes.contains(&(403, false)) && codes.contains(&(429, true)), "{codes:?}");
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_web_page_of_another_origin_may_call_only_if_the_platform_owner_says_so() {
    let world = World::new("api-cors").await;
    let server = ApiServer::start_with(&world, |arguments| {
        arguments.origins = vec!["https://console.test".to_owned()];
    })
    .await;
    let closed = ApiServer::start(&world).await;
    let ask = |server: &ApiServer, origin: &'static str| {
        let request = Caller::new(server, None).request(Method::OPTIONS, &world.path("site"));
        request.header("origin", origin).header("access-control-request-method", "GET").send()
    };
    let allowed = ask(&server, "https://console.test").await.unwrap();
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://console.test");
    for (server, origin) in [(&server, "https://evil.test"), (&closed, "https://console.test")] {
        let refused = ask(server, origin).await.unwrap();
        assert!(!refused.headers().contains_key("access-control-allow-origin"), "{origin}");
    }
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_document_is_served_without_a_token_and_metrics_name_no_caller_and_no_project() {
    let world = World::new("api-document").await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    let (status, document) = Caller::new(&server, None).get("/api/openapi.json").await;
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    assert_eq!(editor.get(&world.path("site")).await.0, 404);
    let route = "route=\"/api/v1/namespaces/{namespace}/projects/{project}\"";
    let name = format!("doce_api_requests_total{{method=\"GET\",{route},status=\"404\"}}");
    assert_eq!(server.metric(&name).await, Some(1.0));
    assert_eq!(
        editor.request(Method::GET, "/metrics").send().await.unwrap().status(),
        404,
        "on another port"
    );
    world.leave().await;
}
