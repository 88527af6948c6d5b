//! Generated files are current, samples are valid, and the operator has no more permissions than documented. These
//! tests render nothing: `make verify` compares the rendered chart.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use doce_operator::crd::ProjectDeployment;
use doce_operator::platform::build_pods::BuildPods;
use serde::Deserialize as _;
use serde_yaml::Value;

use super::files::files;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

fn documents(text: &str) -> Vec<Value> {
    let all =
        serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).expect("YAML"));
    all.filter(|document| !document.is_null()).collect()
}

#[test]
fn the_definition_is_as_the_code_says() {
    let text = doce_operator::crd::yaml().unwrap();
    for path in [
        "crds/projectdeployments.doce.dev.yaml",
        "charts/doce-operator/files/projectdeployments.doce.dev.yaml",
    ] {
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(root().join(path).parent().unwrap()).unwrap();
            fs::write(root().join(path), &text).unwrap();
        }
        assert!(read(path) == text, "{path} differs from src/crd: run make generate");
    }
}

#[test]
fn the_manifest_installs_this_definition() {
    let code: Value = serde_yaml::from_str(&doce_operator::crd::yaml().unwrap()).unwrap();
    let all = documents(&read("manifests/install.yaml"));
    let installed =
        all.iter().find(|object| object["kind"] == "CustomResourceDefinition").expect("the definition");
    assert!(
        installed["spec"] == code["spec"],
        "manifests/install.yaml contains a different CRD: run make generate"
    );
}

#[test]
fn every_sample_is_a_project_and_every_source_kind_has_a_sample() {
    let (mut names, mut sources) = (BTreeSet::new(), BTreeSet::new());
    let samples = root().join("manifests/samples");
    // Files in repositories/ belong to sources and their tools.
    let all =
        files(&samples, "yaml").into_iter().filter(|path| !path.starts_with(samples.join("repositories")));
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        let mut projects = 0;
        for document in documents(&text) {
            assert!(
                document["metadata"]["namespace"].is_null(),
                "{}: a sample must not set a namespace",
                path.display()
            );
            if document["kind"] != "ProjectDeployment" {
                continue;
            }
            projects += 1;
            let project: ProjectDeployment = serde_yaml::from_value(document.clone())
                .unwrap_or_else(|error| panic!("{} is not a ProjectDeployment: {error}", path.display()));
            let name = project.metadata.name.clone().unwrap();
            assert!(names.insert(name.clone()), "{}: another sample is also named {name}", path.display());
            let source = document["spec"]["source"].as_mapping().unwrap();
            sources.extend(source.keys().map(|kind| kind.as_str().unwrap().to_owned()));
            let again = serde_yaml::to_value(&project).unwrap();
            assert_within(&document, &again, &path.display().to_string());
        }
        assert_eq!(projects, 1, "{} should hold one ProjectDeployment", path.display());
    }
    let all = ["archive", "configMap", "git", "image", "oci"].map(str::to_owned);
    assert_eq!(sources, BTreeSet::from(all), "the README says that each kind of source has a sample");
}

/// Asserts that `understood` contains everything in `written`: the CRD ignores no field of a sample.
fn assert_within(written: &Value, understood: &Value, place: &str) {
    match written {
        Value::Mapping(fields) => {
            for (name, value) in fields {
                let name = name.as_str().unwrap();
                assert_within(value, &understood[name], &format!("{place}: {name}"));
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                assert_within(item, &understood[index], &format!("{place}[{index}]"));
            }
        }
        other => assert_eq!(other, understood, "{place} is ignored or read differently"),
    }
}

#[test]
fn the_demo_sample_has_exactly_one_url_to_replace() {
    assert_eq!(
        read("manifests/samples/hello-git.yaml").matches("https://git.example.com/hello.git").count(),
        1
    );
    for file in ["package.json", "package-lock.json", "server.js"] {
        assert!(
            root().join("manifests/samples/repositories/hello").join(file).is_file(),
            "{file} is missing"
        );
    }
}

