//! The sweep against a real registry (Debian's `docker-registry` in its own process) and the records, Jobs and projects
//! of a real API server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use doce_operator::cluster::inventory::Inventory;
use doce_operator::cluster::lost_images::publish;
use doce_operator::crd::ProjectDeployment;
use doce_operator::gc::registry::{Manifest, Registry};
use doce_operator::gc::{Swept, lost_images, sweep};
use doce_operator::protocol::lost_list::Place;
use doce_operator::version::text_digest;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::Job;
use kube::api::PostParams;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::harness::World;
use crate::harness::registry::Registry as RegistryProcess;

const LOG: &str = "log-0123456789abcdef";

/// A registry, and the client of the sweep.
pub(crate) struct Upstream {
    host: String,
    registry: Registry,
    process: RegistryProcess,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let process = RegistryProcess::start().await;
        Self { host: process.host.clone(), registry: Registry::new(&process.host, None).unwrap(), process }
    }

    /// Pushes a blob. A registry lists no repository without one.
    async fn push_blob(&self, repository: &str) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let place = format!("http://{}/v2/{repository}/blobs/uploads/", self.host);
        let begun = client.post(place).send().await.unwrap();
        let place = begun.headers()["location"].to_str().unwrap().to_owned();
        let place = format!("{place}&digest=sha256:{}", text_digest("{}"));
        let pushed =
            client.put(place).header("content-type", "application/octet-stream").body("{}").send().await;
        assert_eq!(pushed.unwrap().status().as_u16(), 201);
    }

    /// Pushes an index without images. Returns its digest.
    async fn push(&self, repository: &str, tag: &str) -> String {
        self.push_blob(repository).await;
        let content = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [],
            "annotations": { "of": format!("{repository}:{tag}") },
        });
        let manifest = Manifest {
            digest: String::new(),
            kind: "application/vnd.oci.image.index.v1+json".to_owned(),
            content: content.to_string().into_bytes(),
        };
        self.registry.tag(repository, tag, &manifest).await.unwrap();
        self.registry.manifest(repository, tag).await.unwrap().unwrap().digest
    }

    async fn tags(&self, repository: &str) -> Vec<String> {
        let mut tags = self.registry.tags(repository).await.unwrap();
        tags.sort();
        tags
    }

    /// Looks for the images of all records, and writes the list of those that are lost.
    pub(crate) async fn look(&self, world: &World) {
        let inventory = Inventory::new(world.client.clone(), Some(world.namespace.clone()));
        let list = lost_images(&self.registry, &inventory, "localhost:30050").await.unwrap();
        let place = Place { namespace: world.namespace.clone(), name: "lost-images".to_owned() };
        publish(world.client.clone(), &place, &list).await.unwrap();
    }

    async fn sweep(&self, world: &World) -> Swept {
        let namespace = Some(world.namespace.clone());
        let inventory = Inventory::new(world.client.clone(), namespace.clone());
        sweep(&self.registry, &inventory, namespace.as_deref()).await.unwrap()
    }
}

fn key(name: &str) -> String {
    format!("k{}", &text_digest(name)[..40])
}

impl World {
    async fn record(&self, name: &str, image: &str) {
        let object = json!({
            "metadata": { "name": name, "annotations": { "doce.dev/image": json!({ "reference": image }).to_string() } },
            "data": {}, "revision": 1,
        });
        let object: ControllerRevision = serde_json::from_value(object).unwrap();
        self.api().create(&PostParams::default(), &object).await.unwrap();
    }

    async fn job(&self, name: &str, repository: &str) {
        create_job(&self.api(), name, repository).await;
    }
}

