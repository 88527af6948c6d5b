//! Snapshots and details of the children that a project yields. `INSTA_UPDATE=always cargo test --test offline`
//! rewrites the snapshots; review the diff.

use doce_operator::crd::ProjectDeployment;
use doce_operator::crd::spec::{HealthType, Takeover};
use doce_operator::desired::build_job::{self, BuildRequest};
use doce_operator::desired::deployment::{RolloutTimings, apply};
use doce_operator::desired::drift::{as_desired, difference};
use doce_operator::desired::job_env::told;
use doce_operator::desired::{meta, names, network_policy, service, template};
use doce_operator::memory::record::{Facts, ImageFact, Record, SourceFact};
use doce_operator::memory::revisions;
use doce_operator::platform::{Platform, PushLogin};
use doce_operator::project::{DigestSource, Project};
use doce_operator::protocol::build_target::BuildTarget;
use doce_operator::protocol::order::{self, ORDER_ENV, Order, Profile, Remote, Settings};
use k8s_openapi::api::apps::v1::Deployment;
use proptest::prelude::*;
use serde_json::{Value, json};

const VERSION: &str = "9f2c41d7000000000000000000000000000000000000000000000000000000ff";

fn project(spec: &Value) -> Project {
    let object = json!({
        "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
        "metadata": { "name": "shop", "namespace": "tenant", "uid": "11111111-2222-3333-4444-555555555555", "generation": 1 },
        "spec": spec,
    });
    Project::parse(&serde_json::from_value::<ProjectDeployment>(object).unwrap()).unwrap()
}

/// A lookup for the first build of a project, without a builder pod.
fn first_build() -> BuildRequest<'static> {
    BuildRequest {
        of: &BuildTarget::Lookup(1),
        attempt: 0,
        digest: None,
        reason: "FirstBuild",
        builder_key: None,
    }
}

#[test]
fn a_repository_is_watched_only_if_the_spec_sets_watch() {
    let watch = |git: Value| project(&json!({ "source": { "git": git } })).settings.watch;
    let with =
        |watch: Value| json!({ "url": "https://git.test/shop.git", "path": "apps/shop", "watch": watch });
    assert_eq!(watch(json!({ "url": "https://git.test/shop.git", "path": "apps/shop" })), None);
    assert_eq!(watch(with(Value::Null)), None);
    assert_eq!(watch(with(json!({}))), Some(order::Watch::Workspace));
    let paths = ["packages/ui".to_owned()].into();
    assert_eq!(watch(with(json!({ "paths": ["packages/ui"] }))), Some(order::Watch::Paths(paths)));
}

fn full() -> Project {
    project(&json!({
        "source": { "git": { "url": "https://git.example.org/shop.git", "ref": { "branch": "main" }, "path": "apps/shop" } },
        "replicas": 2,
        "build": { "args": { "MODE": "prod" } },
        "run": {
            "port": 80, "command": ["node"], "args": ["server.js"], "workingDir": "/srv",
            "env": [{ "name": "COLOUR", "value": "blue" }],
            "envFrom": [{ "secretRef": { "name": "shop-env" } }],
            "resources": { "requests": { "cpu": "1000m" }, "limits": { "memory": "256Mi" } },
            "imagePullSecrets": [{ "name": "pull" }],
            "health": { "path": "/health", "periodSeconds": 3 },
        },
    }))
}

fn recorded(project: &Project, uid: i64) -> Record {
    let facts = Facts {
        format: 1,
        version: VERSION.to_owned(),
        key: Some("a".repeat(64)),
        source: SourceFact::default(),
        trigger: None,
        security: project.run.security,
        init_command: None,
        template: template::render(project, VERSION),
    };
    let image = ImageFact {
        reference: format!("localhost:30050/tenant/shop@sha256:{}", "b".repeat(64)),
        uid: Some(uid),
        platform: "linux/amd64".to_owned(),
        ..ImageFact::default()
    };
    Record { name: names::record("shop", VERSION), facts, image: Some(image), ..Record::default() }
}

#[test]
fn the_deployment_keeps_every_pod_available_and_meets_restricted_pod_security() {
    let project = full();
    let deployment =
        apply(&project, &recorded(&project, 1000), Some("stamp"), 2, RolloutTimings::of(&project, true))
            .unwrap();
    insta::assert_yaml_snapshot!(deployment);
}

#[test]
fn claims_secrets_and_config_maps_are_mounted_and_the_image_user_can_write_to_claims() {
    let claim = json!({ "name": "data", "mountPath": "/data", "subPath": "shop", "persistentVolumeClaim": { "name": "shop-data" } });
    let secret = json!({ "name": "tls", "mountPath": "/tls", "secret": { "name": "shop-tls" } });
    let map = json!({ "name": "conf", "mountPath": "/conf", "configMap": { "name": "shop-conf" } });
    let with = |volumes: &[&Value]| {
        let source =
            json!({ "image": { "reference": format!("registry.test/shop@sha256:{}", "a".repeat(64)) } });
        project(&json!({ "source": source, "run": { "volumes": volumes } }))
    };
    let all = with(&[&claim, &secret, &map]);
    let pod = template::complete(&recorded(&all, 1000), None, None).unwrap()["spec"].clone();
    assert_eq!(
        pod["volumes"],
        json!([
            { "name": "data", "persistentVolumeClaim": { "claimName": "shop-data" } },
            { "name": "tls", "secret": { "secretName": "shop-tls" } },
            { "name": "conf", "configMap": { "name": "shop-conf" } },
        ])
    );
    assert_eq!(
        pod["containers"][0]["volumeMounts"],
        json!([
            { "name": "data", "mountPath": "/data", "subPath": "shop", "readOnly": false },
            { "name": "tls", "mountPath": "/tls", "subPath": null, "readOnly": true },
            { "name": "conf", "mountPath": "/conf", "subPath": null, "readOnly": true },
        ])
    );
    assert_eq!(pod["securityContext"]["fsGroup"], 1000);
    let as_root = template::complete(&recorded(&all, 0), None, None).unwrap();
    assert!(as_root["spec"]["securityContext"]["fsGroup"].is_null());
    let read = with(&[&secret]);
    let read = template::complete(&recorded(&read, 1000), None, None).unwrap();
    assert!(read["spec"]["securityContext"]["fsGroup"].is_null(), "a secret is read-only");
}

