//! `logs`: builds and the app in one stream. kwok prints one line for every container.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::user::User;
use crate::harness::{Built, Operator, World, commit, prebuilt};

/// What kwok prints.
const LINE: &str = "this container is simulated by kwok";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn logs_of_builds_and_of_the_app_are_one_stream() {
    let world = World::new("cli-logs").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    world.apply("shop", commit(1)).await;
    world.finish_build(Built::default()).await;
    let version = world.until_ready("shop", "True", "Serving").await.status.unwrap().version.unwrap();

    let all = user.doce(&["logs", "shop"]).await.ends(0).out.clone();
    let roles: Vec<&str> = all.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(roles, ["build", "app"], "{all}");
    assert!(all.lines().all(|line| line.ends_with(&format!("| {LINE}"))), "{all}");
    for (flags, lines) in
        [(&["--build"][..], 1), (&["--app"], 1), (&["--version", &version], 1), (&["--tail", "1"], 2)]
    {
        let line = [&["logs", "shop", "-o", "raw"][..], flags].concat();
        let out = user.doce(&line).await.ends(0).out.clone();
        assert_eq!(out, format!("{LINE}\n").repeat(lines), "{flags:?}");
    }
    let json = user.doce(&["logs", "shop", "--app", "-o", "json"]).await.ends(0).out.clone();
    let line: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&line["line"], &line["role"]), (&LINE.into(), &"app".into()));
    assert_eq!(line["version"], version.as_str());
    assert!(!line["time"].as_str().unwrap().is_empty());
    user.doce(&["logs", "shop", "--version", "v00000000"])
        .await
        .ends(0)
        .says(&["shop has no pod with a log"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_followed_log_goes_on_from_one_version_to_the_next() {
    let world = World::new("cli-follow").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let mut following = user.command(&["logs", "shop", "-f", "-o", "json"]).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut version = async || {
        let line: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
        line["version"].as_str().unwrap().to_owned()
    };
    assert_eq!(version().await, first);
    let second = world.serve("shop", prebuilt(2)).await;
    let mut seen = BTreeSet::new();
    while seen.insert(version().await) && !seen.contains(&second) {}
    assert!(seen.contains(&second), "{seen:?}");
    let pid = following.id().unwrap().to_string();
    tokio::process::Command::new("kill").args(["-INT", &pid]).status().await.unwrap();
    assert_eq!(following.wait().await.unwrap().code(), Some(0), "a person ends it");
}
