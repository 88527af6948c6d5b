//! The requests of doce.dev's production deployment system, as its document writes them, and the answers that it writes there.

use reqwest::Method;
use serde_json::{Value, json};

use super::calls::until;
use doce_operator::protocol::report::Stage;

use crate::harness::api::{ApiServer, Caller, SentEvent, read};
use crate::harness::builds::failed;
use crate::harness::{Built, Operator, World, commit};

/// A server with this namespace as its default, so that the paths are those of the document: `/api/projects/my-project-id/…`.
async fn server(world: &World) -> ApiServer {
    let namespace = world.namespace.clone();
    ApiServer::start_with(world, |arguments| arguments.default_namespace = namespace).await
}

fn fields(answer: &Value) -> Vec<&str> {
    answer.as_object().unwrap().keys().map(String::as_str).collect()
}

const FIELDS: [&str; 6] = ["activeJob", "error", "port", "startedAt", "status", "url"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deployment_a_stop_and_a_rollback_get_the_answers_of_the_document() {
    let world = World::new("api-doce").await;
    let _operator = Operator::start(&world).await;
    let server = server(&world).await;
    let editor = Caller::editor(&world, &server).await;
    let site = "/api/projects/my-project-id";
    let production = format!("{site}/production");
    assert_eq!(editor.get(&production).await.0, 404);
    assert_eq!(editor.get("/api/projects/a.b.c/production").await.0, 404);

    // Deploy: the state is queued or building, and a second deploy answers the same.
    world.apply("my-project-id", commit(1)).await;
    let (_, building) = until(&editor, &production, |answer| answer["status"] == "building").await;
    assert_eq!(fields(&building), FIELDS, "{building}");
    assert_eq!(building["activeJob"], json!({ "type": "production.build", "state": "running" }));
    assert_eq!(
        (&building["url"], &building["port"], &building["error"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let (status, again) = editor.post(&format!("{site}/deploy")).await;
    assert_eq!((status, &again["status"]), (200, &json!("building")), "{again}");
    world.finish_build(Built::default()).await;

    let (_, running) = until(&editor, &production, |answer| answer["status"] == "running").await;
    assert_eq!(fields(&running), FIELDS);
    let port = running["port"].as_i64().unwrap();
    assert_eq!(running["url"], json!(format!("http://127.0.0.1:{port}")));
    assert_eq!((&running["error"], &running["activeJob"]), (&Value::Null, &Value::Null));
    assert!(running["startedAt"].as_str().unwrap().ends_with('Z'));
    let (status, answer) = editor.post(&format!("{site}/deploy")).await;
    assert_eq!(
        (status, &answer["status"]),
        (200, &json!("running")),
        "a deploy of what runs answers its state"
    );
    // The path with the namespace is the same project.
    let full = format!("/api/projects/{}.my-project-id/production", world.namespace);
    assert_eq!(editor.get(&full).await.1["port"], running["port"]);

    world.apply("my-project-id", commit(2)).await;
    world.until_ready("my-project-id", "False", "Building").await;
    world.finish_build(Built::default()).await;
    world.until_ready("my-project-id", "True", "Serving").await;

    // History and rollback.
    let two = |answer: &Value| {
        answer["versions"].as_array().is_some_and(|all| all.len() == 2 && all[0]["isActive"] == true)
    };
    let (status, history) = until(&editor, &format!("{site}/production-history"), two).await;
    assert_eq!(status, 200);
    let [new, old] = &history["versions"].as_array().unwrap()[..] else { panic!("{history}") };
    assert_eq!(fields(new), ["createdAt", "hash", "isActive"]);
    assert_eq!((&new["isActive"], &old["isActive"]), (&json!(true), &json!(false)));
    let hash = old["hash"].as_str().unwrap();
    assert!(hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");

    let rollback = format!("{site}/rollback-production");
    assert_eq!(editor.send(Method::POST, &rollback, &json!({ "toHash": "00000000" })).await.0, 404);
    assert_eq!(editor.send(Method::POST, &rollback, &json!({ "toHash": new["hash"] })).await.0, 400);
    assert_eq!(editor.send(Method::POST, &rollback, &json!({})).await.0, 400);
    let (status, done) = editor.send(Method::POST, &rollback, &json!({ "toHash": hash })).await;
    assert_eq!(
        (status, &done),
        (
            200,
            &json!({
                "success": true, "hash": hash, "message": format!("Rolled back to version {hash}"),
            })
        )
    );
    let (_, after) = editor.get(&production).await;
    assert_eq!((&after["status"], after["port"].as_i64()), (&json!("running"), Some(port)));
    let (_, history) = editor.get(&format!("{site}/production-history")).await;
    let active: Vec<&Value> =
        history["versions"].as_array().unwrap().iter().filter(|one| one["isActive"] == true).collect();
    assert_eq!(active.len(), 1);
    assert_eq!(active[0]["hash"], hash);

    // Stop: answered at once, and again.
    let (status, stopped) = editor.post(&format!("{site}/stop-production")).await;
    assert_eq!((status, &stopped["status"]), (200, &json!("stopped")));
    assert_eq!(stopped["activeJob"], json!({ "type": "production.stop", "state": "queued" }));
    assert_eq!(
        (&stopped["url"], &stopped["port"], &stopped["startedAt"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    until(&editor, &production, |answer| answer["activeJob"].is_null()).await;
    let (status, again) = editor.post(&format!("{site}/stop-production")).await;
    assert_eq!((status, &again["status"], &again["activeJob"]), (200, &json!("stopped"), &Value::Null));

    // Deploy of a stopped project: queued, then running on the same port.
    let (status, queued) = editor.post(&format!("{site}/deploy")).await;
    assert_eq!(status, 200);
    assert_eq!(
        queued,
        json!({
            "status": "queued", "url": null, "port": null, "error": null, "startedAt": null,
            "activeJob": { "type": "production.build", "state": "queued" },
        })
    );
    let (_, running) = until(&editor, &production, |answer| answer["status"] == "running").await;
    assert_eq!(running["port"].as_i64(), Some(port));
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_stream_of_a_deployment_has_the_events_of_the_document_and_ends() {
    let world = World::new("api-doce-stream").await;
    let _operator = Operator::start(&world).await;
    let server = server(&world).await;
    let editor = Caller::editor(&world, &server).await;
    // The operator reports a step that lasts longer than a second.
    let mut spec = commit(1);
    spec["rollout"]["minReadySeconds"] = json!(4);
    world.apply("my-project-id", spec).await;
    world.until_ready("my-project-id", "False", "Building").await;
    super::calls::until_served(&editor, &world.path("my-project-id")).await;
    let stream = "/api/projects/my-project-id/production-stream";
    let mut events = editor.events(stream, None).await;
    let build = async { world.finish_build(Built::default()).await };
    let (seen, _) = tokio::join!(events.until("stream.end"), build);
    assert_eq!(events.next().await, None, "the stream ends");
    let names: Vec<&str> = seen.iter().map(|event| event.name.as_str()).collect();
    let known =
        ["production.queued", "production.building", "production.starting", "production.ready", "stream.end"];
    assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
    let at = |name: &str| {
        names.iter().position(|there| *there == name).unwrap_or_else(|| panic!("no {name}: {names:?}"))
    };
    assert!(
        at("production.building") < at("production.starting")
            && at("production.starting") < at("production.ready"),
        "{names:?}"
    );
    let data = |name: &str| seen[at(name)].data.clone();
    assert!(data("production.building")["message"].is_string());
    let ready = data("production.ready");
    assert_eq!(ready["status"], "running");
    assert!(ready["url"].is_string() && ready["port"].is_i64(), "{ready}");

    // What is at rest ends at once, after one event.
    let mut again = editor.events(stream, None).await;
    let seen: Vec<SentEvent> = again.until("stream.end").await;
    assert_eq!(
        seen.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(),
        ["production.ready", "stream.end"]
    );
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_failed_build_is_an_error_that_deploy_retries() {
    let world = World::new("api-doce-failed").await;
    let _operator = Operator::start(&world).await;
    let server = server(&world).await;
    let editor = Caller::editor(&world, &server).await;
    world.apply("my-project-id", commit(1)).await;
    world.until_ready("my-project-id", "False", "Building").await;
    world.fail_build(failed(Stage::Build, "BuildFailed", "npm install exited with code 1")).await;
    let production = "/api/projects/my-project-id/production";
    let (_, failed) = until(&editor, production, |answer| answer["status"] == "failed").await;
    assert!(failed["error"].as_str().unwrap().len() > 3 && failed["activeJob"].is_null(), "{failed}");
    let mut events = editor.events("/api/projects/my-project-id/production-stream", None).await;
    let seen = events.until("stream.end").await;
    assert_eq!(seen[0].name, "production.error");
    assert_eq!(seen[0].data["error"], failed["error"]);

    let (status, queued) = editor.post("/api/projects/my-project-id/deploy").await;
    assert_eq!((status, &queued["status"], &queued["error"]), (200, &json!("queued"), &Value::Null));
    world.until_ready("my-project-id", "False", "Building").await;
    world.finish_build(Built::default()).await;
    until(&editor, production, |answer| answer["status"] == "running").await;
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_name_without_a_namespace_needs_a_default_namespace() {
    let world = World::new("api-doce-default").await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    let answer = editor.request(Method::GET, "/api/projects/site/production").send().await.unwrap();
    let (status, problem) = read(answer).await;
    assert_eq!(status, 404);
    assert!(problem["detail"].as_str().unwrap().contains("server.defaultNamespace"), "{problem}");
    world.leave().await;
}