#[test]
fn replace_stops_old_pods_first_and_extends_the_deadline_by_their_termination_time() {
    let mut project = full();
    let deployment = |project: &Project| {
        let whole =
            apply(project, &recorded(project, 1000), None, 1, RolloutTimings::of(project, true)).unwrap();
        (
            whole["spec"]["strategy"].clone(),
            whole["spec"]["progressDeadlineSeconds"].clone(),
            whole["spec"]["template"].clone(),
        )
    };
    let (_, surge, template) = deployment(&project);
    project.rollout.strategy = Takeover::Replace;
    let (strategy, replace, same) = deployment(&project);
    assert_eq!(strategy, json!({ "type": "Recreate", "rollingUpdate": null }));
    assert_eq!(replace.as_i64().unwrap() - surge.as_i64().unwrap(), 35, "grace plus drain seconds");
    assert_eq!(template, same, "the strategy is not part of a version");
}

#[test]
fn copied_labels_and_pod_labels_reach_the_children_and_operator_labels_win() {
    let mut project = full();
    project.run.pod_labels =
        serde_json::from_value(json!({ "cost": "web", "team": "of the version" })).unwrap();
    project.run.pod_annotations = serde_json::from_value(json!({ "prometheus.io/scrape": "true" })).unwrap();
    project.copied.labels = [("team".to_owned(), "blue".to_owned())].into();
    let whole =
        apply(&project, &recorded(&project, 1000), None, 1, RolloutTimings::of(&project, true)).unwrap();
    let labels = &whole["metadata"]["labels"];
    assert_eq!((&labels["team"], &labels["cost"]), (&json!("blue"), &json!("web")));
    assert_eq!(labels["doce.dev/project"], "shop");
    let pods = &whole["spec"]["template"]["metadata"];
    assert_eq!(pods["labels"]["team"], "of the version", "copied labels are added only when pods start");
    assert_eq!(pods["annotations"]["prometheus.io/scrape"], "true");
    assert_eq!(pods["labels"]["doce.dev/role"], "app");
    assert_eq!(service::apply(&project, None)["metadata"]["labels"]["team"], "blue");
    let request = first_build();
    let job =
        serde_json::to_value(build_job::create(&project, &Platform::default(), &request).unwrap()).unwrap();
    assert_eq!(job["metadata"]["labels"]["team"], "blue");
    assert_eq!(job["spec"]["template"]["metadata"]["labels"]["team"], "blue");
    assert_eq!(job["metadata"]["annotations"]["doce.dev/attempt"], "0");
    // The operator notices a label that the project no longer has, although no desired field names it.
    let live: Deployment = serde_json::from_value(whole).unwrap();
    assert!(meta::same_copied(&project, &live));
    project.copied.labels.clear();
    assert!(!meta::same_copied(&project, &live));
}

#[test]
fn an_image_that_runs_as_root_gets_baseline_pod_security() {
    let project = full();
    let complete = template::complete(&recorded(&project, 0), None, None).unwrap();
    assert_eq!(complete["spec"]["securityContext"]["seccompProfile"], json!({ "type": "RuntimeDefault" }));
    for unset in ["runAsUser", "runAsNonRoot"] {
        assert_eq!(complete["spec"]["securityContext"][unset], Value::Null);
    }
    let container = &complete["spec"]["containers"][0]["securityContext"];
    assert_eq!(*container, json!({ "allowPrivilegeEscalation": false }));
}

/// The security contexts of pod and container for this `run.security`, `run.port` and image user.
fn contexts(security: Option<&str>, port: u16, uid: Option<i64>) -> (Value, Value) {
    let mut run = json!({ "port": port });
    if let Some(security) = security {
        run["security"] = json!(security);
    }
    let image = json!({ "reference": format!("registry.test/shop@sha256:{}", "a".repeat(64)) });
    let project = project(&json!({ "source": { "image": image }, "run": run }));
    let mut record = recorded(&project, 0);
    record.image.as_mut().unwrap().uid = uid;
    let complete = template::complete(&record, None, None).unwrap();
    let of = |at: &Value| at["securityContext"].clone();
    (of(&complete["spec"]), of(&complete["spec"]["containers"][0]))
}

#[test]
fn security_contexts_follow_run_security_and_the_image_user() {
    let seccomp = json!({ "type": "RuntimeDefault" });
    let user = json!({ "seccompProfile": seccomp, "runAsUser": 1000, "runAsNonRoot": true });
    let not_root = json!({ "seccompProfile": seccomp, "runAsNonRoot": true });
    let any = json!({ "seccompProfile": seccomp });
    let nothing_more = json!({ "allowPrivilegeEscalation": false });
    let dropped = json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } });
    for (security, uid, pod, container) in [
        (None, Some(1000), &user, &dropped),
        (None, Some(0), &any, &nothing_more),
        (None, None, &any, &nothing_more),
        (Some("Restricted"), Some(1000), &user, &dropped),
        (Some("Restricted"), None, &not_root, &dropped),
        (Some("Baseline"), Some(1000), &any, &Value::Null),
        (Some("Baseline"), Some(0), &any, &Value::Null),
    ] {
        let made = contexts(security, 3000, uid);
        assert_eq!((&made.0, &made.1), (pod, container), "{security:?} {uid:?}");
    }
}

