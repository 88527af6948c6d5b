//! Folders of a person's machine: `kubectl doce deploy .` as a user with only the `ClusterRole` `edit` in one namespace.

use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{Api, ResourceExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::administrator::kubectl;
use crate::client::until_answer;
use crate::harness::{World, holds};
use crate::user::{Said, User};

/// A folder as people have it: nothing in it is for the operator.
fn shop(user: &User) -> PathBuf {
    let folder = user.path("shop");
    std::fs::create_dir_all(folder.join("node_modules/left-over")).unwrap();
    let server =
        "require('http').createServer((_, answer) => answer.end('first\\n')).listen(process.env.PORT)\n";
    let manifest = r#"{
  "name": "shop",
  "engines": { "node": "22.x" },
  "scripts": { "build": "node --check server.js", "start": "node server.js" }
}
"#;
    for (name, content) in [
        ("package.json", manifest),
        ("server.js", server),
        (".gitignore", "*.log\n"),
        ("debug.log", "not part of the source"),
        ("node_modules/left-over/index.js", "not part of the source"),
    ] {
        std::fs::write(folder.join(name), content).unwrap();
    }
    folder
}

/// A terminal in the folder, and what it showed.
struct Terminal<'a> {
    user: &'a User,
    shown: String,
}

impl Terminal<'_> {
    /// Types a line as a person does.
    async fn types(&mut self, line: &str) -> Said {
        let started = Instant::now();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = self.user.shell(line);
        command.current_dir(self.user.path("shop")).stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut child = command.spawn().unwrap();
        drop(command); // It holds the other ends of the pipe.
        let reading = tokio::task::spawn_blocking(move || {
            let mut out = String::new();
            std::io::Read::read_to_string(&mut reader, &mut out).map(|_| out)
        });
        let (out, ended) = (reading.await.unwrap().unwrap(), child.wait().await.unwrap());
        let said = Said { code: ended.code().unwrap_or(-1), out, err: String::new() };
        let shown = format!("$ {line}\n{}", said.out);
        println!("{shown}[exit {}, {:.1} s]", said.code, started.elapsed().as_secs_f32());
        self.shown += &shown;
        said
    }
}

/// The transcript without what differs from run to run: moments, numbers, digests, and which of the passing states were seen.
fn lasting(transcript: &str) -> String {
    let is_moment = |line: &&str| line.starts_with("  ") && line.contains("s  ");
    let is_hex = |word: &str| {
        word.len() >= 7 && word.trim_start_matches('v').bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let lasting = |word: &str| {
        let end = word.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(word.len());
        let (name, end) = word.split_at(end);
        let name = if is_hex(name) { "HEX" } else { name };
        format!("{name}{end}").replace(|letter: char| letter.is_ascii_digit(), "0")
    };
    let line = |line: &str| {
        line.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric()).map(lasting).collect::<String>()
    };
    transcript.lines().filter(|line| !is_moment(line)).map(line).collect::<Vec<_>>().join("\n")
}

/// The block of the README between these marks.
const BEGIN: &str = "<!-- made by tests/node/folders.rs -->\n```console\n";
const END: &str = "```\n<!-- end -->";

#[tokio::test]
#[ignore = "needs a node"]
async fn a_folder_becomes_a_url_in_one_command_and_a_broken_edit_is_explained_and_rolled_back() {
    let world = World::new("folders").await;
    let user = User::of(&world).await;
    let folder = shop(&user);
    let status = async || world.get::<ProjectDeployment>("shop").await;
    let mut terminal = Terminal { user: &user, shown: String::new() };

    terminal.types("ls").await.ends(0);
    let first = terminal.types("kubectl doce deploy .").await;
    first.ends(0).says(&["projectdeployment.doce.dev/shop created", "pushed ", "http://"]);
    let first = status().await;
    let port = first.status.as_ref().unwrap().node_port.unwrap();
    until_answer(&world.address, port, "first").await;
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 5, "it wrote nothing into the folder");

    terminal
        .types("sed -i s/first/second/ server.js && kubectl doce deploy .")
        .await
        .ends(0)
        .says(&["configured"]);
    until_answer(&world.address, port, "second").await;
    let second = status().await.metadata.generation;
    let again = Terminal { user: &user, shown: String::new() }.types("kubectl doce deploy .").await;
    again.ends(0).says(&["unchanged"]);
    assert_eq!(status().await.metadata.generation, second, "the same folder is no new version");

    let broken = terminal.types("echo 'let shelf = ;' >> server.js && kubectl doce deploy .").await;
    broken.ends(3).says(&["kubectl doce explain shop"]);
    terminal
        .types("kubectl doce explain shop")
        .await
        .ends(0)
        .says(&["SyntaxError", "kubectl doce deploy FOLDER"]);
    until_answer(&world.address, port, "second").await;
    terminal.types("kubectl doce rollback shop previous").await.ends(0).says(&["http://"]);
    until_answer(&world.address, port, "first").await;

    // The Jobs of builds are gone after an hour.
    kubectl(&["delete", "jobs", "--all", "--namespace=folders", "--cascade=foreground"]).await;
    user.doce(&["logs", "shop", "--build"]).await.ends(0).says(&["from the registry", "SyntaxError"]);
    let version = first.status.as_ref().unwrap().version.clone().unwrap();
    let log = user.doce(&["logs", "shop", "--build", "--version", &version]).await;
    log.ends(0).says(&["framework: Node"]);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the mark in README.md");
    let (block, after) = rest.split_once(END).expect("the end of the block in README.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", terminal.shown)).unwrap();
        return;
    }
    assert_eq!(lasting(block), lasting(&terminal.shown), "run this test with BLESS=1 to renew README.md");
}

#[tokio::test]
#[ignore = "needs a node"]
async fn each_change_of_a_folder_is_deployed_while_dev_runs() {
    let world = World::new("folder-dev").await;
    let user = User::of(&world).await;
    let folder = shop(&user);
    let mut command = user.command(&["dev", "shop"]);
    let mut dev = command.spawn().unwrap();
    let first = world.until_any::<ProjectDeployment>("the project of dev", |project| {
        project.status.as_ref().is_some_and(|status| holds(status, "Ready"))
    });
    let port = first.await.status.unwrap().node_port.unwrap();
    until_answer(&world.address, port, "first").await;
    let server = std::fs::read_to_string(folder.join("server.js")).unwrap();
    std::fs::write(folder.join("server.js"), "let shelf = ;\n").unwrap();
    let failed = |status: &_| holds(status, "Stalled");
    world.until_status("shop", "the broken edit is rejected", failed).await;
    std::fs::write(folder.join("server.js"), server.replace("first", "second")).unwrap();
    until_answer(&world.address, port, "second").await;
    assert!(dev.try_wait().unwrap().is_none(), "a broken edit does not end it");
    dev.kill().await.unwrap();
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