/// Rules of a rendered role, as `group/resource verb`.
fn rights(role: &Value) -> BTreeSet<String> {
    let words = |value: &Value| -> Vec<String> {
        value.as_sequence().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_sequence().into_iter().flatten() {
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                rights.extend(words(&rule["verbs"]).iter().map(|verb| format!("{group}/{resource} {verb}")));
            }
        }
    }
    rights
}

#[test]
fn the_operator_has_only_the_expected_permissions() {
    let all = documents(&read("manifests/install.yaml"));
    let roles =
        all.iter().filter(|object| object["kind"].as_str().is_some_and(|kind| kind.ends_with("Role")));
    for role in roles.clone() {
        for right in rights(role) {
            assert!(!right.contains('*'), "{right}: wildcards are not allowed");
            assert!(!right.starts_with("/secrets"), "{right}: Secrets are not allowed");
            let (resource, verb) = right.split_once(' ').unwrap();
            assert!(!["escalate", "bind", "impersonate", "approve"].contains(&verb), "{right}");
            // Users push folders through one pod; no account of the release has this right.
            let of_users = role["metadata"]["name"] == "doce-source-uploads";
            assert!(of_users || !resource.starts_with("/pods/"), "{right}");
            assert!(!resource.starts_with("rbac"), "{right}");
        }
    }
    let operator =
        roles.clone().find(|role| role["metadata"]["name"] == "doce-operator").expect("the operator's role");
    let rights = rights(operator);
    let writes =
        rights.iter().filter(|right| !["get", "list", "watch"].iter().any(|verb| right.ends_with(verb)));
    let resources: BTreeSet<&str> = writes.filter_map(|right| right.split(' ').next()).collect();
    let expected = [
        "/services",
        "apps/controllerrevisions",
        "apps/deployments",
        "apps/replicasets",
        "batch/jobs",
        "doce.dev/projectdeployments/finalizers",
        "doce.dev/projectdeployments/status",
        "events.k8s.io/events",
        "networking.k8s.io/networkpolicies",
    ];
    assert_eq!(resources, BTreeSet::from(expected), "the resources that the operator may write");
    assert!(!rights.contains("doce.dev/projectdeployments update"), "the operator never writes spec");
}

#[test]
fn the_operator_may_write_one_lease_in_its_own_namespace() {
    let all = documents(&read("manifests/install.yaml"));
    let named = |kind: &str, name: &str| {
        let found = all.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name} in manifests/install.yaml"))
    };
    let role = named("Role", "doce-operator-election");
    let account = named("ServiceAccount", "doce-operator");
    assert_eq!(role["metadata"]["namespace"], account["metadata"]["namespace"]);
    let lease = "coordination.k8s.io/leases";
    let expected = ["create", "get", "update"].map(|verb| format!("{lease} {verb}"));
    assert_eq!(rights(role), BTreeSet::from(expected));
    for rule in role["rules"].as_sequence().unwrap() {
        let named = rule["resourceNames"][0].as_str();
        assert!(named == Some("doce-operator") || rule["verbs"][0] == "create", "{rule:?}");
    }
    let binding = named("RoleBinding", "doce-operator-election");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert_eq!(binding["subjects"][0]["name"], account["metadata"]["name"]);
}

#[test]
fn the_sweep_may_only_list_the_objects_that_reference_images_and_write_its_list_of_lost_ones() {
    let all = documents(&read("manifests/install.yaml"));
    let of = |kind: &str| {
        all.iter()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == "doce-operator-sweep")
    };
    let expected = ["apps/controllerrevisions list", "batch/jobs list", "doce.dev/projectdeployments list"];
    assert_eq!(rights(of("ClusterRole").unwrap()), BTreeSet::from(expected.map(str::to_owned)));
    let list = |object: &&Value| object["metadata"]["name"] == "doce-operator-lost-images";
    let role = all.iter().filter(list).find(|object| object["kind"] == "Role").unwrap();
    assert_eq!(role["rules"].as_sequence().unwrap().len(), 1);
    assert_eq!(role["rules"][0]["resourceNames"][0], "doce-operator-lost-images");
    assert_eq!(rights(role), BTreeSet::from(["/configmaps get", "/configmaps patch"].map(str::to_owned)));
    let pod = &of("CronJob").unwrap()["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], "doce-operator-sweep");
    assert!(of("ServiceAccount").is_some() && of("ClusterRoleBinding").is_some());
}

