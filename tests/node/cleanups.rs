//! Image cleanup in a registry of your own, by its Job.

use http::Method;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::DeleteParams;
use reqwest::{Certificate, Client, Response};
use serde_json::json;

use crate::authority::authority;
use crate::harness::{World, holds};
use crate::private_registry::PASSWORD;

const KINDS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";

/// Requests a tag or digest of a repository from the registry.
async fn look(repository: &str, reference: &str) -> Response {
    let ca = Certificate::from_pem(&std::fs::read(authority().certificate()).unwrap()).unwrap();
    let client = Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
    let (registry, path) = repository.split_once('/').unwrap();
    let url = format!("https://{registry}/v2/{path}/manifests/{reference}");
    let request = client.request(Method::HEAD, url).header("Accept", KINDS).basic_auth("ada", Some(PASSWORD));
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn an_image_without_a_record_is_deleted_with_the_push_secret() {
    let world = World::new("cleanups").await;
    let registry = world.registry_with_login().await;
    world.login("login", &registry, PASSWORD).await;
    let repository = format!("{registry}/team/site");
    let spec = json!({
        "source": { "configMap": { "name": "pages" } },
        "build": { "output": { "repository": repository, "pushSecretRef": { "name": "login" } } },
        "run": { "imagePullSecrets": [{ "name": "login" }] },
        "rollout": { "minReadySeconds": 0 },
        "history": { "limit": 2 },
    });
    let (mut images, mut caches, mut builds) = (vec![], vec![], vec![]);
    for words in ["first", "second", "third"] {
        world.apply::<ConfigMap>("pages", json!({ "data": { "index.html": words } })).await;
        world.deploy("site", &spec).await;
        let before: Option<String> = images.last().cloned();
        let status = world
            .until_status("site", &format!("the {words} serves"), move |status| {
                let digest = status.image.as_deref().and_then(|image| image.split_once('@'));
                holds(status, "Ready") && digest.map(|(_, digest)| digest) != before.as_deref()
            })
            .await;
        images.push(status.image.unwrap().split_once('@').unwrap().1.to_owned());
        builds.push(world.newest_build(&builds).await);
        let cache = look(&repository, "cache").await;
        caches.push(cache.headers()["docker-content-digest"].to_str().unwrap().to_owned());
    }
    // A record stays while its build Job exists, for an hour. Here the test deletes the Job.
    world.api::<Job>().delete(&builds[0], &DeleteParams::background()).await.unwrap();
    let jobs = world.until_cleaned().await;
    assert_eq!(jobs, 1, "only the first of three versions is beyond the limit");
    for (image, there) in images.iter().zip([404, 200, 200]) {
        assert_eq!(look(&repository, image).await.status().as_u16(), there, "{images:?}");
    }
    assert_ne!(caches[0], caches[1], "a changed source has another cache");
    for (cache, there) in caches.iter().zip([404, 404, 200]) {
        assert_eq!(look(&repository, cache).await.status().as_u16(), there, "{caches:?}");
    }
}

impl World {
    /// Name of the build Job that is not in `known`.
    async fn newest_build(&self, known: &[String]) -> String {
        let names: Vec<String> = self.list::<Job>().await.iter().map(ResourceExt::name_any).collect();
        let [new] = &names.into_iter().filter(|name| !known.contains(name)).collect::<Vec<_>>()[..] else {
            panic!("one build per version")
        };
        new.clone()
    }

    /// Waits until a cleanup has succeeded. Returns the number of cleanups.
    async fn until_cleaned(&self) -> usize {
        let is_cleanup = |job: &Job| job.labels().get("doce.dev/role").is_some_and(|role| role == "cleanup");
        let made = self.until_any::<Job>("a cleanup Job exists", is_cleanup).await;
        let succeeded = |job: Option<&Job>| {
            job.and_then(|job| job.status.as_ref()).is_some_and(|status| status.succeeded == Some(1))
        };
        self.until::<Job>(&made.name_any(), "the cleanup succeeds", succeeded).await;
        self.list::<Job>().await.iter().filter(|job| is_cleanup(job)).count()
    }
}