/// A build Job. The sweep reads only its repository.
async fn create_job(jobs: &Api<Job>, name: &str, repository: &str) {
    let order = json!({ "repository": repository }).to_string();
    let container =
        json!({ "name": "build", "image": "b", "env": [{ "name": "DOCE_ORDER", "value": order }] });
    let spec: Value = json!({ "restartPolicy": "Never", "containers": [container] });
    let object = json!({
        "metadata": { "name": name, "labels": { "doce.dev/role": "build" } },
        "spec": { "suspend": true, "template": { "spec": spec } },
    });
    jobs.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

/// A client that starts a build of `repository` between the sweep's first and second read of Jobs.
fn overtaken(world: &World, repository: &str) -> Client {
    let (client, looks) = (world.client.clone(), Arc::new(AtomicUsize::new(0)));
    let (jobs, repository) = (world.api::<Job>(), format!("registry.test:5000/{repository}"));
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (client, looks, jobs, repository) =
            (client.clone(), looks.clone(), jobs.clone(), repository.clone());
        async move {
            if request.uri().path().ends_with("/jobs") && looks.fetch_add(1, Ordering::SeqCst) == 1 {
                create_job(&jobs, "found-it", &repository).await;
            }
            client.send(request).await
        }
    });
    Client::new(service, "default")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_image_that_a_build_finds_just_before_its_deletion_is_restored() {
    let (world, upstream) = (World::new("sweep-race").await, Upstream::start().await);
    let (found, gone) = (format!("{}/found", world.namespace), format!("{}/gone", world.namespace));
    let digest = upstream.push(&found, &key("a")).await;
    upstream.push(&gone, &key("a")).await;
    let namespace = Some(world.namespace.clone());
    let inventory = Inventory::new(overtaken(&world, &found), namespace.clone());
    let swept = sweep(&upstream.registry, &inventory, namespace.as_deref()).await.unwrap();
    assert_eq!((swept.deleted, swept.spared), (1, 1));
    let back = upstream.registry.manifest(&found, &key("a")).await.unwrap().unwrap();
    assert_eq!(back.digest, digest);
    assert_eq!(upstream.tags(&gone).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_sweep_deletes_only_images_that_no_record_names() {
    let (world, upstream) = (World::new("sweep").await, Upstream::start().await);
    let of = |name: &str| format!("{}/{name}", world.namespace);
    let (shop, gone, built, fresh) = (of("shop"), of("gone"), of("built"), of("fresh"));
    let kept = upstream.push(&shop, &key("kept")).await;
    for tag in [&key("pruned"), "cache", LOG] {
        upstream.push(&shop, tag).await;
    }
    for tag in [&key("a"), &key("b"), "cache", LOG, "by-hand"] {
        upstream.push(&gone, tag).await;
    }
    upstream.push(&built, &key("a")).await;
    upstream.push(&fresh, LOG).await;
    upstream.push("another-namespace/shop", &key("a")).await;
    world.record("some-record", &format!("localhost:30050/{shop}@{kept}")).await;
    world.job("some-build", &format!("registry.test:5000/{built}")).await;
    world.apply("fresh", crate::harness::prebuilt(1)).await;

    let swept = upstream.sweep(&world).await;
    assert_eq!((swept.deleted, swept.spared), (5, 0));
    let mut of_shop = vec!["cache".to_owned(), LOG.to_owned(), key("kept")];
    of_shop.sort();
    assert_eq!(upstream.tags(&shop).await, of_shop);
    assert_eq!(upstream.tags(&gone).await, ["by-hand"]);
    assert_eq!(upstream.tags(&built).await, [key("a")]);
    assert_eq!(upstream.tags(&fresh).await, [LOG], "its project exists");
    assert_eq!(upstream.tags("another-namespace/shop").await, [key("a")], "another operator owns it");
    let again = upstream.sweep(&world).await;
    assert_eq!((again.deleted, again.spared), (0, 0), "nothing left to do");

    world.delete::<ControllerRevision>("some-record").await;
    world.delete::<ProjectDeployment>("fresh").await;
    world.until_gone_now::<ProjectDeployment>("fresh").await;
    assert_eq!(upstream.sweep(&world).await.deleted, 4);
    assert_eq!(upstream.tags(&shop).await, Vec::<String>::new());
    assert_eq!(upstream.tags(&fresh).await, Vec::<String>::new());
    assert_eq!(world.list::<ControllerRevision>().await.len(), 0);
}

/// Everyone who may push decides on the content of a repository.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_unreadable_repository_does_not_stop_the_sweep_of_the_others() {
    let (world, upstream) = (World::new("sweep-broken").await, Upstream::start().await);
    let of = |name: &str| format!("{}/{name}", world.namespace);
    let (before, broken, after) = (of("a"), of("b"), of("c"));
    for repository in [&before, &broken, &after] {
        upstream.push(repository, &key("a")).await;
    }
    let tag = format!("data/docker/registry/v2/repositories/{broken}/_manifests/tags/{}", key("a"));
    std::fs::write(upstream.process.directory().join(tag).join("current/link"), "no digest").unwrap();

    let swept = upstream.sweep(&world).await;
    assert_eq!((swept.deleted, swept.failed), (2, 1));
    for repository in [&before, &after] {
        assert_eq!(upstream.tags(repository).await, Vec::<String>::new());
    }
}

impl World {
    async fn until_gone_now<K: crate::harness::Kind + Sync>(&self, name: &str)
    where
        ObjectRef<K>: Send,
    {
        let what = format!("no {name}");
        self.until_list(&what, |there: &[K]| there.iter().all(|object| object.name_any() != name)).await;
    }
}
