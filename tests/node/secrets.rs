//! Private repositories, and where their passwords must not appear.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use serde_json::json;

use crate::administrator::kubectl;
use crate::harness::World;
use crate::repository::Repository;
use crate::stored::Stored;
use crate::told::Planted;

const OPERATOR: [&str; 3] =
    ["deployment", "--namespace=doce-system", "--selector=app.kubernetes.io/component=operator"];
const PASSWORD: &str = "planted-6f1d-password";
const TOKEN: &str = "planted-93ae-token";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_private_repository_is_built_without_leaking_its_secret() {
    let world = World::new("private").await;
    let repository = Repository::private("private", "ann", PASSWORD);
    // The source itself tries to leak it: in its message, and in a step that searches for it.
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
    world.until_ready("shop").await;

    // A token is the password of a user name that the build knows.
    let repository = Repository::private("private-token", "x-access-token", TOKEN);
    let message = format!("The token is {TOKEN}");
    let commit = repository.commit(&message, &[("Dockerfile", dockerfile)]);
    world.apply::<Secret>("token", json!({ "stringData": { "token": TOKEN } })).await;
    let git = json!({ "url": repository.url, "ref": { "commit": commit }, "secretRef": { "name": "token" } });
    world.deploy("blog", &json!({ "source": { "git": git }, "rollout": { "minReadySeconds": 0 } })).await;
    world.until_ready("blog").await;

    let stored = ["private/shop", "private/blog"].map(|path| Stored::embedded(&world, path));
    let told = world.told(&futures::future::join_all(stored).await).await;
    told.assert_nothing_of(&Planted::words(&[PASSWORD, TOKEN]));
    for (name, text) in [
        ("ProjectDeployment shop", "The password is ***"),
        ("ProjectDeployment blog", "The token is ***"),
        ("ControllerRevision shop-", "The password is ***"),
        ("ControllerRevision blog", "doce.dev/ledger"),
        ("Job shop-", "private.git"),
        ("Pod blog-", "doce.dev/role"),
        ("Event ", "shop"),
        ("log of build of a pod of role build", "==> fetch"),
        ("log of the operator", "operator starts"),
        ("manifests/k", "application/vnd.oci.image"),
        ("blobs/", "mkdir /www"),
        ("blobs/", "<== push"),
    ] {
        told.assert_told(name, text);
    }
    for verb in ["get", "list", "watch"] {
        assert!(!operator_may(&world, verb, "", "secrets").await, "{verb}");
    }
    assert!(operator_may(&world, "list", "doce.dev", "projectdeployments").await, "the check itself works");
}

/// True if the operator's `ServiceAccount` may do this in the test's namespace.
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
