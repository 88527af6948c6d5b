//! Repositories over ssh: a deploy key gives access, and the host must prove its identity first.

use doce_operator::crd::ProjectDeploymentStatus;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

use crate::client::until_answer;
use crate::harness::World;
use crate::repository::Repository;
use crate::ssh::{KeyPair, SshServer};
use crate::stored::Stored;
use crate::told::Planted;

const DOCKERFILE: &str = "FROM docker.io/library/busybox:1.37\nCOPY index.html /www/\nUSER 1000\n\
    CMD [\"sh\", \"-c\", \"exec httpd -f -p $PORT -h /www\"]\n";

impl World {
    /// Writes the project's Secret.
    async fn key(&self, identity: &str, known_hosts: &str) {
        let data = json!({ "identity": identity, "known_hosts": known_hosts });
        self.apply::<Secret>("shop-key", json!({ "stringData": data })).await;
    }
}

fn refused(status: &ProjectDeploymentStatus, words: &str) -> bool {
    let failure = status.failure.as_ref();
    failure.is_some_and(|failure| failure.reason == "SourceAuthFailed" && failure.message.contains(words))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_deploy_key_works_only_with_the_known_ssh_host() {
    let world = World::new("deploy-key").await;
    let repository = Repository::new("deploy-key");
    let commit = repository.commit("Over ssh", &[("Dockerfile", DOCKERFILE), ("index.html", "over ssh")]);
    let server = SshServer::start(repository.path());
    let known = &server.known_hosts;
    let directory = tempfile::tempdir().unwrap();
    let stranger = KeyPair::new(&directory.path().join("stranger"));

    world.key(&stranger.private, known).await;
    let git = json!({ "url": server.url, "ref": { "branch": "main" }, "secretRef": { "name": "shop-key" } });
    world.deploy("shop", &json!({ "source": { "git": git }, "rollout": { "minReadySeconds": 0 } })).await;
    let words = "rejected the identity in the Secret of spec.source";
    world.until_status("shop", "the key is rejected", |status| refused(status, words)).await;

    // Another host answers at the address of the known one.
    let (place, _) = known.split_once(' ').unwrap();
    let other = format!("{place} {}\n", stranger.public);
    world.key(&server.identity, &other).await;
    let words = "does not match known_hosts in the Secret of spec.source";
    let status = world.until_status("shop", "the host is rejected", |status| refused(status, words)).await;
    assert_eq!(status.source, None, "{status:?}");
    assert!(!server.was_entered(), "the right key was shown to an unknown host");

    // The Secret is right now, and nothing else changes.
    world.key(&server.identity, known).await;
    let status = world.until_serves("shop", "Over ssh").await;
    assert!(server.was_entered());
    assert_eq!(status.source.unwrap().digest, commit);
    until_answer(&world.address, status.node_port.unwrap(), "over ssh").await;

    let told = world.told(&[Stored::embedded(&world, "deploy-key/shop").await]).await;
    told.assert_nothing_of(&Planted::key(&server.identity));
    told.assert_nothing_of(&Planted::key(&stranger.private));
    told.assert_told("log of build of a pod of role build", "==> fetch");
    told.assert_told("blobs/", "<== push");
}
