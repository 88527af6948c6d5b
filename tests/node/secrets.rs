//! A private repository, and where its password must not be found.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod, Secret};
use kube::api::PostParams;
use serde_json::json;

use crate::administrator::kubectl;
use crate::harness::{World, holds};
use crate::repository::Repository;

const OPERATOR: [&str; 3] =
    ["deployment", "--namespace=doce-system", "--selector=app.kubernetes.io/component=operator"];
const PASSWORD: &str = "planted-6f1d-password";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_private_repository_is_built_with_a_secret_that_nobody_tells() {
    let world = World::new("private").await;
    let repository = Repository::private("private", "ann", PASSWORD);
    // The source itself tries to tell it: its message, and a step that looks for it.
    let dockerfile = "FROM docker.io/library/busybox:1.37\nRUN env; ls -R /run/secrets 2>/dev/null; mkdir /www && echo private > /www/index.html\n\
        USER 1000\nCMD [\"sh\", \"-c\", \"exec httpd -f -p $PORT -h /www\"]\n";
    let message = format!("The password is {PASSWORD}");
    let commit = repository.commit(&message, &[("Dockerfile", dockerfile)]);
    let git = json!({ "url": repository.url, "ref": { "commit": commit } });
    world.deploy("shop", &json!({ "source": { "git": git } })).await;
    let refused = |status: &doce_operator::crd::ProjectDeploymentStatus| {
        status.failure.as_ref().is_some_and(|failure| failure.reason == "SourceAuthFailed")
    };
    let status = world.until_status("shop", "it needs a Secret", refused).await;
    assert!(status.failure.unwrap().message.contains("spec.source.git.secretRef"));

    let secret = json!({ "stringData": { "username": "ann", "password": PASSWORD } });
    world.apply::<Secret>("git", secret).await;
    let git = json!({ "url": repository.url, "ref": { "commit": commit }, "secretRef": { "name": "git" } });
    world.deploy("shop", &json!({ "source": { "git": git }, "rollout": { "minReadySeconds": 0 } })).await;
    let status = world.until_status("shop", "it serves", |status| holds(status, "Ready")).await;

    let mut told = vec![serde_json::to_string(&status).unwrap()];
    for job in world.list::<Job>().await {
        told.push(serde_json::to_string(&job).unwrap());
        told.push(world.log_of(job.metadata.name.as_deref().unwrap()).await);
    }
    told.extend(world.list::<Pod>().await.iter().map(|pod| serde_json::to_string(pod).unwrap()));
    told.extend(world.list::<Event>().await.iter().map(|event| serde_json::to_string(event).unwrap()));
    told.push(
        kubectl(&[
            "logs",
            "--namespace=doce-system",
            "--selector=app.kubernetes.io/component=operator",
            "--tail=-1",
        ])
        .await,
    );
    told.push(image_configuration(status.image.as_deref().unwrap()).await);
    for text in &told {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    assert!(
        told.iter().any(|text| text.contains("==> fetch")),
        "the log of the build is among what was searched"
    );
    assert!(told.last().unwrap().contains("mkdir /www"), "and the image's history");
    for verb in ["get", "list", "watch"] {
        assert!(!operator_may(&world, verb, "", "secrets").await, "{verb}");
    }
    assert!(operator_may(&world, "list", "doce.dev", "projectdeployments").await, "the question is well put");
}

/// Manifest and configuration of an image, which hold the commands of its history, by the relay of the node.
async fn image_configuration(image: &str) -> String {
    let (name, digest) = image.split_once('@').unwrap();
    let (registry, repository) = name.split_once('/').unwrap();
    let address = format!("http://{registry}/v2/{repository}");
    let fetch = async |url: String| {
        let accept = "application/vnd.oci.image.manifest.v1+json";
        let answer = reqwest::Client::new().get(url).header("Accept", accept).send().await.unwrap();
        answer.error_for_status().unwrap().text().await.unwrap()
    };
    let manifest = fetch(format!("{address}/manifests/{digest}")).await;
    let parsed: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let config = fetch(format!("{address}/blobs/{}", parsed["config"]["digest"].as_str().unwrap())).await;
    manifest + &config
}

/// Whether the operator's `ServiceAccount` may do this in the test's namespace.
async fn operator_may(world: &World, verb: &str, group: &str, resource: &str) -> bool {
    let attributes = ResourceAttributes {
        namespace: Some(world.namespace.clone()),
        verb: Some(verb.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        ..ResourceAttributes::default()
    };
    let account = kubectl(
        &[&["get"], &OPERATOR[..], &["--output=jsonpath={.items[0].spec.template.spec.serviceAccountName}"]]
            .concat(),
    )
    .await;
    let spec = SubjectAccessReviewSpec {
        resource_attributes: Some(attributes),
        user: Some(format!("system:serviceaccount:doce-system:{account}")),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let reviews = kube::Api::<SubjectAccessReview>::all(world.client.clone());
    reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed
}
