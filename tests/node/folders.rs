//! Folders of a person's machine: `kubectl doce deploy .` as a user with only the `ClusterRole` `edit` in one namespace.

use std::path::PathBuf;
use std::time::Instant;

use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::administrator::kubectl;
use crate::client::until_answer;
use crate::harness::World;
use crate::user::{Said, User};

/// A folder as people have it: nothing in it is for the operator.
fn shop(user: &User, text: &str) -> PathBuf {
    let folder = user.path("shop");
    std::fs::create_dir_all(folder.join("node_modules/left-over")).unwrap();
    let server = format!(
        "require('http').createServer((request, response) => response.end('{text}\\n')).listen(process.env.PORT)\n"
    );
    let manifest = r#"{ "name": "shop", "private": true, "scripts": { "start": "node server.js" } }"#;
    for (name, content) in [
        ("package.json", manifest),
        ("server.js", server.as_str()),
        (".gitignore", "*.log\n"),
        ("debug.log", "not part of the source"),
        ("node_modules/left-over/index.js", "not part of the source"),
    ] {
        std::fs::write(folder.join(name), content).unwrap();
    }
    folder
}

async fn doce(user: &User, arguments: &[&str]) -> Said {
    let started = Instant::now();
    let mut command = user.command(arguments);
    command.current_dir(user.path("shop"));
    let said = Said::of(&command.output().await.unwrap());
    println!(
        "$ kubectl doce {}\n{}{}[exit {}, {:.1} s]",
        arguments.join(" "),
        said.out,
        said.err,
        said.code,
        started.elapsed().as_secs_f32()
    );
    said
}

#[tokio::test]
#[ignore = "needs a node"]
async fn a_folder_becomes_a_url_in_one_command_and_a_broken_edit_is_explained_and_rolled_back() {
    let world = World::new("folders").await;
    let user = User::of(&world).await;
    let folder = shop(&user, "first");
    let status = async || world.get::<doce_operator::crd::ProjectDeployment>("shop").await;

    let shown = doce(&user, &["deploy", ".", "--dry-run"]).await;
    shown.ends(0).says(&["framework: Node", "without node_modules", "nothing was"]);
    let first = doce(&user, &["deploy", "."]).await;
    first.ends(0).says(&["projectdeployment.doce.dev/shop created", "pushed ", "http://"]);
    let first = status().await;
    let port = first.status.as_ref().unwrap().node_port.unwrap();
    until_answer(&world.address, port, "first").await;
    assert!(
        !folder.join("shop.yaml").exists() && std::fs::read_dir(&folder).unwrap().count() == 5,
        "it wrote nothing"
    );

    doce(&user, &["deploy", "."]).await.ends(0).says(&["unchanged"]);
    assert_eq!(
        status().await.metadata.generation,
        first.metadata.generation,
        "the same folder is no new version"
    );

    shop(&user, "second");
    doce(&user, &["deploy", "."]).await.ends(0).says(&["configured"]);
    until_answer(&world.address, port, "second").await;

    std::fs::write(folder.join("server.js"), "throw new Error('no such shelf')\n").unwrap();
    doce(&user, &["deploy", "."]).await.ends(3).says(&["no such shelf"]);
    doce(&user, &["explain", "shop"]).await.says(&["no such shelf", "kubectl doce rollback"]);
    until_answer(&world.address, port, "second").await;
    doce(&user, &["rollback", "shop"]).await.ends(0);
    until_answer(&world.address, port, "second").await;
    doce(&user, &["history", "shop"]).await.ends(0);
}

#[tokio::test]
#[ignore = "needs a node"]
async fn a_port_forward_to_the_registry_opens_only_the_repositories_of_ones_own_namespace() {
    let world = World::new("folder-neighbours").await;
    let user = User::of(&world).await;
    let mut forward = user.kubectl(&[
        "port-forward",
        "--namespace=doce-system",
        "pod/doce-doce-operator-registry-0",
        ":5000",
    ]);
    let mut forward = forward.spawn().unwrap();
    let mut out = tokio::io::BufReader::new(forward.stdout.take().unwrap());
    let mut line = String::new();
    tokio::io::AsyncBufReadExt::read_line(&mut out, &mut line).await.unwrap();
    let port = line.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    let client = Client::builder().no_proxy().build().unwrap();
    let token = world.registry_token().await;
    let ask = async |path: &str, token: Option<&str>| -> (StatusCode, Value) {
        let mut request = client.get(format!("http://127.0.0.1:{port}{path}"));
        if let Some(token) = token {
            request = request.basic_auth("doce", Some(token));
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    };
    assert_eq!(ask("/v2/", None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ask("/v2/", Some(&token)).await.0, StatusCode::OK);
    let (status, body) = ask("/v2/folders/shop/manifests/latest", Some(&token)).await;
    let says = body["errors"][0]["message"].as_str().unwrap_or_default();
    assert!(status == StatusCode::FORBIDDEN && says.contains("not folders/shop"), "{status} {body}");
    forward.kill().await.unwrap();

    for pod in [
        "deployment/doce-doce-operator".to_owned(),
        kubectl(&[
            "get",
            "pods",
            "--namespace=doce-system",
            "--output=name",
            "--selector=app.kubernetes.io/component=operator",
        ])
        .await,
    ] {
        let refused =
            user.kubectl(&["port-forward", "--namespace=doce-system", &pod, ":8080"]).output().await.unwrap();
        let says = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && says.contains("forbidden"), "{pod}: {says}");
    }
}
