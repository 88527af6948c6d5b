//! Init commands with a real kubelet: they run in the image of the version, with its environment, before its pods.

use serde_json::{Value, json};

use crate::client::until_answer;
use crate::harness::{World, holds};

const IMAGE: &str = "docker.io/library/node:22-bookworm-slim";

/// A server that answers with a word, after an init command.
fn spec(word: &str, program: &str, deadline: i32) -> Value {
    let serve =
        "require('node:http').createServer((q, r) => r.end(process.env.WORD)).listen(process.env.PORT)";
    json!({
        "source": { "image": { "reference": IMAGE } },
        "run": {
            "command": ["node", "-e", serve],
            "env": [{ "name": "WORD", "value": word }],
            "initCommand": { "command": ["node", "-e", program], "deadlineSeconds": deadline },
        },
        "rollout": { "deadlineSeconds": 600, "minReadySeconds": 1 },
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn an_init_command_decides_whether_its_version_starts() {
    let world = World::new("init").await;
    let checks = "if (process.env.WORD !== 'first') throw new Error('no table ' + process.env.WORD)";
    world.deploy("shop", &spec("first", checks, 600)).await;
    let port = world.until_ready("shop").await.node_port.unwrap();
    until_answer(&world.address, port, "first").await;

    world.deploy("shop", &spec("second", checks, 600)).await;
    let failed =
        world.until_status("shop", "its init command fails", |status| holds(status, "Stalled")).await;
    let failure = failed.failure.unwrap();
    assert_eq!((failure.stage.as_str(), failure.reason.as_str()), ("Init", "InitCommandFailed"));
    assert!(failure.message.contains("exit code 1: Error: no table second"), "{}", failure.message);
    assert!(failure.log.contains("Error: no table second"), "{}", failure.log);
    until_answer(&world.address, port, "first").await;

    world.deploy("shop", &spec("third", "console.log('waits'); setInterval(() => {}, 1000)", 5)).await;
    let late = |status: &doce_operator::crd::ProjectDeploymentStatus| {
        status.failure.as_ref().is_some_and(|failure| failure.reason == "DeadlineExceeded")
    };
    let late = world.until_status("shop", "its init command takes too long", late).await;
    let failure = late.failure.unwrap();
    assert!(failure.message.contains("did not end within 5 s"), "{}", failure.message);
    until_answer(&world.address, port, "first").await;

    world.deploy("shop", &spec("fourth", "console.log('done')", 600)).await;
    world.until_ready("shop").await;
    until_answer(&world.address, port, "fourth").await;
}
