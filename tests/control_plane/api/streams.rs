//! Live events: resume, slow readers, many listeners, limits, the end of the server.

use std::time::{Duration, Instant};

use doce_operator::crd::ProjectDeployment;
use doce_operator::server::Arguments;
use kube::api::{Patch, PatchParams};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::calls::until_served;
use crate::harness::api::{ApiServer, Caller, Events};
use crate::harness::{World, prebuilt};

/// Writes a status, as an operator does. Returns the resource version.
pub(super) async fn report(world: &World, name: &str, message: &str) -> String {
    let status = json!({ "status": { "observedGeneration": 1, "phase": "Failed", "failure": { "stage": "Build", "reason": "X", "message": message } } });
    let api = world.api::<ProjectDeployment>();
    let object = api.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    object.metadata.resource_version.unwrap()
}

/// The next ids of a stream.
pub(super) async fn ids(events: &mut Events, count: usize) -> Vec<String> {
    let mut ids = vec![];
    for _ in 0..count {
        ids.push(events.next().await.expect("the stream goes on").id);
    }
    ids
}

/// A project that a server with these settings serves, a caller who may edit it, and the path of its events.
async fn watched(test: &str, set: impl FnOnce(&mut Arguments)) -> (World, ApiServer, Caller, String) {
    let world = World::new(test).await;
    let server = ApiServer::start_with(&world, set).await;
    let editor = Caller::editor(&world, &server).await;
    world.apply("site", prebuilt(1)).await;
    until_served(&editor, &world.path("site")).await;
    let path = format!("{}/events", world.path("site"));
    (world, server, editor, path)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_stream_resumed_after_the_server_was_killed_loses_and_doubles_nothing() {
    let (world, server, editor, path) = watched("api-resume", |_| {}).await;

    let mut events = editor.events(&path, None).await;
    let first = ids(&mut events, 1).await;
    let mut written = vec![];
    for n in 0..5 {
        written.push(report(&world, "site", &format!("step {n}")).await);
    }
    assert_eq!(ids(&mut events, 5).await, written, "each change is one event, and its id is the version");

    // A lost connection: the server knows the changes one by one.
    drop(events);
    for n in 5..8 {
        written.push(report(&world, "site", &format!("step {n}")).await);
    }
    let mut events = editor.events(&path, Some(&written[4])).await;
    assert_eq!(ids(&mut events, 3).await, written[5..8]);
    let mut from_first = editor.events(&path, Some(&first[0])).await;
    assert_eq!(ids(&mut from_first, 8).await, written);

    // A killed server: the new one has the newest state.
    let address = server.address;
    server.kill().await;
    assert_eq!(events.next().await, None, "the connection is lost");
    written.push(report(&world, "site", "step 8").await);
    written.push(report(&world, "site", "step 9").await);
    let server = ApiServer::start_with(&world, |arguments| arguments.address = address).await;
    let editor = editor.at(&server);
    let mut events = editor.events(&path, Some(&written[7])).await;
    assert_eq!(ids(&mut events, 1).await, written[9..10], "the newest state, once");
    let mut up_to_date = editor.events(&path, Some(&written[9])).await;
    let next = report(&world, "site", "step 10").await;
    assert_eq!(ids(&mut events, 1).await, std::slice::from_ref(&next));
    assert_eq!(ids(&mut up_to_date, 1).await, [next], "what the listener has is not sent again");
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_reader_that_is_too_slow_is_dropped_with_the_reason_and_can_resume() {
    let (world, server, editor, path) = watched("api-slow", |_| {}).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut slow = socket.connect(server.address).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {}\r\n\r\n", editor.token());
    slow.write_all(request.as_bytes()).await.unwrap();
    let mut quick = editor.events(&path, None).await;
    ids(&mut quick, 1).await;
    let mut last = String::new();
    for n in 0..200 {
        last = report(&world, "site", &format!("{n} {}", "x".repeat(8 << 10))).await;
        assert_eq!(ids(&mut quick, 1).await, [last.clone()], "the other listener is not held back");
    }
    let mut text = String::new();
    let read = async {
        let mut bytes = vec![0; 64 << 10];
        while !text.contains("event: stream.end") {
            match slow.read(&mut bytes).await {
                Ok(0) | Err(_) => break,
                Ok(read) => text.push_str(&String::from_utf8_lossy(&bytes[..read])),
            }
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, read).await.unwrap();
    let end = text
        .split("event: stream.end")
        .nth(1)
        .unwrap_or_else(|| panic!("no stream.end in {} bytes", text.len()));
    assert!(end.contains("tooSlow") && end.contains("Last-Event-ID"), "{end}");
    let got = text.split("\nid: ").last().unwrap().lines().next().unwrap().to_owned();
    assert_ne!(got, last);
    let mut resumed = editor.events(&path, Some(&got)).await;
    let mut ids = vec![got.parse::<u64>().unwrap()];
    while ids.last().unwrap().to_string() != last {
        ids.push(resumed.next().await.unwrap().id.parse().unwrap());
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "nothing twice: {ids:?}");
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_server_that_shuts_down_ends_its_streams_with_the_reason() {
    let (world, server, editor, path) = watched("api-shutdown", |_| {}).await;
    let mut events = editor.events(&path, None).await;
    ids(&mut events, 1).await;
    let (seen, ()) = tokio::join!(events.until("stream.end"), server.stop());
    assert_eq!(seen.last().unwrap().data["reason"], "shutdown");
    assert_eq!(events.next().await, None);
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deletion_ends_the_streams_of_the_project() {
    let (world, _server, editor, path) = watched("api-deleted", |_| {}).await;
    let mut events = editor.events(&path, None).await;
    world.delete::<ProjectDeployment>("site").await;
    let seen = events.until("stream.end").await;
    assert_eq!(seen.last().unwrap().data["reason"], "deleted");
    assert_eq!(events.next().await, None);
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_caller_has_a_limited_number_of_streams() {
    let (world, _server, editor, path) =
        watched("api-stream-limit", |arguments| arguments.streams_per_caller = 2).await;
    let first = editor.events(&path, None).await;
    let _second = editor.events(&path, None).await;
    let refused = editor.request(Method::GET, &path).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (429, true));
    drop(first);
    let freed = async { while editor.request(Method::GET, &path).send().await.unwrap().status() != 200 {} };
    tokio::time::timeout(crate::harness::PATIENCE, freed).await.expect("a closed stream frees its place");
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_stream_ends_within_two_minutes_after_its_caller_lost_the_right() {
    let (world, _server, editor, path) = watched("api-revoked", |_| {}).await;
    let mut events = editor.events(&path, None).await;
    ids(&mut events, 1).await;
    world.delete::<k8s_openapi::api::rbac::v1::RoleBinding>("editor").await;
    let begun = Instant::now();
    let seen = events.until("stream.end").await;
    assert_eq!(seen.last().unwrap().data["reason"], "forbidden");
    assert!(begun.elapsed() < Duration::from_mins(2));
    world.leave().await;
}
