//! Requests that are made to harm: bombs, slow bodies, repeated tokens.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::api::{ApiServer, Caller, read};
use crate::harness::{Operator, World, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_body_is_read_only_from_a_caller_that_may_write_and_a_yaml_bomb_is_refused() {
    let world = World::new("api-bomb").await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    let stranger = Caller::stranger(&world, &server, "stranger").await;
    let path = world.path("site");
    let (zeros, aliases) = (vec!["0"; 50_000].join(","), vec!["*a"; 1000].join(","));
    let bomb = format!("{{a: &a [{zeros}], b: [{aliases}]}}");
    for (caller, expected) in [(&stranger, 403), (&editor, 400)] {
        let request =
            caller.request(Method::PATCH, &path).header("content-type", "application/apply-patch+yaml");
        assert_eq!(read(request.body(bomb.clone()).send().await.unwrap()).await.0, expected);
    }
    // The answer comes although the body never does.
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 1000000\r\n\r\n{{",
        stranger.token(),
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(crate::harness::PATIENCE, socket.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 403");
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_token_that_comes_again_after_another_one_waits_for_nothing() {
    let world = World::new("api-again").await;
    let operator = Operator::start(&world).await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    world.apply("site", prebuilt(1)).await;
    let path = world.path("site");
    for (key, outcome) in [("a", "done"), ("b", "done"), ("a", "repeated")] {
        let asked = editor.request(Method::POST, &format!("{path}/restart")).header("idempotency-key", key);
        assert_eq!(read(asked.send().await.unwrap()).await.0, 202);
        let handled = async {
            loop {
                let (_, project) = editor.get(&path).await;
                let seen = &project["status"]["handled"]["restart"];
                let is_it = seen["outcome"]
                    .as_str()
                    .is_some_and(|word| word.starts_with("repeated") == (outcome == "repeated"));
                if seen["value"] == format!("@{key}") && is_it {
                    return;
                }
            }
        };
        tokio::time::timeout(crate::harness::PATIENCE, handled).await.expect(outcome);
    }
    operator.stop().await;
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_caller_reads_its_own_writes_and_a_repeated_cancel_keeps_its_build() {
    let world = World::new("api-own-writes").await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    let path = world.path("site");
    world.apply("site", prebuilt(1)).await;
    let merge = async |patch: serde_json::Value| {
        let request =
            editor.request(Method::PATCH, &path).header("content-type", "application/merge-patch+json");
        read(request.body(patch.to_string()).send().await.unwrap()).await
    };
    for replicas in 1..20 {
        assert_eq!(merge(json!({ "spec": { "replicas": replicas } })).await.0, 200);
        assert_eq!(editor.get(&path).await.1["spec"]["replicas"], replicas);
    }
    let cancel = async |build: serde_json::Value| {
        let request = editor.request(Method::POST, &format!("{path}/cancel")).header("idempotency-key", "k");
        let request = request.header("content-type", "application/json");
        read(request.body(build.to_string()).send().await.unwrap()).await
    };
    assert_eq!(cancel(json!({ "build": "site-1" })).await.0, 202);
    assert_eq!(cancel(json!({})).await.1["request"], "site-1@k", "the build of the first request");
    assert_eq!(cancel(json!({ "build": "site-2" })).await.0, 422);

    let known = editor.request(Method::GET, &path).send().await.unwrap();
    let tag = known.headers()["etag"].clone();
    let same = editor.request(Method::GET, &path).header("if-none-match", tag.clone()).send().await.unwrap();
    assert_eq!((same.status().as_u16(), &same.headers()["etag"]), (304, &tag));
    let missing = editor.request(Method::PATCH, &world.path("none")).header("if-match", "*");
    let missing =
        missing.header("content-type", "application/merge-patch+json").body("{}").send().await.unwrap();
    assert_eq!(read(missing).await.0, 412);
    world.leave().await;
}
