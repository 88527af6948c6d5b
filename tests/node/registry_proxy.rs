//! How nodes reach the embedded registry, and what the registry proxy rejects.

use http::Method;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Service};
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use crate::harness::World;

/// The address from which container runtimes pull.
const LOOPBACK: &str = "127.0.0.1:30050";

async fn ask(method: Method, address: &str, path: &str, token: Option<&str>) -> Result<u16, reqwest::Error> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let kinds = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
    let request = client.request(method, format!("http://{address}{path}")).header("Accept", kinds);
    let request = match token {
        Some(token) => request.basic_auth("any", Some(token)),
        None => request,
    };
    Ok(request.send().await?.status().as_u16())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_node_pulls_from_its_loopback_address_and_others_only_with_a_token_of_the_namespace() {
    let world = World::new("registry-proxy").await;
    world.apply::<ConfigMap>("pages", json!({ "data": { "index.html": "pulled" } })).await;
    let spec = json!({ "source": { "configMap": { "name": "pages" } }, "rollout": { "minReadySeconds": 1 } });
    world.deploy("site", &spec).await;
    let image = world.until_ready("site").await.image.unwrap();
    let digest = image.strip_prefix("localhost:30050/registry-proxy/site@").unwrap();
    let manifest = format!("/v2/registry-proxy/site/manifests/{digest}");
    assert_eq!(ask(Method::GET, LOOPBACK, &manifest, None).await.unwrap(), 200);
    assert_eq!(ask(Method::HEAD, LOOPBACK, &manifest, None).await.unwrap(), 200);
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(ask(method.clone(), LOOPBACK, &manifest, None).await.unwrap(), 405, "{method}");
    }
    let uploads = "/v2/registry-proxy/site/blobs/uploads/";
    assert_eq!(ask(Method::POST, LOOPBACK, uploads, None).await.unwrap(), 405);
    for list in ["/v2/_catalog", "/v2/registry-proxy/site/tags/list"] {
        assert_eq!(ask(Method::GET, LOOPBACK, list, None).await.unwrap(), 403, "{list}");
    }

    // In the cluster, the registry opens only what belongs to the namespace of the token.
    let (own, other) =
        (world.registry_token().await, world.another("registry-other").await.registry_token().await);
    let (pushes, reads) = (world.registry("registry").await, world.registry("read").await);
    for address in [&pushes, &reads] {
        assert_eq!(ask(Method::GET, address, &manifest, None).await.unwrap(), 401, "{address}");
        assert_eq!(ask(Method::GET, address, &manifest, Some(&own)).await.unwrap(), 200, "{address}");
        assert_eq!(ask(Method::GET, address, &manifest, Some(&other)).await.unwrap(), 403, "{address}");
    }
    assert_eq!(ask(Method::POST, &pushes, uploads, Some(&own)).await.unwrap(), 202);
    assert_eq!(ask(Method::POST, &pushes, uploads, Some(&other)).await.unwrap(), 403);
    assert_eq!(ask(Method::POST, &reads, uploads, Some(&own)).await.unwrap(), 405);

    let nodes = Api::<Node>::all(world.client.clone()).list(&ListParams::default()).await.unwrap();
    let addresses = nodes.items[0].status.iter().flat_map(|status| status.addresses.iter().flatten());
    let outside = addresses.filter(|address| address.type_ == "InternalIP").map(|address| &address.address);
    for address in outside {
        let refused = ask(Method::GET, &format!("{address}:30050"), "/v2/", None).await.unwrap_err();
        assert!(refused.is_connect(), "{refused:?}");
    }
    let services = Api::<Service>::namespaced(world.client.clone(), "doce-system");
    for service in services.list(&ListParams::default()).await.unwrap() {
        assert_eq!(service.spec.unwrap().type_.as_deref(), Some("ClusterIP"));
    }
}
