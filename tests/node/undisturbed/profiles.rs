//! Build profiles other than `isolated`, which all other tests use: `rootless`, `privileged`, and `remote` with the platform
//! owner's `BuildKit` daemon behind mutual TLS, for a namespace that enforces Pod Security "restricted".

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use serde_json::{Value, json};

use crate::authority::authority;
use crate::client::until_answer;
use crate::harness::{World, helm, holds, is_at_fault};
use crate::repository::variable;

/// The operator uses another build profile until this is dropped.
struct Profile;

impl Profile {
    fn begin(settings: &[&str]) -> Self {
        let restore = Self;
        helm(settings);
        restore
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        helm(&["--set=build.profile=isolated", "--set=build.remote.address="]);
    }
}

/// Key and certificate of a name as the data of a Secret, with the certificate of the authority.
fn certificate(name: &str) -> Value {
    let (certificate, key) = authority().signed(&format!("DNS:{name}"));
    let ca = std::fs::read_to_string(authority().certificate()).unwrap();
    json!({ "stringData": { "ca.crt": ca, "tls.crt": certificate, "tls.key": key } })
}

/// Starts a daemon in the namespace of `world`. Returns the data of a Secret for its clients.
async fn daemon(world: &World, host: &str) -> Value {
    world.apply::<Secret>("server", certificate(host)).await;
    let (registry, mirror) = ("doce-doce-operator-registry.doce-system.svc:5000", variable("DOCE_MIRROR"));
    let toml = format!(
        "[registry.\"docker.io\"]\n  mirrors = [{mirror:?}]\n[registry.{mirror:?}]\n  http = true\n\
         [registry.{registry:?}]\n  http = true\n"
    );
    world.apply::<ConfigMap>("buildkitd", json!({ "data": { "buildkitd.toml": toml } })).await;
    let labels = json!({ "app": "buildkitd" });
    let certificates: Vec<String> = [("tlscacert", "ca.crt"), ("tlscert", "tls.crt"), ("tlskey", "tls.key")]
        .iter()
        .flat_map(|(option, file)| [format!("--{option}"), format!("/certificates/{file}")])
        .collect();
    let mut arguments = vec![
        "--addr".to_owned(),
        "tcp://0.0.0.0:1234".to_owned(),
        "--config".to_owned(),
        "/etc/buildkitd/buildkitd.toml".to_owned(),
        "--oci-worker-no-process-sandbox".to_owned(),
    ];
    arguments.extend(certificates);
    let container = json!({
        "name": "buildkitd", "image": variable("DOCE_BUILDKIT_IMAGE"), "args": arguments,
        "readinessProbe": { "tcpSocket": { "port": 1234 }, "periodSeconds": 1 },
        "securityContext": {
            "runAsUser": 1000, "runAsGroup": 1000,
            "seccompProfile": { "type": "Unconfined" }, "appArmorProfile": { "type": "Unconfined" },
        },
        "volumeMounts": [
            { "name": "certificates", "mountPath": "/certificates" },
            { "name": "configuration", "mountPath": "/etc/buildkitd" },
            { "name": "state", "mountPath": "/home/user/.local/share/buildkit" },
        ],
    });
    let pod = json!({
        "securityContext": { "fsGroup": 1000 },
        "containers": [container],
        "volumes": [
            { "name": "certificates", "secret": { "secretName": "server", "defaultMode": 0o440 } },
            { "name": "configuration", "configMap": { "name": "buildkitd" } },
            { "name": "state", "emptyDir": {} },
        ],
    });
    let template = json!({ "metadata": { "labels": labels }, "spec": pod });
    let spec = json!({ "selector": { "matchLabels": labels }, "template": template });
    world.apply::<Deployment>("buildkitd", json!({ "spec": spec })).await;
    let spec = json!({ "selector": labels, "ports": [{ "port": 1234 }] });
    world.apply::<Service>("buildkitd", json!({ "spec": spec })).await;
    certificate("client")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn a_restricted_namespace_builds_with_a_remote_daemon() {
    let builds = World::undisturbed("remote-daemon").await;
    let host = "buildkitd.remote-daemon.svc";
    let client = daemon(&builds, host).await;
    let ready = |deployment: Option<&Deployment>| {
        let status = deployment.and_then(|deployment| deployment.status.as_ref());
        status.and_then(|status| status.ready_replicas) == Some(1)
    };
    builds.until::<Deployment>("buildkitd", "the daemon listens", ready).await;
    let _remote = Profile::begin(&[
        "--set=build.profile=remote",
        "--set=build.remote.secretName=buildkit-client",
        &format!("--set=build.remote.address=tcp://{host}:1234"),
    ]);

    let world = builds.another("remote-builds").await;
    world.enforces("restricted").await;
    // A user name: the same daemon looks it up in the image.
    let dockerfile = "FROM docker.io/library/busybox:1.37\nCOPY index.html /www/\nRUN mkdir -p /etc && echo ann:x:4321:4321::/:/bin/sh >> /etc/passwd\nUSER ann\n\
        CMD [\"sh\", \"-c\", \"exec httpd -f -p $PORT -h /www\"]\n";
    let pages = json!({ "data": { "index.html": "built elsewhere", "Dockerfile": dockerfile } });
    world.apply::<ConfigMap>("pages", pages).await;
    let source = json!({ "configMap": { "name": "pages" } });
    world.deploy("site", &json!({ "source": source, "rollout": { "minReadySeconds": 1 } })).await;
    let missing = "Secret buildkit-client (build.remote.secretName of the chart) does not exist or is empty in \
    namespace remote-builds";
    world
        .until_status("site", "the Secret is missing", |status| is_at_fault(status, "BuildFault", missing))
        .await;

    world.apply::<Secret>("buildkit-client", client).await;
    let status = world.until_status("site", "it serves", |status| holds(status, "Ready")).await;
    until_answer(&world.address, status.node_port.unwrap(), "built elsewhere").await;
    let jobs = world.list::<Job>().await;
    let order = serde_json::to_string(jobs.last().unwrap()).unwrap();
    assert!(order.contains("tcp://buildkitd.remote-daemon.svc:1234"), "{order}");
    let app = world.app_user().await;
    assert_eq!(app, Some(4321), "the operator knows the user of the image");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn builds_run_in_the_namespace_of_the_project_where_the_platform_owner_allows_it() {
    for (profile, user, privileged) in [("rootless", 1000, None), ("privileged", 0, Some(true))] {
        let world = World::undisturbed(profile).await;
        let _profile = Profile::begin(&[&format!("--set=build.profile={profile}")]);
        let text = format!("built {profile}");
        world.apply::<ConfigMap>("pages", json!({ "data": { "index.html": text } })).await;
        let spec =
            json!({ "source": { "configMap": { "name": "pages" } }, "rollout": { "minReadySeconds": 1 } });
        world.deploy("site", &spec).await;
        let status = world.until_ready("site").await;
        until_answer(&world.address, status.node_port.unwrap(), &text).await;
        let jobs = world.list::<Job>().await;
        let pod = jobs[0].spec.as_ref().unwrap().template.spec.as_ref().unwrap();
        let build = pod.containers[0].security_context.as_ref().unwrap();
        assert_eq!((build.privileged, build.run_as_user), (privileged, Some(user)));
        assert_eq!(world.app_user().await, Some(101), "the app still has its own user");
    }
}

impl World {
    async fn app_user(&self) -> Option<i64> {
        let deployment = self.api::<Deployment>().get("site").await.unwrap();
        deployment.spec.unwrap().template.spec.unwrap().security_context.unwrap().run_as_user
    }
}