#[test]
fn only_a_port_below_1024_sets_the_sysctl_for_every_user() {
    let sysctls = json!([{ "name": "net.ipv4.ip_unprivileged_port_start", "value": "0" }]);
    for security in [None, Some("Restricted"), Some("Baseline")] {
        for uid in [None, Some(0), Some(1000)] {
            assert_eq!(contexts(security, 1023, uid).0["sysctls"], sysctls, "{security:?} {uid:?}");
            assert_eq!(contexts(security, 1024, uid).0["sysctls"], Value::Null, "{security:?} {uid:?}");
        }
    }
}

#[test]
fn a_template_recorded_by_the_first_release_renders_unchanged() {
    let project = full();
    let complete = |uid| {
        let mut record = recorded(&project, uid);
        record.facts.template["spec"].as_object_mut().unwrap().remove("securityContext");
        template::complete(&record, None, None).unwrap()["spec"]["securityContext"].clone()
    };
    let sysctls = json!([{ "name": "net.ipv4.ip_unprivileged_port_start", "value": "0" }]);
    let seccomp = json!({ "type": "RuntimeDefault" });
    let user =
        json!({ "seccompProfile": seccomp, "runAsNonRoot": true, "runAsUser": 1000, "sysctls": sysctls });
    assert_eq!(complete(1000), user);
    assert_eq!(complete(0), json!({ "seccompProfile": seccomp }));
}

#[test]
fn the_service_targets_the_port_by_name_and_always_has_port_80() {
    insta::assert_yaml_snapshot!(service::apply(&full(), Some(31000)));
}

/// A project with this `spec.expose`.
fn exposed(expose: &Value) -> Project {
    project(&json!({ "source": { "configMap": { "name": "site" } }, "expose": expose }))
}

#[test]
fn without_a_node_port_the_service_has_only_its_cluster_ip() {
    let project = exposed(&json!({ "nodePort": { "mode": "None" } }));
    let service = service::apply(&project, Some(31000));
    assert_eq!(service["spec"]["type"], "ClusterIP");
    assert_eq!(service["spec"]["ports"][0]["nodePort"], Value::Null);
    assert_eq!(service["spec"]["selector"], service::apply(&full(), None)["spec"]["selector"]);
}

#[test]
fn the_network_policy_selects_the_pods_of_the_app_and_admits_only_the_named_sources_to_its_port() {
    let sources = json!([{ "cidr": "203.0.113.0/24" }, { "cidr": "2001:db8::/32" }, { "namespace": "web" }]);
    let policy = network_policy::apply(&exposed(&json!({ "allowFrom": sources }))).unwrap();
    insta::assert_yaml_snapshot!(policy);
    assert_eq!(network_policy::apply(&full()), Ok(None), "without the field there is none");
}

#[test]
fn an_empty_list_of_sources_admits_no_client() {
    let policy = network_policy::apply(&exposed(&json!({ "allowFrom": [] }))).unwrap().unwrap();
    assert_eq!(policy["spec"]["ingress"], json!([]), "one rule without sources would admit everyone");
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress"]));
}

#[test]
fn a_network_policy_with_anything_added_is_not_the_desired_one() {
    let project = exposed(&json!({ "allowFrom": [{ "namespace": "web" }] }));
    let want = network_policy::apply(&project).unwrap().unwrap();
    let has = |edit: &dyn Fn(&mut Value)| {
        let mut live = want.clone();
        edit(&mut live["spec"]);
        network_policy::has_rules(&project, &serde_json::from_value(live).unwrap())
    };
    assert!(has(&|_| {}));
    assert!(!has(&|spec| spec["ingress"].as_array_mut().unwrap().push(json!({}))));
    assert!(!has(&|spec| spec["ingress"][0]["from"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "podSelector": {} }))));
    assert!(!has(&|spec| spec["ingress"][0]["ports"][0]["endPort"] = json!(9000)));
    assert!(!has(&|spec| spec["podSelector"]["matchLabels"]["team"] = json!("blue")));
    let closed = exposed(&json!({ "allowFrom": [] }));
    let mut live = network_policy::apply(&closed).unwrap().unwrap();
    live["spec"].as_object_mut().unwrap().remove("ingress");
    assert!(network_policy::has_rules(&closed, &serde_json::from_value(live.clone()).unwrap()));
    live["spec"]["ingress"] = json!([{}]);
    assert!(!network_policy::has_rules(&closed, &serde_json::from_value(live).unwrap()));
}

#[test]
fn how_a_project_is_reached_is_not_part_of_its_version() {
    let version = |project: &Project| doce_operator::version::version("key", &project.run);
    let expose = json!({ "nodePort": { "mode": "None" }, "allowFrom": [{ "namespace": "web" }] });
    let (open, closed) = (exposed(&json!({})), exposed(&expose));
    assert_eq!(version(&open), version(&closed));
    assert_eq!(template::render(&open, VERSION), template::render(&closed, VERSION));
}

#[test]
fn the_build_job_is_created_suspended_and_holds_no_token_and_no_secret() {
    let platform = Platform {
        push_registry: "registry.doce-system.svc:5000".to_owned(),
        push_insecure: true,
        pull_registry: "localhost:30050".to_owned(),
        profile: Profile::Rootless,
        buildkit_image: "docker.io/moby/buildkit:v0.33.1-rootless".to_owned(),
        operator_image: "ghcr.io/doce-dev/doce-operator:0.1.0".to_owned(),
        mirror: None,
        ca_bundle: String::new(),
        ..Platform::default()
    };
    let request = first_build();
    insta::assert_yaml_snapshot!(build_job::create(&full(), &platform, &request).unwrap());
}

