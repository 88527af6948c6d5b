//! Requests that are made to harm: bombs, slow bodies, repeated tokens.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::calls::{until, until_served};
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
async fn a_key_that_comes_again_replaces_no_newer_request_and_waits_for_nothing() {
    let world = World::new("api-again").await;
    let operator = Operator::start(&world).await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    world.apply("site", prebuilt(1)).await;
    let path = world.path("site");
    let restart = async |key: &str| {
        let asked = editor.request(Method::POST, &format!("{path}/restart")).header("idempotency-key", key);
        let (status, answer) = read(asked.send().await.unwrap()).await;
        assert_eq!(status, 202, "{answer}");
        answer["resourceVersion"].as_str().unwrap().to_owned()
    };
    let handled = async |key: &str, word: &str| {
        until(&editor, &path, |project| {
            let seen = &project["status"]["handled"]["restart"];
            seen["value"] == format!("@{key}") && seen["outcome"].as_str().unwrap().contains(word)
        })
        .await
    };
    restart("a").await;
    handled("a", "").await;
    restart("b").await;
    handled("b", "").await;
    operator.stop().await;

    // A third request waits. Older ones that come again leave it alone: one that is the last handled, and one before it.
    let third = restart("c").await;
    for old in ["b", "a", "c"] {
        assert_eq!(restart(old).await, third, "{old} wrote");
    }
    // One that the operator never saw was replaced, and stays so.
    let fourth = restart("d").await;
    assert_eq!(restart("c").await, fourth);
    assert_eq!(editor.get(&path).await.1["metadata"]["annotations"]["doce.dev/restart"], "@d");

    let operator = Operator::start(&world).await;
    handled("d", "").await;
    // A token that another tool writes again waits for nothing.
    world.annotate("site", "doce.dev/restart", "@a").await;
    handled("a", "repeated").await;
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

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_tokens_of_one_user_share_its_limits() {
    let world = World::new("api-tokens").await;
    let server = ApiServer::start_with(&world, |arguments| {
        (arguments.streams_per_caller, arguments.rate) = (2, 20.try_into().unwrap());
    })
    .await;
    let editor = Caller::editor(&world, &server).await;
    let again = Caller::stranger(&world, &server, "editor").await;
    let other = Caller::with_role(&world, &server, "other", "view").await;
    assert_ne!(editor.token(), again.token());
    world.apply("site", prebuilt(1)).await;
    until_served(&editor, &world.path("site")).await;
    let events = format!("{}/events", world.path("site"));
    let _first = editor.events(&events, None).await;
    let _second = again.events(&events, None).await;
    for caller in [&editor, &again] {
        assert_eq!(caller.request(Method::GET, &events).send().await.unwrap().status(), 429);
    }
    let _other = other.events(&events, None).await;
    let mut codes = vec![];
    for n in 0..100 {
        let caller = if n % 2 == 0 { &editor } else { &again };
        codes.push(caller.get(&world.path("site")).await.0);
    }
    // Each token alone would have a burst of 40.
    assert!(codes[..80].contains(&429), "{codes:?}");
    assert_eq!(other.get(&world.path("site")).await.0, 200, "another user has a share of its own");
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn invented_tokens_cost_few_questions_and_lock_no_known_caller_out() {
    let world = World::new("api-invented").await;
    let server = ApiServer::start_with(&world, |arguments| arguments.rate = 10.try_into().unwrap()).await;
    let editor = Caller::editor(&world, &server).await;
    world.apply("site", prebuilt(1)).await;
    until_served(&editor, &world.path("site")).await;
    let begun = std::time::Instant::now();
    let mut codes = std::collections::BTreeMap::<u16, u32>::new();
    for n in 0..90 {
        let invented = Caller::new(&server, Some(&format!("invented-{n}")));
        *codes.entry(invented.get(&world.path("site")).await.0).or_default() += 1;
    }
    let allowed = 20 + 10 * u32::try_from(begun.elapsed().as_secs() + 1).unwrap();
    assert!(codes[&401] <= allowed && codes.contains_key(&429), "{codes:?}, at most {allowed}");
    let asked = server.metric("doce_api_identity_reviews_total{answer=\"refused\"}").await;
    assert_eq!(asked, Some(f64::from(codes[&401])));
    assert_eq!(editor.get(&world.path("site")).await.0, 200, "a known token needs no question");
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_write_without_a_place_for_its_body_gets_503_and_a_body_that_does_not_arrive_gets_408() {
    let world = World::new("api-bodies").await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    world.apply("site", prebuilt(1)).await;
    let path = world.path("site");
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 1000\r\n\r\n{{",
        editor.token(),
    );
    let mut slow = vec![];
    for _ in 0..32 {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        slow.push(socket);
    }
    // The last of them may still be on its way to its place.
    server.until_metric("doce_api_bodies", 32.0).await;
    let request = editor.request(Method::PATCH, &path).header("content-type", "application/merge-patch+json");
    let answer = request.body("{}").send().await.unwrap();
    assert!(answer.headers().contains_key("retry-after"), "{answer:?}");
    assert_eq!(read(answer).await.0, 503);
    for mut socket in slow {
        let mut answer = [0; 12];
        let read = socket.read_exact(&mut answer);
        tokio::time::timeout(crate::harness::PATIENCE, read).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 408");
    }
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_project_that_is_too_large_for_a_list_is_named_there_and_read_whole() {
    let world = World::new("api-large").await;
    let server = ApiServer::start(&world).await;
    let editor = Caller::editor(&world, &server).await;
    world.apply("site", prebuilt(1)).await;
    world.apply("large", prebuilt(2)).await;
    let text = "x".repeat(260_000);
    world.annotate("large", "doce.dev/note", &text).await;
    world.annotate("site", "other.test/note", &text).await;
    let list = format!("/api/v1/namespaces/{}/projects", world.namespace);
    let (_, page) = until(&editor, &list, |page| page["tooLarge"][0] == "large").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(page["items"][0]["metadata"]["name"], "site");
    let (_, site) = editor.get(&world.path("site")).await;
    assert_eq!(site["metadata"]["annotations"].get("other.test/note"), None, "a note of others is not kept");
    let (status, large) = editor.get(&world.path("large")).await;
    assert_eq!((status, &large["spec"]["source"]), (200, &prebuilt(2)["source"]));
    assert_eq!(large["metadata"]["annotations"]["doce.dev/note"], text);
    assert_eq!(editor.get(&format!("{}/status", world.path("large"))).await.0, 200);
    assert_eq!(editor.get(&format!("{}/versions", world.path("large"))).await.0, 200);
    world.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn four_addresses_that_take_all_connections_leave_one_for_a_fifth_and_for_probes() {
    let world = World::new("api-addresses").await;
    let server = ApiServer::start_with(&world, |arguments| arguments.connections = 40).await;
    let mut open = vec![];
    for _ in 0..20 {
        for peer in 2..6 {
            for to in [server.address, server.metrics] {
                open.push(from(peer, to).await);
            }
        }
    }
    for to in [server.address, server.metrics] {
        for path in ["/livez", "/readyz"] {
            let mut socket = from(9, to).await;
            let request = format!("GET {path} HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n");
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            // Idle connections are closed after ten seconds, which would make room too late.
            let read = socket.read_to_string(&mut answer);
            tokio::time::timeout(std::time::Duration::from_secs(8), read).await.expect(path).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        }
    }
    drop(open);
    world.leave().await;
}

/// A connection from one of the addresses of this machine.
async fn from(peer: u8, to: std::net::SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(std::net::SocketAddr::from(([127, 0, 0, peer], 0))).unwrap();
    socket.connect(to).await.unwrap()
}