#[test]
fn everyone_may_forward_a_port_to_the_registrys_pod_and_to_no_other() {
    let all = documents(&read("manifests/install.yaml"));
    let find = |kind: &str, name: &str| {
        all.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name).unwrap()
    };
    let grants: Vec<&Value> = all
        .iter()
        .filter(|object| object["kind"].as_str().is_some_and(|kind| kind.ends_with("RoleBinding")))
        .filter(|object| {
            object["subjects"].as_sequence().unwrap().iter().any(|subject| subject["kind"] == "Group")
        })
        .collect();
    let [grant] = grants[..] else { panic!("other rights of groups: {grants:?}") };
    assert_eq!(grant["roleRef"]["name"], "doce-source-uploads");
    assert_eq!(grant["subjects"][0]["name"], "system:authenticated");
    let role = find("Role", "doce-source-uploads");
    let expected = ["/configmaps get", "/pods/portforward get", "/pods/portforward create"];
    assert_eq!(rights(role), BTreeSet::from(expected.map(str::to_owned)));
    let pod = &find("ConfigMap", "doce-source-uploads")["data"]["pod"];
    let names: Vec<&Value> =
        role["rules"].as_sequence().unwrap().iter().map(|rule| &rule["resourceNames"]).collect();
    assert_eq!(names[0][0], "doce-source-uploads");
    assert_eq!((&names[1][0], names[1].as_sequence().unwrap().len()), (pod, 1));
    let registry = find("StatefulSet", "doce-operator-registry");
    assert_eq!(registry["spec"]["replicas"], 1);
    assert_eq!(*pod, "doce-operator-registry-0");
}

