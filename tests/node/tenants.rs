//! Two tenants on the chart's defaults, in namespaces that enforce Pod Security "restricted": what one tries against the
//! other, and the words that it gets.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, Service};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::client::until_answer;
use crate::harness::{Namespaced, PATIENCE, World, is_at_fault};
use crate::pods::is_ending;

const BUILDS: &str = "doce-builds";
const REGISTRY: &str = "doce-doce-operator-registry.doce-system.svc";

/// What a RUN step or a pod tries: a label and a command. The input stays open for a moment, because servers may drop a client
/// that closes it.
fn attempts(builder: &str, login: &str) -> Vec<(&'static str, String)> {
    let ask = |head: &str, body: &str| {
        format!(
            "{head} HTTP/1.1\\r\\nHost: registry\\r\\n{login}Connection: close\\r\\nContent-Length: {}\\r\\n\\r\\n{body}",
            body.len()
        )
    };
    let registry =
        |sent: String| format!("{{ printf '{sent}'; sleep 2; }} | nc -w 10 {REGISTRY} 5000 | head -n 1");
    vec![
        ("list", registry(ask("GET /v2/victim/site/tags/list", ""))),
        ("read", registry(ask("GET /v2/victim/site/manifests/cache", ""))),
        ("push", registry(ask("POST /v2/victim/site/blobs/uploads/", ""))),
        ("plant an image", registry(ask("PUT /v2/victim/site/manifests/k0000", "{}"))),
        ("plant a cache", registry(ask("PUT /v2/victim/site/manifests/cache", "{}"))),
        ("delete", registry(ask("DELETE /v2/victim/site/manifests/cache", ""))),
        (
            "use the builder",
            format!(
                "{{ printf 'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n\\0\\0\\0\\4\\0\\0\\0\\0\\0'; sleep 2; }} | nc -w 10 {builder} 1234 | od -A n -t x1 | head -n 1"
            ),
        ),
    ]
}

/// A shell script that makes the attempts and prints an answer for each.
fn script(builder: &str, login: &str) -> String {
    let lines = attempts(builder, login);
    let lines: Vec<String> =
        lines.iter().map(|(label, command)| format!("echo \"{label}: $({command})\"")).collect();
    lines.join("\n")
}

/// The answers of the script, by attempt.
fn answers(printed: &str) -> BTreeMap<String, String> {
    let lines = printed.lines().filter_map(|line| line.split_once(": "));
    lines.map(|(label, answer)| (label.trim().to_owned(), answer.trim().to_owned())).collect()
}

fn assert_refused(printed: &str, status: &str) {
    let answers = answers(printed);
    for (label, _) in attempts("", "") {
        let answer = answers.get(label).unwrap_or_else(|| panic!("{label} was not tried: {printed}"));
        if label == "use the builder" {
            // An alert of TLS, if anything. A daemon would answer with its settings: 00 00 …
            assert!(answer.is_empty() || answer.starts_with("15 03"), "{label}: {answer}");
        } else {
            assert!(answer.contains(status), "{label}: {answer}");
        }
    }
}

/// The namespace of builds.
pub(crate) fn builds(world: &World) -> Namespaced {
    Namespaced { namespace: BUILDS.to_owned(), client: world.client.clone(), patience: PATIENCE }
}

fn works_for(pod: &Pod, namespace: &str) -> bool {
    pod.labels().get("doce.dev/build-namespace").is_some_and(|there| there == namespace)
}

/// The running builder pod of a namespace, with its address.
pub(crate) async fn builder_of(world: &World) -> (Pod, String) {
    let runs = |pod: &&Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        works_for(pod, &world.namespace) && phase == Some("Running") && !is_ending(pod)
    };
    let pods = builds(world);
    let pods = pods.until_pods_of("builder", "it runs", |pods| pods.iter().any(|pod| runs(&pod))).await;
    let pod = pods.into_iter().find(|pod| runs(&pod)).unwrap();
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.clone()).unwrap();
    (pod, address)
}

/// Waits until no builder pod works for a namespace.
async fn until_no_builder(world: &World) {
    let works = |pod: &Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        works_for(pod, &world.namespace) && matches!(phase, Some("Pending" | "Running"))
    };
    let none = |pods: &[Pod]| !pods.iter().any(works);
    builds(world).until_pods_of("builder", "none works for this namespace", none).await;
}

/// A client of a user with the role `edit` in this namespace.
async fn editor(world: &World, user: &str) -> Client {
    let binding = json!({
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }],
    });
    world.apply::<RoleBinding>("editor", binding).await;
    let mut config = kube::Config::infer().await.unwrap();
    config.auth_info.impersonate = Some(user.to_owned());
    Client::try_from(config).unwrap()
}

/// A pod that Pod Security "restricted" admits, with a token of its namespace for the registry.
fn plain_pod(script: &str) -> Pod {
    let token = json!({ "serviceAccountToken": { "audience": "doce-registry", "path": "token", "expirationSeconds": 3600 } });
    let container = json!({
        "name": "tries", "image": "docker.io/library/busybox:1.37", "command": ["sh", "-c", script],
        "volumeMounts": [{ "name": "token", "mountPath": "/token" }],
        "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] }, "runAsNonRoot": true,
            "runAsUser": 1000, "seccompProfile": { "type": "RuntimeDefault" },
        },
    });
    let pod = json!({
        "metadata": { "name": "tries" },
        "spec": {
            "restartPolicy": "Never", "containers": [container], "automountServiceAccountToken": false,
            "securityContext": { "fsGroup": 1000 },
            "volumes": [{ "name": "token", "projected": { "sources": [token] } }],
        },
    });
    serde_json::from_value(pod).unwrap()
}

