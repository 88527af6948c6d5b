//! The server as a process of its own: killed while a stream is open, and measured with many of them.

use std::time::{Duration, Instant};

use futures::future::join_all;

use super::calls::until_served;
use super::streams::{ids, report};
use crate::harness::api::Caller;
use crate::harness::server_process::ServerProcess;
use crate::harness::{World, prebuilt};

/// Streams of the measurement.
const STREAMS: usize = 500;

/// Changes of the measurement.
const CHANGES: usize = 20;

/// Growth that 500 streams may cause, in KiB.
const MOST_MEMORY: u64 = 50 << 10;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_stream_resumed_after_sigkill_of_the_server_loses_and_doubles_nothing() {
    let world = World::new("api-sigkill").await;
    let server = ServerProcess::start(&world, "127.0.0.1:0".parse().unwrap()).await;
    let editor = Caller::editor(&world, &server).await;
    world.apply("site", prebuilt(1)).await;
    until_served(&editor, &world.path("site")).await;
    let path = format!("{}/events", world.path("site"));
    let mut events = editor.events(&path, None).await;
    ids(&mut events, 1).await;
    let mut written = vec![];
    for n in 0..3 {
        written.push(report(&world, "site", &format!("step {n}")).await);
    }
    assert_eq!(ids(&mut events, 3).await, written);

    let address = server.address;
    server.kill().await;
    assert_eq!(events.next().await, None, "the connection is lost");
    written.push(report(&world, "site", "while no server runs").await);
    let server = ServerProcess::start(&world, address).await;
    assert_eq!(server.address, address);

    // The same caller at the same address, as a browser comes back.
    let mut resumed = editor.events(&path, Some(&written[2])).await;
    let mut up_to_date = editor.events(&path, Some(&written[3])).await;
    let event = resumed.next().await.unwrap();
    assert_eq!((&event.id, &event.data["error"]), (&written[3], &"while no server runs".into()));
    for n in 4..7 {
        written.push(report(&world, "site", &format!("step {n}")).await);
    }
    assert_eq!(ids(&mut resumed, 3).await, written[4..]);
    assert_eq!(ids(&mut up_to_date, 3).await, written[4..], "what the listener has is not sent again");
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn five_hundred_listeners_share_one_watch_and_hear_of_a_change_at_once() {
    let world = World::new("api-many").await;
    let server = ServerProcess::start(&world, "127.0.0.1:0".parse().unwrap()).await;
    let editor = Caller::editor(&world, &server).await;
    world.apply("site", prebuilt(1)).await;
    until_served(&editor, &world.path("site")).await;
    let path = format!("{}/events", world.path("site"));
    // What the first stream loads stays, however many follow.
    drop(editor.events(&path, None).await);
    let before = server.memory();
    let mut streams = join_all((0..STREAMS).map(|_| editor.events(&path, None))).await;
    join_all(streams.iter_mut().map(|events| ids(events, 1))).await;
    let asked = server.metric("doce_api_access_reviews_total{answer=\"allowed\"}").await.unwrap();
    assert!(asked < 10.0, "the same question is asked once, not {asked} times");

    let mut took = vec![];
    for n in 0..CHANGES {
        let begun = Instant::now();
        let waits = streams.iter_mut().map(|events| async move { (ids(events, 1).await, begun.elapsed()) });
        let message = format!("change {n}");
        let (version, heard) = tokio::join!(report(&world, "site", &message), join_all(waits));
        assert!(heard.iter().all(|(ids, _)| *ids == [version.clone()]), "each hears of each change once");
        took.extend(heard.into_iter().map(|(_, took)| took));
    }
    let after = server.memory();
    let watches = server.metric("doce_api_watches_total").await.unwrap();
    assert_eq!(watches.to_bits(), 1.0_f64.to_bits(), "one watch for all");
    assert_eq!(server.metric("doce_api_streams{kind=\"events\"}").await, Some(500.0));
    took.sort();
    let part = |percent: usize| took[took.len() * percent / 100];
    println!(
        "{STREAMS} streams: {} KiB before, {} KiB more, {watches} watch; {CHANGES} changes reached a stream after {:?} (p50), \
         {:?} (p95), {:?} (last), with the write itself",
        before,
        after.saturating_sub(before),
        part(50),
        part(95),
        took.last().copied().unwrap_or(Duration::ZERO),
    );
    assert!(after < before + MOST_MEMORY, "the memory grew from {before} to {after} KiB");
    world.leave().await;
}
