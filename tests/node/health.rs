//! Messages about apps that do not become ready, with a real kubelet; and a long request that survives a rollout. All
//! apps are one image with different programs.

use doce_operator::crd::ProjectDeploymentStatus;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::client::{get, until_answer};
use crate::harness::{World, holds, ready};
use crate::pods::{is_ending, of_version};

const IMAGE: &str = "docker.io/library/node:22-bookworm-slim";

/// A server with this request handler.
fn serves(answer: &str) -> Value {
    let program = format!(
        "const server = require('node:http').createServer((request, response) => {{ {answer} }}); \
         server.listen(process.env.PORT); process.on('SIGTERM', () => server.close());"
    );
    json!(["node", "-e", program])
}

fn spec(command: &Value, health: &Value) -> Value {
    json!({
        "source": { "image": { "reference": IMAGE } },
        "run": { "command": command, "health": health },
        "rollout": { "deadlineSeconds": 600, "minReadySeconds": 1 },
    })
}

fn says(status: &ProjectDeploymentStatus) -> String {
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    ready.map(|ready| ready.message.clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn the_ready_condition_explains_kubelet_errors() {
    let world = World::new("health").await;
    let plain = json!({});
    let own = "response.writeHead(301, { location: `https://${request.socket.localAddress.replace('::ffff:', '')}:3000/` }).end();";
    let local = "require('node:http').createServer().listen(process.env.PORT, '127.0.0.1')";
    let apps = [
        ("login", serves("response.writeHead(401).end();"), &plain, "GET / answered 401"),
        ("routes", serves("response.writeHead(404).end();"), &plain, "GET / answered 404"),
        ("circle", serves(own), &plain, "GET / redirects to https://"),
        ("mute", serves(""), &plain, "GET / got no answer on port 3000 within 2 s"),
        ("local", json!(["node", "-e", local]), &plain, "connection refused on port 3000"),
        (
            "command",
            serves("response.end();"),
            &json!({ "type": "Command", "command": ["node", "-e", "console.log('no table'); process.exit(1)"], "timeoutSeconds": 20 }),
            "did not exit with 0: no table",
        ),
        (
            "throws",
            json!(["node", "-e", "throw new TypeError('no config')"]),
            &plain,
            "exit code 1: TypeError: no config",
        ),
    ];
    for (name, command, health, _) in &apps {
        world.deploy(name, &spec(command, health)).await;
    }
    for (name, _, _, words) in &apps {
        let status = world.until_status(name, words, |status| says(status).contains(words)).await;
        assert_eq!(ready(&status).unwrap().0, "False", "{name}: {}", says(&status));
    }

    world.deploy("absent", &spec(&json!(["nope", "--port", "3000"]), &plain)).await;
    let failed = world.until_status("absent", "it has failed", |status| holds(status, "Stalled")).await;
    assert!(says(&failed).contains("the command \"nope\" was not found in the image"), "{}", says(&failed));

    // The same app with the line from the message.
    let tcp = json!({ "type": "TCP" });
    world.deploy("login", &spec(&serves("response.writeHead(401).end();"), &tcp)).await;
    world.until_ready("login").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn an_app_that_redirects_http_to_https_serves_unchanged() {
    let world = World::new("to-https").await;
    let answer =
        "response.writeHead(301, { location: `https://${request.headers.host}${request.url}` }).end();";
    world.deploy("shop", &spec(&serves(answer), &json!({}))).await;
    world.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_request_of_twenty_seconds_survives_a_rollout() {
    let world = World::new("long").await;
    let answer = |words: &str| {
        serves(&format!(
            "const probe = (request.headers['user-agent'] || '').startsWith('kube-probe/'); \
             const long = request.headers.connection === 'close' && process.env.LONG; \
             setTimeout(() => response.end('{words}'), probe || !long ? 0 : 20000);"
        ))
    };
    let with = |words: &str, long: bool| {
        let mut spec = spec(&answer(words), &json!({ "periodSeconds": 60 }));
        spec["run"]["env"] = json!([{ "name": "LONG", "value": if long { "1" } else { "" } }]);
        spec
    };
    world.deploy("shop", &with("one", true)).await;
    let first = world.until_ready("shop").await;
    let port = first.node_port.unwrap();
    let address = format!("{}:{port}", world.address);
    world.deploy("shop", &with("two", false)).await;
    let known = first.version.clone().unwrap();
    let is_new = |pod: &Pod| !is_ending(pod) && !of_version(pod, &known);
    world.until_pods("the rollout has begun", |pods| pods.iter().any(is_new)).await;
    let asked = tokio::spawn(async move { get(&address).await });
    world.until_pods("the old pod ends", |pods| pods.iter().any(is_ending)).await;
    assert!(!asked.is_finished(), "the request continues while its pod ends");
    let answer = asked.await.unwrap().unwrap();
    assert_eq!(answer.text, "one", "the previous version answers its request");
    until_answer(&world.address, port, "two").await;
}