#[test]
fn the_registry_is_unreachable_except_through_the_proxy_that_asks_for_a_token() {
    let all = documents(&read("manifests/install.yaml"));
    let of = |kind: &str, name: &str| {
        let found = all.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name} in manifests/install.yaml"))
    };
    for service in all.iter().filter(|object| object["kind"] == "Service") {
        assert_eq!(service["spec"]["type"], "ClusterIP");
    }
    let proxy = &of("DaemonSet", "doce-operator-registry-proxy")["spec"]["template"]["spec"];
    assert_eq!(proxy["hostNetwork"], true);
    assert_eq!(proxy["automountServiceAccountToken"], false);
    let env = proxy["containers"][0]["env"].as_sequence().unwrap();
    let set =
        |name: &str| env.iter().find(|variable| variable["name"] == name).map(|variable| &variable["value"]);
    assert!(set("DOCE_REGISTRY_PROXY_ADDRESS").is_none(), "it listens on loopback by default");
    assert!(set("DOCE_REGISTRY_PROXY_REGISTRY").unwrap().as_str().unwrap().ends_with(":5001"));

    let token = &proxy["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"];
    assert_eq!(token["audience"], "doce-registry");

    let registry = &of("StatefulSet", "doce-operator-registry")["spec"]["template"]["spec"];
    assert_eq!(registry["automountServiceAccountToken"], false);
    let [stores, asks] = &registry["containers"].as_sequence().unwrap()[..] else { panic!("{registry:?}") };
    let variable = |container: &Value, name: &str| {
        let env = container["env"].as_sequence().unwrap();
        env.iter().find(|variable| variable["name"] == name).map(|variable| variable["value"].clone())
    };
    assert_eq!(variable(stores, "REGISTRY_HTTP_NET").unwrap(), "unix");
    assert_eq!(variable(stores, "REGISTRY_HTTP_ADDR").unwrap(), "/run/registry/registry.sock");
    assert_eq!(variable(stores, "REGISTRY_HTTP_DEBUG_ADDR").unwrap(), "", "upstream's listens on 5001");
    assert!(stores["ports"].is_null() && stores["volumeMounts"][0]["name"] == "images");
    assert_eq!(
        variable(asks, "DOCE_REGISTRY_PROXY_NODE_ACCOUNT").unwrap(),
        "doce-system:doce-operator-registry-node"
    );
    assert_eq!(
        variable(asks, "DOCE_REGISTRY_PROXY_SWEEP_ACCOUNT").unwrap(),
        "doce-system:doce-operator-sweep"
    );
    assert_eq!(variable(asks, "DOCE_REGISTRY_PROXY_TOKEN_FILE"), None, "it has no login of its own");
    for account in ["doce-operator-registry-node", "doce-operator-sweep"] {
        of("ServiceAccount", account);
    }
    let rules = &of("ClusterRole", "doce-system-doce-operator-registry")["rules"];
    assert_eq!(rules.as_sequence().unwrap().len(), 1);
    assert_eq!(
        (&rules[0]["resources"][0], &rules[0]["verbs"][0]),
        (&"tokenreviews".into(), &"create".into())
    );

    let rules = of("NetworkPolicy", "doce-operator-registry")["spec"]["ingress"].as_sequence().unwrap();
    let [pushes, reads] = &rules[..] else { panic!("{rules:?}") };
    assert_eq!(
        (&pushes["ports"][0]["port"], &reads["ports"][0]["port"]),
        (&"registry".into(), &"read".into())
    );
    let labels = |peer: &Value| peer["podSelector"]["matchLabels"].clone();
    let allowed: Vec<Value> = pushes["from"].as_sequence().unwrap().iter().map(labels).collect();
    assert_eq!(allowed.len(), 3);
    assert_eq!(allowed[0]["doce.dev/role"], "build");
    assert_eq!(allowed[1]["doce.dev/role"], "builder");
    assert_eq!(allowed[2]["app.kubernetes.io/component"], "sweep");
}

#[test]
fn every_pod_of_the_chart_runs_on_linux_on_the_architectures_of_the_image_and_tolerates_no_taint() {
    let values: Value = serde_yaml::from_str(&read("charts/doce-operator/values.yaml")).unwrap();
    let architectures = &values["image"]["architectures"];
    let mut kinds = vec![];
    for object in documents(&read("manifests/install.yaml")) {
        let job = &object["spec"]["jobTemplate"]["spec"];
        let spec = if job.is_null() { &object["spec"]["template"]["spec"] } else { &job["template"]["spec"] };
        if spec["containers"].is_null() {
            continue;
        }
        kinds.push(object["kind"].as_str().unwrap().to_owned());
        assert_eq!(spec["nodeSelector"]["kubernetes.io/os"], "linux", "{object:?}");
        assert!(spec["tolerations"].is_null() && spec["priorityClassName"].is_null(), "{object:?}");
        let terms = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
        let rule = &terms[0]["matchExpressions"][0];
        assert_eq!((&rule["key"], &rule["values"]), (&"kubernetes.io/arch".into(), architectures));
    }
    kinds.sort_unstable();
    assert_eq!(kinds, ["CronJob", "DaemonSet", "Deployment", "Deployment", "StatefulSet"]);
}

#[test]
fn only_the_namespace_of_builds_admits_privileged_pods_and_only_build_pods_reach_it() {
    let all = documents(&read("manifests/install.yaml"));
    let of = |kind: &str, name: &str| {
        let found = all.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name} in manifests/install.yaml"))
    };
    let labels = &of("Namespace", "doce-builds")["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "privileged");
    let service = &of("Service", "doce-builders")["spec"];
    assert_eq!(
        (&service["clusterIP"], &service["selector"]["doce.dev/role"]),
        (&"None".into(), &"builder".into())
    );
    assert_eq!(of("ResourceQuota", "doce-builders")["spec"]["hard"]["pods"], "8");
    let policy = &of("NetworkPolicy", "doce-builders")["spec"];
    assert!(policy["podSelector"].as_mapping().unwrap().is_empty(), "it is for every pod there");
    let rules = policy["ingress"].as_sequence().unwrap();
    let [rule] = &rules[..] else { panic!("{rules:?}") };
    assert_eq!(rule["from"][0]["podSelector"]["matchLabels"]["doce.dev/role"], "build");
    assert_eq!(rule["ports"].as_sequence().unwrap().len(), 1);
}

