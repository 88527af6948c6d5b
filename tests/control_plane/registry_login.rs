//! Who may do what in the embedded registry: the registry proxy before a real registry, with tokens of a real API server.

use doce_operator::protocol::registry_token::AUDIENCE;
use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use reqwest::Method;
use serde_json::json;

use crate::harness::registry::{Client, Proxy, Registry};
use crate::harness::{PATIENCE, World};

/// Two tenants, and a registry with its proxy. The accounts of nodes and sweep are in the first one's namespace.
struct Tenants {
    shop: World,
    attacker: World,
    registry: Registry,
    proxy: Proxy,
}

impl Tenants {
    async fn new(test: &str) -> Self {
        let (shop, attacker) = (World::new(test).await, World::new(&format!("{test}-b")).await);
        let registry = Registry::start().await;
        let proxy = proxy(&registry, &shop).await;
        Self { shop, attacker, registry, proxy }
    }

    async fn client(&self, world: &World, account: &str) -> Client {
        Client::new(&self.proxy.host, Some(&world.token(account, AUDIENCE, None).await))
    }

    async fn leave(self) {
        self.shop.leave().await;
        self.attacker.leave().await;
    }
}

async fn proxy(registry: &Registry, world: &World) -> Proxy {
    let account = |name: &str| format!("{}:{name}", world.namespace);
    Proxy::start(registry, &account("nodes"), &account("sweep")).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: doce-cluster with control-plane"]
async fn a_namespace_pushes_and_reads_its_own_images_through_the_registry_proxy() {
    let tenants = Tenants::new("registry_own").await;
    let (shop, own) = (tenants.client(&tenants.shop, "default").await, &tenants.shop.namespace);
    let digest = shop.push(&format!("{own}/site"), "k1", "layer").await;
    for reference in ["k1", &digest] {
        assert_eq!(shop.status(Method::GET, &format!("{own}/site/manifests/{reference}")).await, 200);
    }
    let tags = shop.request(Method::GET, &format!("{own}/site/tags/list")).send().await.unwrap();
    assert!(tags.text().await.unwrap().contains("k1"));
    assert_eq!(shop.status(Method::DELETE, &format!("{own}/site/manifests/{digest}")).await, 202);
    assert_eq!(shop.status(Method::GET, &format!("{own}/site/manifests/k1")).await, 404);
    tenants.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: doce-cluster with control-plane"]
async fn no_namespace_reaches_what_is_below_the_name_of_another() {
    let tenants = Tenants::new("registry_border").await;
    let (own, theirs) = (&tenants.shop.namespace, &tenants.attacker.namespace);
    let shop = tenants.client(&tenants.shop, "default").await;
    let digest = shop.push(&format!("{own}/site"), "cache", "the source of the shop").await;
    let layer = shop.push_blob(&format!("{own}/site"), b"the source of the shop".to_vec()).await;

    let attacker = tenants.client(&tenants.attacker, "default").await;
    let words =
        format!("a token of namespace {theirs} opens only the repositories below {theirs}/, not {own}/site");
    for (method, path) in [
        (Method::GET, format!("manifests/{digest}")),
        (Method::GET, "manifests/cache".to_owned()),
        (Method::GET, format!("blobs/{layer}")),
        (Method::GET, "tags/list".to_owned()),
        (Method::PUT, "manifests/cache".to_owned()),
        (Method::PUT, "manifests/k0123456789012345678901234567890123456789".to_owned()),
        (Method::POST, "blobs/uploads/".to_owned()),
        (Method::DELETE, format!("manifests/{digest}")),
    ] {
        let refused = attacker.refusal(method.clone(), &format!("{own}/site/{path}")).await;
        assert_eq!(refused, (403, words.clone()), "{method} {path}");
    }
    assert_eq!(attacker.status(Method::GET, "_catalog").await, 403);
    // A layer that only the shop has does not become one of the attacker.
    let mount = format!("{theirs}/copy/blobs/uploads/?mount={layer}&from={own}/site");
    assert_eq!(attacker.status(Method::POST, &mount).await, 202, "an empty upload begins");
    assert_eq!(attacker.status(Method::GET, &format!("{theirs}/copy/blobs/{layer}")).await, 404);
    // Nor by parameters in a form, which the registry would read.
    let form = format!("mount={layer}&from={own}/site");
    let sent = attacker.request(Method::POST, &format!("{theirs}/copy/blobs/uploads/")).body(form);
    let sent = sent.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert_ne!(sent.status().as_u16(), 201);
    assert_eq!(attacker.status(Method::GET, &format!("{theirs}/copy/blobs/{layer}")).await, 404);
    let own_mount = format!("{own}/copy/blobs/uploads/?mount={layer}&from={own}/site");
    assert_eq!(shop.status(Method::POST, &own_mount).await, 201, "its own is mounted");
    let tags = shop.request(Method::GET, &format!("{own}/site/tags/list")).send().await.unwrap();
    assert_eq!(
        tags.text().await.unwrap().trim(),
        json!({ "name": format!("{own}/site"), "tags": ["cache"] }).to_string()
    );
    tenants.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: doce-cluster with control-plane"]
async fn without_a_token_that_is_valid_for_the_registry_nothing_is_open() {
    let tenants = Tenants::new("registry_login").await;
    let (world, host) = (&tenants.shop, &tenants.proxy.host);
    let repository = format!("{}/site", world.namespace);
    let anonymous = Client::new(host, None).request(Method::GET, "").send().await.unwrap();
    assert_eq!(anonymous.status().as_u16(), 401);
    assert_eq!(anonymous.headers()["www-authenticate"], "Basic realm=\"doce-registry\"");
    assert!(
        anonymous
            .text()
            .await
            .unwrap()
            .contains("kubectl create token default --namespace NAMESPACE --audience")
    );

    let for_the_api = world.token("default", "https://kubernetes.default.svc.cluster.local", None).await;
    let forged = {
        let good = world.token("default", AUDIENCE, None).await;
        let (signed, _) = good.rsplit_once('.').unwrap();
        format!("{signed}.{}", "A".repeat(342))
    };
    for token in [&for_the_api, &forged, "x", "a.b.c"] {
        let refused =
            Client::new(host, Some(token)).refusal(Method::GET, &format!("{repository}/tags/list")).await;
        assert_eq!(
            refused,
            (401, format!("the token is not valid for the audience {AUDIENCE}, or has expired"))
        );
    }

    // A token that is bound to a pod ends with the pod.
    let container = json!({ "name": "build", "image": "x" });
    world.try_apply_object::<Pod>("build", json!({ "spec": { "containers": [container] } })).await.unwrap();
    let bound = world.token("default", AUDIENCE, Some("build")).await;
    assert_eq!(Client::new(host, Some(&bound)).status(Method::GET, "").await, 200);
    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    let _ = world.api::<Pod>().delete("build", &now).await.unwrap();
    world.until_gone::<Pod>("build").await;
    // The API server itself remembers for some seconds that the token was valid. Each proxy here remembers nothing.
    let ends = async {
        loop {
            let proxy = proxy(&tenants.registry, world).await;
            if Client::new(&proxy.host, Some(&bound)).status(Method::GET, "").await == 401 {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, ends).await.expect("the token ends with its pod");
    tenants.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: doce-cluster with control-plane"]
async fn nodes_read_every_image_and_the_sweep_deletes_but_neither_pushes() {
    let tenants = Tenants::new("registry_roles").await;
    let repository = format!("{}/site", tenants.attacker.namespace);
    let tenant = tenants.client(&tenants.attacker, "default").await;
    let digest = tenant.push(&repository, "k1", "layer").await;
    let manifest = format!("{repository}/manifests/{digest}");

    let node = tenants.client(&tenants.shop, "nodes").await;
    assert_eq!(node.status(Method::GET, &manifest).await, 200);
    for (method, path) in [
        (Method::POST, format!("{repository}/blobs/uploads/")),
        (Method::PUT, format!("{repository}/manifests/k1")),
        (Method::DELETE, manifest.clone()),
        (Method::GET, "_catalog".to_owned()),
    ] {
        assert_eq!(node.status(method.clone(), &path).await, 403, "{method} {path}");
    }
    let reads =
        Client::new(&tenants.proxy.reads, Some(&tenants.attacker.token("default", AUDIENCE, None).await));
    assert_eq!(reads.status(Method::GET, &manifest).await, 200);
    assert_eq!(reads.status(Method::DELETE, &manifest).await, 405);

    // Accounts of the same names in other namespaces are only tenants.
    let namesake = tenants.client(&tenants.attacker, "sweep").await;
    assert_eq!(namesake.status(Method::GET, "_catalog").await, 403);
    let sweep = tenants.client(&tenants.shop, "sweep").await;
    assert_eq!(sweep.status(Method::GET, "_catalog").await, 200);
    assert_eq!(sweep.status(Method::POST, &format!("{repository}/blobs/uploads/")).await, 403);
    assert_eq!(sweep.status(Method::DELETE, &manifest).await, 202);
    assert_eq!(node.status(Method::GET, &manifest).await, 404);
    tenants.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: doce-cluster with control-plane"]
async fn large_uploads_stream_and_uploads_that_stall_do_not_exclude_others() {
    let tenants = Tenants::new("registry_places").await;
    let shop = tenants.client(&tenants.shop, "default").await;
    let repository = format!("{}/site", tenants.shop.namespace);
    shop.push(&repository, "k0", "small").await;
    let before = tenants.proxy.peak_memory();
    let uploads = (0..4_u8).map(|byte| shop.push_blob(&repository, vec![byte; 48 << 20]));
    assert_eq!(join_all(uploads).await.len(), 4);
    let grown = tenants.proxy.peak_memory() - before;
    assert!(grown < 16 << 10, "192 MiB went through, and the proxy took {grown} KiB more");

    let attacker = tenants.client(&tenants.attacker, "default").await;
    let path = format!("{}/x/blobs/uploads/", tenants.attacker.namespace);
    let stalls = || {
        let never = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let request = attacker.request(Method::POST, &path).body(reqwest::Body::wrap_stream(never));
        tokio::spawn(request.send())
    };
    let mut stalled = vec![];
    let full = async {
        while attacker.status(Method::GET, "").await != 429 {
            stalled.push(stalls());
        }
    };
    tokio::time::timeout(PATIENCE, full).await.expect("its places are taken");
    assert_eq!(shop.status(Method::GET, "").await, 200);
    shop.push(&repository, "k1", "goes on").await;
    for request in stalled {
        request.abort();
    }
    tenants.leave().await;
}