fn message<T>(result: Result<T, kube::Error>) -> String {
    match result {
        Err(kube::Error::Api(status)) => status.message.clone(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was allowed"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_tenant_reaches_neither_images_nor_builds_nor_nodes_of_another() {
    let victim = World::new("victim").await;
    let attacker = victim.another("attacker").await;
    victim.enforces("restricted").await;
    attacker.enforces("restricted").await;

    // The build of the victim runs until the test creates a Service.
    let dockerfile = "FROM docker.io/library/busybox:1.37\nCOPY index.html /www/\n\
        RUN until nslookup go-on.victim.svc.cluster.local > /dev/null 2>&1; do sleep 1; done\nUSER 1000\n\
        CMD [\"sh\", \"-c\", \"exec httpd -f -p $PORT -h /www\"]\n";
    let pages = json!({ "data": { "index.html": "of the victim", "Dockerfile": dockerfile } });
    victim.apply::<ConfigMap>("pages", pages).await;
    victim.apply::<Secret>("deploy", json!({ "stringData": { "token": "planted-w0rd" } })).await;
    let site = json!({ "source": { "configMap": { "name": "pages" } }, "rollout": { "minReadySeconds": 1 } });
    victim.deploy("site", &site).await;
    let (builder, address) = builder_of(&victim).await;
    assert!(!json!(builder).to_string().contains("secretName"), "{builder:?}");

    from_a_step(&attacker, &address).await;
    from_a_pod(&attacker, &address).await;
    as_a_user(&attacker, &builder).await;
    names_a_secret_of_another(&attacker).await;

    victim.apply::<Service>("go-on", json!({ "spec": { "ports": [{ "port": 80 }] } })).await;
    let status = victim.until_ready("site").await;
    until_answer(&victim.address, status.node_port.unwrap(), "of the victim").await;
    until_no_builder(&victim).await;
    until_no_builder(&attacker).await;
}

/// A RUN step of a build of the attacker.
async fn from_a_step(attacker: &World, builder: &str) {
    let dockerfile = "FROM docker.io/library/busybox:1.37\nCOPY tries.sh /\nRUN mkdir /www && sh /tries.sh > /www/index.html\n\
        USER 1000\nCMD [\"sh\", \"-c\", \"exec httpd -f -p $PORT -h /www\"]\n";
    let files = json!({ "data": { "tries.sh": script(builder, ""), "Dockerfile": dockerfile } });
    attacker.apply::<ConfigMap>("tries", files).await;
    let spec = json!({ "source": { "configMap": { "name": "tries" } }, "rollout": { "minReadySeconds": 1 } });
    attacker.deploy("tries", &spec).await;
    let port = attacker.until_ready("tries").await.node_port.unwrap();
    until_answer(&attacker.address, port, "use the builder").await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let page = client.get(format!("http://{}:{port}", attacker.address)).send().await.unwrap();
    assert_refused(&page.text().await.unwrap(), "401 Unauthorized");
}

/// A plain pod of the attacker, which logs in with the token of its own namespace.
async fn from_a_pod(attacker: &World, builder: &str) {
    let login = "Authorization: Basic '$(printf any:$(cat /token/token) | base64 | tr -d '\\n')'\\r\\n";
    let pods = attacker.api::<Pod>();
    pods.create(&PostParams::default(), &plain_pod(&script(builder, login))).await.unwrap();
    let ended = |pod: Option<&Pod>| {
        pod.and_then(|pod| pod.status.as_ref()?.phase.clone()).is_some_and(|phase| phase == "Succeeded")
    };
    attacker.until::<Pod>("tries", "it has tried", ended).await;
    assert_refused(&pods.logs("tries", &LogParams::default()).await.unwrap(), "403 Forbidden");
}

/// A user who may edit everything in the namespace of the attacker.
async fn as_a_user(attacker: &World, builder: &Pod) {
    let client = editor(attacker, "mallory").await;
    let in_namespace = |namespace: &str| Api::<Pod>::namespaced(client.clone(), namespace);
    let mut privileged = plain_pod("true");
    privileged.metadata.name = Some("privileged".to_owned());
    let container = &mut privileged.spec.as_mut().unwrap().containers[0];
    container.security_context = serde_json::from_value(json!({ "privileged": true })).unwrap();
    let refused =
        message(in_namespace(&attacker.namespace).create(&PostParams::default(), &privileged).await);
    assert!(refused.contains("violates PodSecurity \"restricted"), "{refused}");
    for refused in [
        message(in_namespace(BUILDS).create(&PostParams::default(), &plain_pod("true")).await),
        message(in_namespace(BUILDS).list(&ListParams::default()).await),
        message(in_namespace(BUILDS).get(&builder.name_any()).await),
        message(in_namespace(BUILDS).logs(&builder.name_any(), &LogParams::default()).await),
        message(in_namespace("victim").list(&ListParams::default()).await),
        message(Api::<Secret>::namespaced(client.clone(), "victim").get("deploy").await),
        message(
            Api::<Namespace>::all(client.clone())
                .patch(
                    &attacker.namespace,
                    &PatchParams::default(),
                    &Patch::Merge(json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "privileged" } } })),
                )
                .await,
        ),
    ] {
        assert!(refused.contains("\"mallory\" cannot"), "{refused}");
    }
}

/// A Secret is looked up only in the namespace of the project.
async fn names_a_secret_of_another(attacker: &World) {
    let git = json!({ "url": "https://git.example.org/x.git", "secretRef": { "name": "deploy" } });
    let spec: Value = json!({ "source": { "git": git } });
    attacker.deploy("names", &spec).await;
    let missing = "Secret deploy, referenced by spec.source, does not exist";
    attacker
        .until_status("names", "the Secret is not found", |status| {
            is_at_fault(status, "SourceAuthFailed", missing)
        })
        .await;
}
