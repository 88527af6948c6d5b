//! `deploy`: manifests, Git repositories, and projects again.

use base64::Engine as _;
use doce_operator::crd::ProjectDeployment;
use kube::api::ListParams;
use reqwest::Method;
use serde_json::{Value, json};

use super::user::{Said, User};
use crate::harness::registry::{Client, Proxy, Registry};
use crate::harness::{Built, Operator, World, is};

fn manifest(n: u8, extra: &str) -> String {
    let digest = format!("{n:02x}").repeat(32);
    format!(
        "apiVersion: doce.dev/v1alpha1\nkind: ProjectDeployment\nmetadata: {{name: shop}}\nspec:\n  source: {{image: {{reference: 'registry.test/app@sha256:{digest}'}}}}\n  rollout: {{minReadySeconds: 1}}\n{extra}"
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_manifest_is_applied_and_followed_to_the_url() {
    let world = World::new("cli-manifest").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    let file = user.write("shop.yaml", &manifest(1, ""));
    let dry = user.doce(&["deploy", "-f", &file, "--dry-run"]).await;
    dry.ends(0).says(&["kind: ProjectDeployment", "shop would be created"]);
    assert!(world.api::<ProjectDeployment>().list(&ListParams::default()).await.unwrap().items.is_empty());

    let made = user.doce(&["deploy", "-f", &file]).await;
    made.ends(0).says(&["projectdeployment.doce.dev/shop created", "serves", "http://127.0.0.1:"]);
    let same = user.doce(&["deploy", "-f", &file]).await;
    same.ends(0).says(&["shop unchanged", "needs no lookup", "serves"]);
    let next = user.write("next.yaml", &manifest(2, ""));
    user.doce(&["deploy", "-f", &next]).await.ends(0).says(&["shop configured", "serves"]);
    assert!(is(&world.get("shop").await, "Ready", "True", "Serving"));

    let wrong = user.write("wrong.yaml", &manifest(2, "  replicas: -1\n"));
    user.doce(&["deploy", "-f", &wrong]).await.ends(1).says(&["spec.replicas must be between 0 and 1000"]);
    let unknown = user.write("unknown.yaml", &manifest(2, "  replica: 1\n"));
    user.doce(&["deploy", "-f", &unknown]).await.ends(1).says(&["replica"]);
    let secret = user.write("secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n");
    user.doce(&["deploy", "-f", &secret]).await.ends(1).says(&["contains Secret", "kubectl apply -f"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_field_of_another_manager_is_taken_over_only_when_asked() {
    let world = World::new("cli-conflict").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    let file = user.write("shop.yaml", &manifest(1, ""));
    world.kubectl(&["apply", "--server-side", "--field-manager=ci", "-f", &file]).await.well();
    let next = user.write("next.yaml", &manifest(2, ""));
    let refused = user.doce(&["deploy", "-f", &next]).await;
    refused.ends(1).says(&["conflict", "\"ci\"", "--force-conflicts"]);
    user.doce(&["deploy", "-f", &next, "--force-conflicts"])
        .await
        .ends(0)
        .says(&["shop configured", "serves"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_git_url_becomes_a_project_and_its_next_commit_a_version() {
    let world = World::new("cli-git").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    let at = |n: u8| Built { commit: Some(format!("{n:02x}").repeat(20)), ..Built::default() };
    let url = "https://git.test/you/My_Shop.git";
    let dry = user.doce(&["deploy", url, "--branch", "main", "--dry-run", "--save", "saved.yaml"]).await;
    dry.ends(0).says(&["name: my-shop", "branch: main", "my-shop would be created"]);
    let saved = std::fs::read_to_string(user.path("saved.yaml")).unwrap();
    assert!(saved.contains("url: https://git.test/you/My_Shop.git"), "{saved}");

    let arguments = ["deploy", url, "--branch", "main"];
    let (made, _) = tokio::join!(user.doce(&arguments), world.finish_build(at(1)));
    made.ends(0).says(&["my-shop created", "serves", "http://127.0.0.1:"]);
    let first = world.get::<ProjectDeployment>("my-shop").await.status.unwrap().version.unwrap();

    let (again, _) = tokio::join!(user.doce(&["deploy", "my-shop"]), world.finish_build(at(2)));
    again.ends(0).says(&["looking up branch main", "serves"]);
    let second = world.get::<ProjectDeployment>("my-shop").await.status.unwrap().version.unwrap();
    assert_ne!(first, second);
    let (same, _) = tokio::join!(user.doce(&arguments), world.finish_build(at(2)));
    same.ends(0).says(&["my-shop unchanged", "looking up branch main", &format!("{second} serves")]);
    user.doce(&["deploy", "my-shop", "--dry-run"]).await.ends(0).says(&["would look up branch main"]);

    // While a rollback holds, a deploy of the same commit does not serve it, and says so.
    user.doce(&["rollback", "my-shop", "previous"]).await.ends(0);
    let (held, _) = tokio::join!(user.doce(&["deploy", "my-shop"]), world.finish_build(at(2)));
    held.ends(3).says(&[&format!("Rolled back to {first}"), &format!("{second}, which the spec yields")]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_url_of_an_existing_project_changes_only_what_flags_name() {
    let world = World::new("cli-url-again").await;
    let user = User::of(&world).await;
    let url = "https://git.test/you/shop.git";
    let file = user.write(
        "shop.yaml",
        &format!(
            "apiVersion: doce.dev/v1alpha1\nkind: ProjectDeployment\nmetadata: {{name: shop}}\nspec:\n  source: {{git: {{url: '{url}'}}}}\n  \
             replicas: 2\n  run: {{env: [{{name: A, value: '1'}}]}}\n"
        ),
    );
    user.doce(&["deploy", "-f", &file, "--no-wait"]).await.ends(0);
    let changed = user.doce(&["deploy", url, "--branch", "hotfix", "--no-wait"]).await;
    changed.ends(0).says(&["shop configured"]);
    let spec = world.get::<ProjectDeployment>("shop").await.spec;
    assert_eq!((spec.replicas, spec.run.env.len()), (2, 1), "what the manifest applied stays");
    assert_eq!(spec.source.git.unwrap().reference.unwrap().branch.as_deref(), Some("hotfix"));

    let other = "https://git.test/another/shop.git";
    user.doce(&["deploy", other]).await.ends(2).says(&["shop exists", url, "--name"]);
    std::fs::create_dir(user.path("shop")).unwrap();
    user.write("shop/index.html", "a folder");
    // Without a registry of the release, there is no place for folders.
    user.doce(&["deploy", "shop/"]).await.ends(1).says(&[
        "not open to you",
        "--operator-namespace",
        "--repository",
    ]);
    let own = user.doce(&["deploy", "shop/", "--repository", "localhost:1/shop"]).await;
    own.ends(2).says(&["shop exists", "no folder", "--name"]);
    user.doce(&["deploy", "github.com/you/shop"]).await.ends(2).says(&["https://github.com/you/shop"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_manifest_takes_back_what_the_same_program_scaled() {
    let world = World::new("cli-scaled").await;
    let user = User::of(&world).await;
    let file = user.write("shop.yaml", &manifest(1, "  replicas: 1\n"));
    user.doce(&["deploy", "-f", &file, "--no-wait"]).await.ends(0);
    user.doce(&["scale", "shop", "--replicas", "3", "--no-wait"]).await.ends(0);
    let next = user.write("next.yaml", &manifest(1, "  replicas: 2\n"));
    user.doce(&["deploy", "-f", &next, "--no-wait"]).await.ends(0).says(&["shop configured"]);
    assert_eq!(world.get::<ProjectDeployment>("shop").await.spec.replicas, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_folder_is_pushed_to_a_registry_of_ones_own_with_the_login_of_docker() {
    let world = World::new("cli-folder").await;
    let user = User::of(&world).await;
    let registry = Registry::start().await;
    let proxy = Proxy::start(&registry, "nodes:proxy", "system:sweep").await;
    let token = world.token("default", "doce-registry", None).await;
    let login = base64::prelude::BASE64_STANDARD.encode(format!("any:{token}"));
    user.write("config.json", &json!({ "auths": { &proxy.host: { "auth": login } } }).to_string());
    std::fs::create_dir(user.path("shop")).unwrap();
    user.write("shop/index.html", "a folder");
    let repository = format!("{}/{}/shop-source", proxy.host, world.namespace);
    let deploy = async |repository: &str, flags: &[&str]| {
        let line = [&["deploy", "shop/", "--no-wait", "--repository", repository], flags].concat();
        let mut command = user.command(&line);
        // A proxy that does not exist must not be asked about a registry of this machine.
        command.env("DOCKER_CONFIG", user.directory()).env("HTTP_PROXY", "http://192.0.2.1:1");
        Said::of(&command.output().await.unwrap())
    };

    let dry = deploy(&repository, &["--dry-run"]).await;
    dry.ends(0).says(&["framework: Static", "1 file, 8 B", "nothing was written"]);
    let client = Client::new(&proxy.host, Some(&token));
    let tags = format!("{}/shop-source/tags/list", world.namespace);
    assert_eq!(client.request(Method::GET, &tags).send().await.unwrap().status(), 404, "nothing was pushed");

    let made = deploy(&repository, &["--secret", "login"]).await;
    made.ends(0).says(&["shop: pushed ", "projectdeployment.doce.dev/shop created"]);
    let source = world.get::<ProjectDeployment>("shop").await.spec.source.oci.unwrap();
    assert_eq!(source.secret_ref.unwrap().name, "login");
    let (name, digest) = source.reference.split_once('@').unwrap();
    assert_eq!(name, repository);
    let manifest = format!("{}/shop-source/manifests/{digest}", world.namespace);
    let manifest: Value = client.request(Method::GET, &manifest).send().await.unwrap().json().await.unwrap();
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let blob = format!("{}/shop-source/blobs/{layer}", world.namespace);
    let blob = client.request(Method::GET, &blob).send().await.unwrap().bytes().await.unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&blob[..]));
    let files: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(files, ["index.html"]);

    deploy(&repository, &["--secret", "login"])
        .await
        .ends(0)
        .says(&["unchanged: it has this folder already"]);
    let foreign = format!("{}/somebody-else/shop", proxy.host);
    deploy(&foreign, &["--name", "other"]).await.ends(1).says(&["cannot use", "403", "docker login"]);
    user.write("config.json", "{}");
    deploy(&repository, &["--name", "third"]).await.ends(1).says(&["cannot use", "docker login"]);
}
