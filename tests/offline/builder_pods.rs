//! The pods of a build with the profile `isolated`: the build pod in the namespace of the project, and its builder pod.

use doce_operator::crd::ProjectDeployment;
use doce_operator::desired::build_job::{self, BuildRequest};
use doce_operator::desired::builder_job;
use doce_operator::desired::job_env::told;
use doce_operator::platform::{Isolated, Platform, PushLogin};
use doce_operator::project::Project;
use doce_operator::protocol::build_target::BuildTarget;
use doce_operator::protocol::builder_key::BuilderKey;
use doce_operator::protocol::order::{ORDER_ENV, Order, Profile};
use doce_operator::protocol::proxies::Proxies;
use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

fn project() -> Project {
    let object = json!({
        "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
        "metadata": { "name": "shop", "namespace": "tenant", "uid": "u", "generation": 1 },
        "spec": {
            "source": { "git": { "url": "https://git.test/shop.git", "secretRef": { "name": "git" } } },
            "build": { "secrets": [{ "id": "npm", "secretRef": { "name": "npm", "key": "token" } }] },
        },
    });
    Project::parse(&serde_json::from_value::<ProjectDeployment>(object).unwrap()).unwrap()
}

fn order(job: &Job) -> &str {
    told(job, ORDER_ENV).unwrap()
}

/// A platform whose builds have builder pods.
fn isolated() -> Platform {
    Platform {
        push_registry: "registry.doce-system.svc:5000".to_owned(),
        push_insecure: true,
        push_login: PushLogin::Token,
        profile: Profile::Isolated,
        isolated: Some(Isolated { namespace: "doce-builds".to_owned(), service: "doce-builders".to_owned() }),
        buildkit_image: "docker.io/moby/buildkit:v0.33.1-rootless".to_owned(),
        operator_image: "ghcr.io/doce-dev/doce-operator:0.1.0".to_owned(),
        mirror: Some("mirror.test:5000".to_owned()),
        ..Platform::default()
    }
}

/// A build Job of that platform, as the API server returns it.
fn isolated_build(reason: &'static str) -> Job {
    let request = BuildRequest {
        of: &BuildTarget::Lookup(1),
        attempt: 0,
        digest: None,
        reason,
        builder_key: Some(BuilderKey::new([7; 32])),
    };
    let mut job = build_job::create(&project(), &isolated(), &request).unwrap();
    job.metadata.uid = Some("build-uid".to_owned());
    job
}

#[test]
fn both_pods_get_the_proxies_of_the_platform_and_the_order_stays_the_same() {
    let proxies = Proxies::new(Some("http://proxy.test:3128"), None, "corp.test", ["r.test"]).unwrap();
    let platform = Platform { proxies, ..isolated() };
    let key = BuilderKey::new([7; 32]);
    let request = BuildRequest {
        of: &BuildTarget::Lookup(1),
        attempt: 0,
        digest: None,
        reason: "FirstBuild",
        builder_key: Some(key),
    };
    let build = build_job::create(&project(), &platform, &request).unwrap();
    let builder =
        builder_job::create(&build, &key, None, &platform, platform.isolated.as_ref().unwrap()).unwrap();
    for job in [&build, &builder] {
        for name in ["HTTP_PROXY", "http_proxy"] {
            assert_eq!(told(job, name), Some("http://proxy.test:3128"), "{name}");
        }
        for name in ["NO_PROXY", "no_proxy"] {
            let direct = told(job, name).unwrap();
            assert!(direct.contains(".svc,") && direct.ends_with("r.test,corp.test"), "{direct}");
        }
        assert_eq!(told(job, "HTTPS_PROXY"), None);
    }
    assert_eq!(order(&build), order(&isolated_build("FirstBuild")), "the proxies are no part of the version");
}

#[test]
fn a_build_pod_with_a_builder_pod_meets_restricted_and_holds_the_key_for_it() {
    let job = isolated_build("FirstBuild");
    let pod = json!(job.spec.as_ref().unwrap().template.spec);
    for container in [&pod["containers"][0], &pod["initContainers"][0]] {
        let context = &container["securityContext"];
        assert_eq!(
            (&context["runAsNonRoot"], &context["allowPrivilegeEscalation"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(
            (&context["capabilities"]["drop"], &context["seccompProfile"]["type"]),
            (&json!(["ALL"]), &json!("RuntimeDefault"))
        );
        assert_eq!(container["resources"]["limits"], json!({ "memory": "1Gi", "ephemeral-storage": "10Gi" }));
    }
    assert_eq!(pod["containers"][0]["readinessProbe"], Value::Null);
    let carried: Order = serde_json::from_str(order(&job)).unwrap();
    let key = BuilderKey::new([7; 32]);
    let address = format!("{}.doce-builders.doce-builds.svc:1234", key.name());
    assert_eq!((carried.profile, carried.builder), (Profile::Isolated, Some(address)));
    assert_eq!(builder_job::key(&job), Some(key));
    assert!(!order(&job).contains(&key.text()), "an order has no secret");
    let poll = json!(isolated_build("Polled"));
    let probe = &poll["spec"]["template"]["spec"]["containers"][0]["readinessProbe"];
    assert_eq!(probe["tcpSocket"]["port"], 1235, "a poll asks for its builder pod by being ready");
}

#[test]
fn a_builder_pod_has_no_token_no_secret_and_nothing_of_the_project_but_the_key() {
    let key = BuilderKey::new([7; 32]);
    let job = builder_job::create(
        &isolated_build("FirstBuild"),
        &key,
        None,
        &isolated(),
        isolated().isolated.as_ref().unwrap(),
    )
    .unwrap();
    insta::assert_yaml_snapshot!(job);
    let text = json!(job).to_string();
    for absent in ["secretName", "serviceAccountToken", "configMap", "ownerReferences", "doce.dev/project"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
}

#[test]
fn a_builder_pod_has_the_resources_of_the_project_up_to_the_maximum() {
    let with = |limit: &str| {
        let mut platform = isolated();
        platform.build_pods = r#"{"maxResources": {"memory": "8Gi"}}"#.parse().unwrap();
        let wish = serde_json::from_value(json!({ "limits": { "memory": limit } })).unwrap();
        let place = platform.isolated.clone().unwrap();
        let build = isolated_build("FirstBuild");
        let job =
            builder_job::create(&build, &BuilderKey::new([7; 32]), Some(&wish), &platform, &place).unwrap();
        json!(job)["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"].clone()
    };
    assert_eq!(with("6Gi"), "6Gi");
    assert_eq!(
        with("9Gi"),
        "4Gi",
        "the operator rejects the project; a Job that a user made gets the default"
    );
}