#[test]
fn build_steps_reach_neither_the_metadata_of_clouds_nor_anything_of_kube_system_but_dns() {
    let all = documents(&read("manifests/install.yaml"));
    let named = |object: &&Value| {
        object["kind"] == "NetworkPolicy" && object["metadata"]["name"] == "doce-builders-egress"
    };
    let policy = all.iter().find(named).expect("the policy");
    assert_eq!(policy["metadata"]["namespace"], "doce-builds");
    let spec = &policy["spec"];
    assert_eq!(spec["podSelector"]["matchLabels"]["doce.dev/role"], "builder");
    assert_eq!(spec["policyTypes"].as_sequence().unwrap(), &["Egress"]);
    let rules = spec["egress"].as_sequence().unwrap();
    let [dns, pods, addresses] = &rules[..] else { panic!("{rules:?}") };
    let ports = dns["ports"].as_sequence().unwrap().iter();
    assert!(dns["to"].is_null() && ports.clone().all(|port| port["port"] == 53), "{dns:?}");
    let selector = &pods["to"][0]["namespaceSelector"]["matchExpressions"][0];
    assert_eq!((&selector["operator"], &selector["values"][0]), (&"NotIn".into(), &"kube-system".into()));
    let blocks: Vec<(&str, Vec<&str>)> = addresses["to"]
        .as_sequence()
        .unwrap()
        .iter()
        .map(|peer| {
            let except = peer["ipBlock"]["except"].as_sequence().unwrap().iter();
            (peer["ipBlock"]["cidr"].as_str().unwrap(), except.map(|cidr| cidr.as_str().unwrap()).collect())
        })
        .collect();
    let expected = [
        ("0.0.0.0/0", vec!["169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32"]),
        ("::/0", vec!["fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128"]),
    ];
    assert_eq!(blocks, expected);
}

#[test]
fn no_template_names_secrets_or_a_wildcard() {
    for path in files(&root().join("charts/doce-operator/templates"), "yaml") {
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.contains("resources: [") || line.contains("verbs: [")) {
            assert!(!line.contains("secrets") && !line.contains('*'), "{}: {line}", path.display());
        }
    }
}

#[test]
fn every_chart_value_is_in_the_schema() {
    let values: Value = serde_yaml::from_str(&read("charts/doce-operator/values.yaml")).unwrap();
    let schema: Value = serde_yaml::from_str(&read("charts/doce-operator/values.schema.json")).unwrap();
    for (name, value) in values.as_mapping().unwrap() {
        let name = name.as_str().unwrap();
        let described = &schema["properties"][name];
        assert!(!described.is_null(), "{name} is not in values.schema.json");
        for (inner, _) in value.as_mapping().into_iter().flatten() {
            let inner = inner.as_str().unwrap();
            let open = described["properties"].is_null();
            assert!(
                open || !described["properties"][inner].is_null(),
                "{name}.{inner} is not in values.schema.json"
            );
        }
    }
    assert!(schema["additionalProperties"] == false);
}

#[test]
fn build_pod_defaults_match_the_chart() {
    let values: Value = serde_yaml::from_str(&read("charts/doce-operator/values.yaml")).unwrap();
    let template = read("charts/doce-operator/templates/deployment.yaml");
    let told = template.lines().find(|line| line.contains("pick .Values.build ")).unwrap();
    let names = told.split('"').filter(|part| part.chars().all(char::is_alphanumeric) && !part.is_empty());
    let told: serde_json::Map<String, serde_json::Value> =
        names.map(|name| (name.to_owned(), serde_json::to_value(&values["build"][name]).unwrap())).collect();
    let told = serde_json::to_string(&told).unwrap();
    assert_eq!(told.parse::<BuildPods>().unwrap(), BuildPods::default(), "{told}");
}

