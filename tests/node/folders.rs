//! Folders of a person's machine: `kubectl doce deploy .` as a user with only the `ClusterRole` `edit` in one namespace.

use std::path::PathBuf;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{Api, ResourceExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

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
    let manifest = r#"{
  "name": "shop",
  "scripts": { "build": "node --check server.js", "start": "node server.js" }
}
"#;
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
    let status = async || world.get::<ProjectDeployment>("shop").await;

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

    std::fs::write(folder.join("server.js"), "let shelf = ;\n").unwrap();
    doce(&user, &["deploy", "."]).await.ends(3).says(&["kubectl doce explain shop"]);
    doce(&user, &["explain", "shop"]).await.says(&["SyntaxError", "kubectl doce logs shop --build"]);
    until_answer(&world.address, port, "second").await;
    doce(&user, &["rollback", "shop"]).await.ends(0);
    until_answer(&world.address, port, "second").await;
    doce(&user, &["history", "shop"]).await.ends(0);

    // The Jobs of builds are gone after an hour.
    kubectl(&["delete", "jobs", "--all", "--namespace=folders", "--cascade=foreground"]).await;
    doce(&user, &["logs", "shop", "--build"]).await.ends(0).says(&["from the registry", "SyntaxError"]);
    let version = first.status.as_ref().unwrap().version.clone().unwrap();
    doce(&user, &["logs", "shop", "--build", "--version", &version]).await.ends(0).says(&["framework: Node"]);
}

#[tokio::test]
#[ignore = "needs a node"]
async fn the_probe_of_doctor_goes_the_whole_way_and_leaves_nothing() {
    let world = World::new("probe").await;
    let user = User::of(&world).await;
    user.doce(&["doctor", "--probe"]).await.ends(0).says(&["a pull by a node"]);
    for project in world.list::<ProjectDeployment>().await {
        world.until_gone::<ProjectDeployment>(&project.name_any()).await;
    }
    for map in world.list::<ConfigMap>().await {
        let is_of_probe = map.name_any().starts_with("doce-probe-");
        if is_of_probe {
            world.until_gone::<ConfigMap>(&map.name_any()).await;
        }
    }
}

/// The status and the body of a GET through a port-forward, as any client of the cluster can send it.
async fn ask(pods: &Api<Pod>, path: &str, token: Option<&str>) -> (u16, String) {
    let mut forwarded = pods.portforward("doce-doce-operator-registry-0", &[5000]).await.unwrap();
    let mut stream = forwarded.take_stream(5000).unwrap();
    let login = token
        .map(|token| format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(format!("any:{token}"))));
    let request = format!("GET {path} HTTP/1.1\r\nHost: registry\r\n{}\r\n", login.unwrap_or_default());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, answer)
}

#[tokio::test]
#[ignore = "needs a node"]
async fn a_port_forward_to_the_registry_opens_only_the_repositories_of_ones_own_namespace() {
    let world = World::new("folder-neighbours").await;
    let user = User::of(&world).await;
    let client = user.client().await;
    let pods: Api<Pod> = Api::namespaced(client, "doce-system");
    let token = world.registry_token().await;
    assert_eq!(ask(&pods, "/v2/", None).await.0, 401);
    assert_eq!(ask(&pods, "/v2/", Some(&token)).await.0, 200);
    let (status, says) = ask(&pods, "/v2/folders/shop/manifests/latest", Some(&token)).await;
    assert!(status == 403 && says.contains("not folders/shop"), "{says}");

    let others = kubectl(&["get", "pods", "--namespace=doce-system", "--output=name"]).await;
    let others: Vec<&str> = others.lines().filter_map(|line| line.strip_prefix("pod/")).collect();
    assert!(others.len() > 3, "{others:?}");
    for pod in others.into_iter().filter(|pod| *pod != "doce-doce-operator-registry-0") {
        let refused = pods.portforward(pod, &[8080]).await.err().map(|error| error.to_string());
        assert!(refused.is_some_and(|error| error.contains("403") || error.contains("orbidden")), "{pod}");
    }
}