#[test]
fn a_build_for_the_embedded_registry_has_a_token_for_it_and_for_nothing_else() {
    let request = first_build();
    let job = |push_login| {
        let push_registry = "registry.doce-system.svc:5000/path".to_owned();
        let platform = Platform { push_registry, push_login, ..Platform::default() };
        json!(build_job::create(&full(), &platform, &request).unwrap())["spec"]["template"]["spec"].clone()
    };
    let pod = job(PushLogin::Token);
    let volumes = pod["volumes"].as_array().unwrap();
    let token = volumes.iter().find(|volume| volume["name"] == "registry-token").unwrap();
    let seconds = full().build_timeout + 600;
    assert_eq!(
        token["projected"]["sources"],
        json!([{ "serviceAccountToken": { "audience": "doce-registry", "expirationSeconds": seconds, "path": "token" } }])
    );
    assert_eq!(pod["automountServiceAccountToken"], false);
    let build = &pod["containers"][0];
    let order = build["env"][0]["value"].as_str().unwrap();
    assert!(order.contains(r#""tokenRegistry":"registry.doce-system.svc:5000""#), "{order}");
    assert!(build["volumeMounts"].to_string().contains("/secrets/registry"));
    assert!(!pod["initContainers"].to_string().contains("/secrets/registry"));
    assert!(!job(PushLogin::None).to_string().contains("serviceAccountToken"));
}

#[test]
fn the_build_order_says_whether_sources_must_have_public_addresses() {
    for public_sources in [true, false] {
        let platform = Platform { public_sources, ..Platform::default() };
        let request = first_build();
        let job = build_job::create(&full(), &platform, &request).unwrap();
        let order: Order = serde_json::from_str(told(&job, ORDER_ENV).unwrap()).unwrap();
        assert_eq!(order.public_source, public_sources);
    }
}

/// The build pod on a platform with this profile.
fn build_pod(profile: Profile) -> Value {
    let platform = Platform {
        push_registry: "registry.doce-system.svc:5000".to_owned(),
        profile,
        buildkit_image: "buildkit".to_owned(),
        operator_image: "operator".to_owned(),
        ..Platform::default()
    };
    let request = first_build();
    let job = build_job::create(&full(), &platform, &request).unwrap();
    serde_json::to_value(job.spec.unwrap().template.spec.unwrap()).unwrap()
}

#[test]
fn only_userns_and_privileged_builds_are_privileged_and_userns_has_its_own_user_namespace() {
    let root = json!({ "runAsUser": 0, "runAsGroup": 0, "privileged": true });
    let user = json!({
        "runAsUser": 1000, "runAsGroup": 1000,
        "seccompProfile": { "type": "Unconfined" }, "appArmorProfile": { "type": "Unconfined" },
    });
    let state = "/var/lib/buildkit";
    for (profile, context, host_users, state) in [
        (Profile::Rootless, &user, Value::Null, "/home/user/.local/share/buildkit"),
        (Profile::Userns, &root, json!(false), state),
        (Profile::Privileged, &root, Value::Null, state),
    ] {
        let pod = build_pod(profile);
        let container = &pod["containers"][0];
        assert_eq!((&container["securityContext"], &pod["hostUsers"]), (context, &host_users), "{profile:?}");
        let mounts = container["volumeMounts"].as_array().unwrap();
        assert!(
            mounts.contains(&json!({ "name": "buildkit", "mountPath": state })),
            "{profile:?}: {mounts:?}"
        );
        let init = &pod["initContainers"][0]["securityContext"];
        assert_eq!((&init["runAsNonRoot"], &init["privileged"]), (&json!(true), &Value::Null), "{profile:?}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{profile:?}");
    }
}

#[test]
fn the_build_order_carries_the_profile_and_an_order_without_one_means_rootless() {
    let order = |profile| {
        let text = build_pod(profile)["containers"][0]["env"][0]["value"].as_str().unwrap().to_owned();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    assert_eq!(order(Profile::Rootless)["profile"], Value::Null);
    assert_eq!(order(Profile::Userns)["profile"], "userns");
    assert_eq!(order(Profile::Privileged)["profile"], "privileged");
    let old: Order = serde_json::from_value(order(Profile::Rootless)).unwrap();
    assert_eq!(old.profile, Profile::Rootless);
}

#[test]
fn with_a_remote_daemon_the_build_pod_is_restricted_and_only_it_holds_the_certificates() {
    let remote = |secret: Option<&str>| Remote {
        address: "tcp://buildkitd.builds.svc:1234".to_owned(),
        secret: secret.map(str::to_owned),
        ..Remote::default()
    };
    let platform = |secret| Platform {
        push_registry: "registry.doce-system.svc:5000".to_owned(),
        push_insecure: true,
        pull_registry: "localhost:30050".to_owned(),
        profile: Profile::Remote,
        remote: Some(remote(secret)),
        buildkit_image: "docker.io/moby/buildkit:v0.33.1-rootless".to_owned(),
        operator_image: "ghcr.io/doce-dev/doce-operator:0.1.0".to_owned(),
        ..Platform::default()
    };
    let request = first_build();
    let job = build_job::create(&full(), &platform(Some("buildkit")), &request).unwrap();
    insta::assert_yaml_snapshot!(job.spec.as_ref().unwrap().template.spec);
    let pod = serde_json::to_value(job.spec.unwrap().template.spec.unwrap()).unwrap();
    assert!(!pod["initContainers"].to_string().contains("buildkit-secret"), "{pod}");
    assert!(!template::render(&full(), VERSION).to_string().contains("buildkit"), "the app must not get it");

    let plain = build_job::create(&full(), &platform(None), &request).unwrap();
    let told: Order = serde_json::from_value(order_of(&plain)).unwrap();
    assert_eq!((told.profile, told.remote), (Profile::Remote, Some(remote(None).seen_from("tenant"))));
    assert!(!json!(plain).to_string().contains("/secrets/buildkit"));
}

#[test]
fn build_pods_follow_the_platform_settings_and_operator_labels_win() {
    let settings = r#"{"nodeSelector": {"pool": "builds"}, "tolerations": [{"key": "builds", "operator": "Exists"}],
        "priorityClassName": "low", "labels": {"cost": "web", "doce.dev/role": "somebody"}}"#;
    let architectures = vec!["arm64".to_owned()];
    let platform = Platform { build_pods: settings.parse().unwrap(), architectures, ..Platform::default() };
    let request = first_build();
    let mut project = full();
    project.build_resources =
        Some(serde_json::from_value(json!({ "limits": { "cpu": 2, "memory": "3Gi" } })).unwrap());
    let job = serde_json::to_value(build_job::create(&project, &platform, &request).unwrap()).unwrap();
    let template = &job["spec"]["template"];
    assert_eq!(template["metadata"]["labels"]["cost"], "web");
    assert_eq!(template["metadata"]["labels"]["doce.dev/role"], "build");
    assert_eq!(template["spec"]["nodeSelector"], json!({ "pool": "builds", "kubernetes.io/os": "linux" }));
    assert_eq!(template["spec"]["priorityClassName"], "low");
    let nodes =
        &template["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let rule = json!({ "key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"] });
    assert_eq!(nodes["nodeSelectorTerms"], json!([{ "matchExpressions": [rule] }]));
    assert_eq!(template["spec"]["tolerations"], json!([{ "key": "builds", "operator": "Exists" }]));
    for container in [&template["spec"]["containers"][0], &template["spec"]["initContainers"][0]] {
        let limits = json!({ "cpu": "2", "memory": "3Gi", "ephemeral-storage": "20Gi" });
        assert_eq!(container["resources"]["limits"], limits, "a quota requires limits on every container");
    }
    assert!(!job["spec"]["template"]["spec"]["containers"][0]["env"].to_string().contains("3Gi"));
}

fn order_of(job: &k8s_openapi::api::batch::v1::Job) -> Value {
    let pod = serde_json::to_value(job.spec.as_ref().unwrap().template.spec.as_ref().unwrap()).unwrap();
    serde_json::from_str(pod["containers"][0]["env"][0]["value"].as_str().unwrap()).unwrap()
}

#[test]
fn an_image_is_pushed_to_the_configured_repository_with_the_configured_secret() {
    let platform = Platform {
        push_registry: "registry.doce-system.svc:5000".to_owned(),
        push_insecure: true,
        pull_registry: "localhost:30050".to_owned(),
        ..Platform::default()
    };
    let request = first_build();
    let source = json!({ "configMap": { "name": "site" } });
    let output = json!({ "repository": "r.example:5000/you/shop", "pushSecretRef": { "name": "push" } });
    let named = project(&json!({ "source": source, "build": { "output": output } }));
    let job = build_job::create(&named, &platform, &request).unwrap();
    let pod = serde_json::to_value(job.spec.as_ref().unwrap().template.spec.as_ref().unwrap()).unwrap();
    let volume = json!({ "name": "push-secret", "secret": { "secretName": "push", "optional": true, "defaultMode": 0o440 } });
    assert!(pod["volumes"].as_array().unwrap().contains(&volume), "{pod}");
    let mount = json!({ "name": "push-secret", "mountPath": "/secrets/push", "readOnly": true });
    assert!(pod["containers"][0]["volumeMounts"].as_array().unwrap().contains(&mount), "{pod}");
    assert!(!pod["initContainers"].to_string().contains("push-secret"), "{pod}");
    assert!(!template::render(&named, VERSION).to_string().contains("push"), "the app must not get it");
    let order = order_of(&job);
    assert_eq!(order["repository"], "r.example:5000/you/shop");
    assert_eq!((&order["insecure"], &order["pushSecret"]), (&json!(false), &json!("push")));
    // Nodes pull from the configured repository. The platform's registry stays the default.
    assert_eq!(platform.pulled_from(&named), "r.example:5000/you/shop");
    let plain = project(&json!({ "source": source }));
    assert_eq!(platform.pulled_from(&plain), "localhost:30050/tenant/shop");
    assert_eq!(order_of(&build_job::create(&plain, &platform, &request).unwrap())["insecure"], true);
    // Both addresses of the platform's registry name the same registry, with the same `insecure` setting.
    for named in ["registry.doce-system.svc:5000/tenant/both", "localhost:30050/tenant/both"] {
        let shared = project(&json!({ "source": source, "build": { "output": { "repository": named } } }));
        let order = order_of(&build_job::create(&shared, &platform, &request).unwrap());
        assert_eq!(order["repository"], "registry.doce-system.svc:5000/tenant/both", "{named}");
        assert_eq!(order["insecure"], true, "{named}");
        assert_eq!(platform.pulled_from(&shared), "localhost:30050/tenant/both", "{named}");
        assert_eq!(platform.refusal(&shared), None, "{named}");
    }
}

#[test]
fn a_repository_of_another_namespace_is_rejected_in_the_platform_registry() {
    let platform = Platform {
        push_registry: "registry.doce-system.svc:5000".to_owned(),
        pull_registry: "localhost:30050".to_owned(),
        ..Platform::default()
    };
    let refusal = |named: &str| {
        let output = json!({ "repository": named });
        let source = json!({ "configMap": { "name": "site" } });
        platform.refusal(&project(&json!({ "source": source, "build": { "output": output } })))
    };
    for named in [
        "registry.doce-system.svc:5000/other/shop",
        "localhost:30050/other/shop",
        "localhost:30050/tenants/x",
    ] {
        let said = refusal(named).unwrap();
        assert!(
            said.contains("spec.build.output.repository") && said.contains("localhost:30050/tenant/"),
            "{said}"
        );
    }
    assert_eq!(refusal("localhost:30050/tenant/x"), None);
    assert_eq!(refusal("r.example/other/shop"), None, "the login of that registry decides");
}

#[test]
fn build_secrets_are_single_keys_mounted_only_into_the_build_and_only_ids_enter_the_key() {
    let request = first_build();
    let source = json!({ "git": { "url": "https://h/x" } });
    let secrets = |secrets: Value| project(&json!({ "source": source, "build": { "secrets": secrets } }));
    let named = secrets(json!([
        { "id": "NPM_TOKEN", "secretRef": { "name": "npm", "key": "token" } },
        { "id": ".netrc", "secretRef": { "name": "hosts" } },
    ]));
    let job = build_job::create(&named, &Platform::default(), &request).unwrap();
    let pod = serde_json::to_value(job.spec.as_ref().unwrap().template.spec.as_ref().unwrap()).unwrap();
    let key = |name: &str, key: &str, path: &str| json!({ "secret": { "name": name, "optional": true, "items": [{ "key": key, "path": path }] } });
    let sources = [key("npm", "token", "NPM_TOKEN"), key("hosts", ".netrc", ".netrc")];
    let volume =
        json!({ "name": "build-secrets", "projected": { "sources": sources, "defaultMode": 0o440 } });
    assert!(pod["volumes"].as_array().unwrap().contains(&volume), "{pod}");
    let mount = json!({ "name": "build-secrets", "mountPath": "/secrets/build", "readOnly": true });
    assert!(pod["containers"][0]["volumeMounts"].as_array().unwrap().contains(&mount), "{pod}");
    assert!(!pod["initContainers"].to_string().contains("build-secrets"), "{pod}");
    assert!(!template::render(&named, VERSION).to_string().contains("npm"), "the app must not get it");
    assert_eq!(order_of(&job)["settings"], json!({ "secrets": [".netrc", "NPM_TOKEN"] }));
    let renewed = secrets(json!([
        { "id": ".netrc", "secretRef": { "name": "hosts" } },
        { "id": "NPM_TOKEN", "secretRef": { "name": "npm-2", "key": "renewed" } },
    ]));
    assert_eq!(named.settings, renewed.settings, "order and source of secrets do not change the image");
    let without = build_job::create(&secrets(json!([])), &Platform::default(), &request).unwrap();
    assert!(!json!(without).to_string().contains("build-secrets"));
}

#[test]
fn the_source_secret_is_mounted_into_the_build_and_referenced_nowhere_else() {
    let platform = Platform {
        push_registry: "registry.doce-system.svc:5000".to_owned(),
        push_insecure: true,
        pull_registry: "localhost:30050".to_owned(),
        profile: Profile::Rootless,
        buildkit_image: "buildkit".to_owned(),
        operator_image: "operator".to_owned(),
        mirror: None,
        ca_bundle: String::new(),
        ..Platform::default()
    };
    let secret = json!({ "name": "key" });
    let digest = format!("sha256:{}", "ab".repeat(32));
    for (source, wanted) in [
        (json!({ "git": { "url": "git@h:x", "secretRef": secret } }), None),
        (json!({ "archive": { "url": "https://h/x.tar.gz", "secretRef": secret } }), None),
        (json!({ "oci": { "reference": "ghcr.io/you/shop:1", "secretRef": secret } }), Some(digest.as_str())),
        (json!({ "image": { "reference": "ghcr.io/you/app:1", "secretRef": secret } }), None),
    ] {
        let project = project(&json!({ "source": source }));
        let request = BuildRequest { digest: wanted, ..first_build() };
        let job = build_job::create(&project, &platform, &request).unwrap();
        let pod = serde_json::to_value(job.spec.unwrap().template.spec.unwrap()).unwrap();
        let volume = json!({ "name": "source-secret", "secret": { "secretName": "key", "optional": true, "defaultMode": 0o440 } });
        let volumes = pod["volumes"].as_array().unwrap();
        assert!(volumes.contains(&volume), "{pod}");
        let mount = json!({ "name": "source-secret", "mountPath": "/secrets/source", "readOnly": true });
        let container = &pod["containers"][0];
        assert!(container["volumeMounts"].as_array().unwrap().contains(&mount), "{pod}");
        assert!(!pod["initContainers"].to_string().contains("source-secret"), "{pod}");
        assert!(container["env"].as_array().unwrap().iter().all(|env| env["valueFrom"].is_null()), "{pod}");
        let template = template::render(&project, VERSION);
        assert!(!template.to_string().contains("source-secret"), "the app must not get it: {template}");
        if wanted.is_some() {
            let order = container["env"][0]["value"].as_str().unwrap();
            assert!(order.contains(&format!("ghcr.io/you/shop@{digest}")), "{order}");
        }
    }
}

#[test]
fn a_fully_specified_source_needs_no_lookup() {
    let sum = "ab".repeat(32);
    let archive = |more: Value| {
        let mut archive = json!({ "url": "https://h/x.tar.gz" });
        archive.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        project(&json!({ "source": { "archive": archive } }))
    };
    let fixed = archive(json!({ "sha256": sum, "path": "apps/shop/" }));
    assert_eq!(fixed.origin(), DigestSource::Fixed(format!("sha256:{sum}")));
    assert_eq!(fixed.settings.path.as_deref(), Some("apps/shop"));
    let looked_up = archive(json!({}));
    assert!(matches!(looked_up.origin(), DigestSource::LookedUp(_)));
    assert_eq!(looked_up.settings, Settings::default());
    let oci = |reference: &str| project(&json!({ "source": { "oci": { "reference": reference } } })).origin();
    assert_eq!(oci(&format!("r.io/a@sha256:{sum}")), DigestSource::Fixed(format!("sha256:{sum}")));
    assert!(matches!(oci("r.io/a:1"), DigestSource::LookedUp(_)));
    assert_ne!(oci("r.io/a:1"), oci("r.io/a:2"));
}

#[test]
fn submodules_enter_the_build_settings_only_if_the_spec_enables_them() {
    let settings = |git: Value| project(&json!({ "source": { "git": git } })).settings;
    let plain = settings(json!({ "url": "https://h/x" }));
    assert_eq!(plain, settings(json!({ "url": "https://h/x", "submodules": false })));
    assert_eq!(json!(plain), json!({}), "existing builds keep their keys");
    assert_eq!(
        json!(settings(json!({ "url": "https://h/x", "submodules": true }))),
        json!({ "submodules": true })
    );
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let project = full();
    let written = recorded(&project, 1000);
    let object = revisions::create(&project, &written.facts, written.image.as_ref(), 1);
    assert_eq!(revisions::read(&object).unwrap(), written);
}

#[test]
fn what_the_api_server_normalizes_is_not_drift() {
    let want = json!({ "spec": { "minReadySeconds": 0, "template": { "containers": [{
        "name": "app", "env": [{ "name": "A", "value": "" }], "args": [],
        "resources": { "requests": { "cpu": "1000m", "memory": "0.5Gi" } },
    }] } } });
    let live = json!({ "spec": { "template": { "containers": [
        { "name": "sidecar" },
        { "name": "app", "imagePullPolicy": "IfNotPresent", "env": [{ "name": "A" }, { "name": "OTHER" }],
          "resources": { "requests": { "cpu": "1", "memory": "512Mi" } } },
    ] } } });
    assert!(as_desired(&live, &want));
}

#[test]
fn the_startup_budget_of_a_retry_follows_the_current_deadline() {
    let mut project = full();
    let record = recorded(&project, 1000);
    let budget = |project: &Project| {
        let whole = apply(project, &record, None, 1, RolloutTimings::of(project, true)).unwrap();
        whole["spec"]["template"]["spec"]["containers"][0]["startupProbe"]["failureThreshold"].clone()
    };
    assert_eq!(budget(&project), 295);
    project.rollout.deadline_seconds = 600;
    assert_eq!(budget(&project), 595);
    let as_recorded = template::complete(&record, None, None).unwrap();
    assert_eq!(as_recorded["spec"]["containers"][0]["startupProbe"]["failureThreshold"], 295);
    project.run.health.kind = HealthType::None;
    let none = recorded(&project, 1000);
    let complete = template::complete(&none, None, Some(9)).unwrap();
    assert!(complete["spec"]["containers"][0]["startupProbe"].is_null(), "no probe is added");
}

/// The app container for this `run`.
fn container(run: &Value) -> Value {
    let project = project(&json!({ "source": { "configMap": { "name": "site" } }, "run": run }));
    template::complete(&recorded(&project, 1000), None, None).unwrap()["spec"]["containers"][0].clone()
}

#[test]
fn each_health_type_sets_both_probes_with_port_headers_and_timeout() {
    let localhost = json!([{ "name": "Host", "value": "localhost" }]);
    let get = |path: &str, port: Value, headers: &Value| json!({ "httpGet": { "path": path, "port": port, "scheme": "HTTP", "httpHeaders": headers } });
    let own = json!([{ "name": "host", "value": "shop.example" }]);
    let command = json!(["pg_isready", "-q"]);
    for (health, action, timeout) in [
        (json!({}), get("/", json!("http"), &localhost), 2),
        (
            json!({ "port": 9000, "path": "/up", "timeoutSeconds": 30 }),
            get("/up", json!(9000), &localhost),
            30,
        ),
        (json!({ "httpHeaders": own }), get("/", json!("http"), &own), 2),
        (json!({ "type": "TCP", "periodSeconds": 60 }), json!({ "tcpSocket": { "port": "http" } }), 5),
        (json!({ "type": "TCP", "port": 9000 }), json!({ "tcpSocket": { "port": 9000 } }), 2),
        (json!({ "type": "Command", "command": command }), json!({ "exec": { "command": command } }), 2),
    ] {
        let made = container(&json!({ "health": health }));
        for probe in ["startupProbe", "readinessProbe"] {
            assert!(as_desired(&made[probe], &action), "{health}: {}", made[probe]);
            assert_eq!(made[probe]["timeoutSeconds"], timeout, "{health}");
        }
    }
    let none = container(&json!({ "health": { "type": "None" } }));
    assert!(none["startupProbe"].is_null() && none["readinessProbe"].is_null(), "{none}");
}

#[test]
fn an_extra_http_header_keeps_the_host_header() {
    let https = json!({ "name": "X-Forwarded-Proto", "value": "https" });
    let made = container(&json!({ "health": { "httpHeaders": [https] } }));
    let headers = &made["readinessProbe"]["httpGet"]["httpHeaders"];
    assert_eq!(*headers, json!([{ "name": "Host", "value": "localhost" }, https]));
}

#[test]
fn a_pod_drains_before_sigterm_and_keeps_its_full_grace_period_after_it() {
    for (stop, seconds, drain) in [
        (json!({}), 35, json!({ "preStop": { "sleep": { "seconds": 5 } } })),
        (json!({ "graceSeconds": 600 }), 605, json!({ "preStop": { "sleep": { "seconds": 5 } } })),
        (json!({ "drainSeconds": 20 }), 50, json!({ "preStop": { "sleep": { "seconds": 20 } } })),
        (json!({ "drainSeconds": 0 }), 30, Value::Null),
    ] {
        let project =
            project(&json!({ "source": { "configMap": { "name": "site" } }, "run": { "stop": stop } }));
        let template = template::complete(&recorded(&project, 1000), None, None).unwrap();
        assert_eq!(template["spec"]["terminationGracePeriodSeconds"], seconds, "{stop}");
        assert_eq!(template["spec"]["containers"][0]["lifecycle"], drain, "{stop}");
    }
}

#[test]
fn a_missing_paused_field_is_not_drift() {
    assert!(as_desired(&json!({ "spec": {} }), &json!({ "spec": { "paused": false } })));
    assert!(!as_desired(&json!({ "spec": { "paused": true } }), &json!({ "spec": { "paused": false } })));
}

#[test]
fn quantities_are_compared_by_value_and_rounded_up_as_the_api_server_does() {
    let one = |kind: &str, amount: &str| json!({ "resources": { kind: { "cpu": amount } } });
    let divisor = |amount: &str| json!({ "env": [{ "name": "CPUS", "valueFrom": { "resourceFieldRef": { "divisor": amount } } }] });
    for (live, want) in [
        ("2m", "1.5m"),
        ("1m", "1n"),
        ("1", "1000m"),
        ("1181116006400m", "1.1Gi"),
        ("1209462790553600m", "1.1Ti"),
        ("5e3", "5k"),
        ("0", "0"),
    ] {
        assert!(as_desired(&one("requests", live), &one("requests", want)), "{live} {want}");
        assert!(as_desired(&one("limits", live), &one("limits", want)), "{live} {want}");
        assert!(as_desired(&divisor(live), &divisor(want)), "{live} {want}");
    }
    for (live, want) in [("1m", "1.5m"), ("2m", "2.1m"), ("1Gi", "1G"), ("0", "1n")] {
        assert!(!as_desired(&one("requests", live), &one("requests", want)), "{live} {want}");
        assert!(!as_desired(&divisor(live), &divisor(want)), "{live} {want}");
    }
}

#[test]
fn drift_is_reported_by_path_without_values() {
    let want = json!({ "spec": { "replicas": 1, "template": { "containers": [
        { "name": "app", "image": "a", "resources": { "limits": { "cpu": "1" } }, "env": [{ "name": "KEY", "value": "secret" }] },
    ] } } });
    let mut live = want.clone();
    assert_eq!(difference(&live, &want), None);
    let mut told = vec![];
    for (at, other) in [
        ("/spec/template/containers/0/image", json!("b")),
        ("/spec/template/containers/0/env/0/value", json!("other")),
        ("/spec/template/containers/0/resources/limits/cpu", json!("2")),
        ("/spec/template/containers/0/name", json!("other")),
        ("/spec/replicas", json!(2)),
    ] {
        *live.pointer_mut(at).unwrap() = other;
        told.extend(difference(&live, &want));
        live = want.clone();
    }
    assert_eq!(
        told,
        [
            "spec.template.containers[app].image",
            "spec.template.containers[app].env[KEY].value",
            "spec.template.containers[app].resources.limits.cpu",
            "spec.template.containers[app]",
            "spec.replicas",
        ]
    );
}

#[test]
fn a_changed_field_is_drift() {
    let want = json!({ "replicas": 2, "cpu": { "requests": { "cpu": "500m" } }, "args": ["a", "b"], "labels": { "x": "y" } });
    for other in [
        json!({ "replicas": 3, "cpu": { "requests": { "cpu": "500m" } }, "args": ["a", "b"], "labels": { "x": "y" } }),
        json!({ "replicas": 2, "cpu": { "requests": { "cpu": "501m" } }, "args": ["a", "b"], "labels": { "x": "y" } }),
        json!({ "replicas": 2, "cpu": { "requests": { "cpu": "500m" } }, "args": ["b", "a"], "labels": { "x": "y" } }),
        json!({ "replicas": 2, "cpu": { "requests": { "cpu": "500m" } }, "args": ["a", "b"], "labels": {} }),
    ] {
        assert!(!as_desired(&other, &want), "{other}");
    }
}

proptest! {
    #[test]
    fn every_derived_name_is_a_valid_label(name in "[a-z]([-a-z0-9]{0,38}[a-z0-9])?", number in 0u64..1000, attempt in 0u32..1000) {
        let mut project = full();
        project.name = name;
        let names = [names::job(&project, &BuildTarget::Lookup(number), attempt), names::record(&project.name, VERSION)];
        for name in names {
            prop_assert!(name.len() <= 63 && name.ends_with(|c: char| c.is_ascii_alphanumeric()), "{}", name);
        }
    }

    #[test]
    fn a_project_tries_every_port_of_its_range_once(first in 30000u16..32000, size in 0u16..700) {
        let mut ports: Vec<u16> = names::ports(&full(), first, first + size).collect();
        ports.sort_unstable();
        prop_assert_eq!(ports, (first..=first + size).collect::<Vec<_>>());
    }
}

/// Linux's `MAX_ARG_STRLEN`: name, value, = and NUL of one variable of a program.
const LONGEST_VARIABLE: usize = 131_072;

#[test]
fn the_largest_order_that_the_schema_admits_fits_into_one_environment_variable() {
    let text = |letters: usize| "\"".repeat(letters);
    let path = |letters: usize| "p".repeat(letters);
    // 16,384 bytes of names and values, of which JSON makes twice as many.
    let args: serde_json::Map<_, _> = (0..64).map(|n| (format!("A{n:03}"), json!(text(252)))).collect();
    let secret = |n: usize| json!({ "id": format!("{n:0128}"), "secretRef": { "name": "€".repeat(253), "key": path(253) } });
    let object = json!({
        "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
        "metadata": { "name": "shop", "namespace": "tenant", "uid": "11111111-2222-3333-4444-555555555555" },
        "spec": {
            "source": { "git": {
                "url": format!("https://git.test/{}", text(2031)), "ref": { "branch": text(255) }, "path": path(1024),
                "watch": { "paths": (0..32).map(|n| format!("{n:0256}")).collect::<Vec<_>>() },
                "secretRef": { "name": "€".repeat(253) },
            }},
            "build": {
                "args": args, "command": "😀".repeat(4096), "dockerfile": path(1024), "target": path(128),
                "outputDirectory": path(255), "secrets": (0..16).map(secret).collect::<Vec<_>>(),
                "output": { "repository": path(255), "pushSecretRef": { "name": "€".repeat(253) } },
            },
        },
    });
    let project = Project::parse(&serde_json::from_value(object).unwrap()).unwrap();
    let job = json!(build_job::create(&project, &Platform::default(), &first_build()).unwrap());
    let env = job["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
    for variable in env {
        let (name, value) = (variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap());
        let bytes = name.len() + value.len() + 2;
        assert!(
            bytes < LONGEST_VARIABLE - 8192,
            "{name} has {bytes} bytes: the platform's own settings need 8 KiB"
        );
        assert!(name != "DOCE_ORDER" || bytes > 80_000, "{bytes}");
    }
}