#[test]
fn the_chart_sets_every_operator_setting() {
    let deployment = read("charts/doce-operator/templates/deployment.yaml");
    let config = read("src/config.rs");
    let main = read("src/main.rs");
    let known = config.split("env = \"").skip(1).filter_map(|rest| rest.split('"').next());
    for variable in known.clone().filter(|variable| *variable != "DOCE_PROBE_ADDRESS") {
        assert!(deployment.contains(&format!("name: {variable}\n")), "the chart does not set {variable}");
    }
    let set = deployment.split("- name: DOCE_").skip(1).filter_map(|rest| rest.split('\n').next());
    for name in set {
        let variable = format!("DOCE_{name}");
        assert!(
            known.clone().any(|there| there == variable) || main.contains(&variable),
            "nothing reads {variable}"
        );
    }
}

#[test]
fn crate_chart_and_changelog_have_the_same_version() {
    let chart: Value = serde_yaml::from_str(&read("charts/doce-operator/Chart.yaml")).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    assert!(read("CHANGELOG.md").contains(concat!("## ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn test_cluster_images_match_the_images_in_the_chart() {
    let values: Value = serde_yaml::from_str(&read("charts/doce-operator/values.yaml")).unwrap();
    let recipe = |name: &str| read(&format!("tests/cluster/images/{name}.toml"));
    for (image, name) in [
        (&values["build"]["buildkitImage"], "buildkit"),
        (&values["registry"]["embedded"]["image"], "registry"),
    ] {
        let reference = format!("references = [\"{}\"]", image.as_str().unwrap());
        assert!(
            recipe(name).contains(&reference),
            "tests/cluster/images/{name}.toml builds a different image than {reference}"
        );
    }
    assert!(read("src/config.rs").contains(values["build"]["buildkitImage"].as_str().unwrap()));
}

#[test]
fn the_document_of_the_http_api_is_as_the_code_says() {
    let text = doce_operator::server::document_text().unwrap();
    if std::env::var_os("BLESS").is_some() {
        fs::write(root().join("docs/openapi.json"), &text).unwrap();
    }
    assert!(
        read("docs/openapi.json") == text,
        "docs/openapi.json differs from src/server: run make generate"
    );
}

#[test]
fn the_http_api_may_list_and_watch_projects_and_nothing_else() {
    let all = documents(&read("manifests/install.yaml"));
    let of = |kind: &str| {
        let found = all
            .iter()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == "doce-operator-server");
        found.unwrap_or_else(|| panic!("no {kind} doce-operator-server in manifests/install.yaml"))
    };
    let expected = ["doce.dev/projectdeployments list", "doce.dev/projectdeployments watch"];
    assert_eq!(rights(of("ClusterRole")), BTreeSet::from(expected.map(str::to_owned)));
    let roles = all.iter().filter(|object| {
        let subjects = object["subjects"].as_sequence();
        subjects
            .is_some_and(|subjects| subjects.iter().any(|subject| subject["name"] == "doce-operator-server"))
    });
    let roles: Vec<&str> = roles.map(|binding| binding["roleRef"]["name"].as_str().unwrap()).collect();
    assert_eq!(roles, ["doce-operator-server"], "no other role is bound to it");
    let pod = &of("Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], "doce-operator-server");
    assert!(pod["volumes"].is_null(), "it mounts nothing but its token");
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL");
    assert_eq!(
        (&pod["securityContext"]["runAsNonRoot"], &of("Service")["spec"]["type"]),
        (&true.into(), &"ClusterIP".into())
    );
    assert!(container["resources"]["limits"]["memory"].is_string());
}
