//! The CEL rules of the CRD, as an API server applies them: which specs it accepts, and which message a rejection has.

use doce_operator::crd::ProjectDeployment;
use serde_json::{Value, json};

/// The errors of the rules for a spec; `None` if they accept it.
fn refusal(spec: &Value) -> Option<String> {
    let object = json!({
        "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "metadata": { "name": "shop" }, "spec": spec,
    });
    let object: ProjectDeployment = serde_json::from_value(object).unwrap();
    kube::core::cel::validate_cel(&object).err().map(|errors| format!("{errors:?}"))
}

fn of_branch(name: &str) -> Option<String> {
    refusal(&json!({ "source": { "git": { "url": "https://git.test/app.git", "ref": { "branch": name } } } }))
}

fn of_run(run: &Value) -> Option<String> {
    refusal(&json!({ "source": { "configMap": { "name": "site" } }, "run": run }))
}

#[test]
fn branch_names_follow_the_rules_of_git() {
    for name in [
        "main",
        "fix/#42-totals",
        "release/1.x",
        "a(b)",
        "100%",
        "dependabot/npm_and_yarn/x-1.0",
        "v1.4.0",
        "a=b",
        "x@y",
    ] {
        assert_eq!(of_branch(name), None, "{name}");
    }
    for name in [
        "-x",
        "a..b",
        "my branch",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[b",
        "a\\b",
        "a@{b",
        "@",
        "a/",
        "a//b",
        ".a",
        "a/.b",
        "a.",
        "a.lock",
        "ümlaut",
    ] {
        let said = of_branch(name).unwrap_or_else(|| panic!("{name} is accepted"));
        assert!(said.contains("spec.source.git.ref.branch must be a branch name"), "{said}");
    }
}

#[test]
fn a_volume_is_one_of_three_kinds_and_mounted_at_a_path() {
    let claim = json!({ "name": "data", "mountPath": "/data", "persistentVolumeClaim": { "name": "shop" } });
    let with = |edit: &dyn Fn(&mut Value)| {
        let mut volume = claim.clone();
        edit(&mut volume);
        of_run(&json!({ "volumes": [volume] }))
    };
    assert_eq!(with(&|_| {}), None);
    assert_eq!(with(&|volume| volume["subPath"] = json!("shop/uploads")), None);
    let refused = |edit: &dyn Fn(&mut Value), words: &str| {
        let said = with(edit).unwrap_or_else(|| panic!("{words}: it is accepted"));
        assert!(said.contains(words), "{said}");
    };
    refused(
        &|volume| volume["secret"] = json!({ "name": "x" }),
        "exactly one of persistentVolumeClaim, secret or configMap",
    );
    refused(
        &|volume| drop(volume.as_object_mut().unwrap().remove("persistentVolumeClaim")),
        "exactly one of",
    );
    for path in ["data", "/", "/a/../b", "/a:b"] {
        refused(&|volume| volume["mountPath"] = json!(path), "mountPath must be an absolute path");
    }
    for path in ["/a", "a/../b", ".."] {
        refused(&|volume| volume["subPath"] = json!(path), "subPath must be a relative path");
    }
    refused(&|volume| volume["name"] = json!("Data"), "name must contain only");
    let secret = json!({ "name": "tls", "mountPath": "/tls", "readOnly": false, "secret": { "name": "x" } });
    assert!(of_run(&json!({ "volumes": [secret] })).unwrap().contains("a secret is always read-only"));
}

#[test]
fn pod_labels_and_annotations_must_be_valid_and_not_reserved() {
    let label = |key: &str, value: &str| of_run(&json!({ "podLabels": { key: value } }));
    assert_eq!(label("example.com/cost-center", "web_1.2"), None);
    assert_eq!(label("team", ""), None);
    for (key, value) in
        [("team", "corner shop"), ("-team", "x"), ("team/", "x"), ("te am", "x"), ("team", "-")]
    {
        assert!(label(key, value).unwrap().contains("spec.run.podLabels: keys and values"), "{key}={value}");
    }
    for key in ["doce.dev/uid", "app.kubernetes.io/name", "pod-template-hash"] {
        assert!(label(key, "x").unwrap().contains("spec.run.podLabels must not contain"), "{key}");
    }
    let annotation = |key: &str| of_run(&json!({ "podAnnotations": { key: "any text, really" } }));
    assert_eq!(annotation("prometheus.io/scrape"), None);
    for key in ["doce.dev/version", "kubectl.kubernetes.io/restartedAt"] {
        assert!(annotation(key).unwrap().contains("spec.run.podAnnotations must not contain"), "{key}");
    }
}

#[test]
fn a_quantity_may_be_a_whole_number_as_in_a_pod() {
    let crd = serde_json::to_value(doce_operator::crd::definition()).unwrap();
    let run =
        &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["run"];
    let limits = &run["properties"]["resources"]["properties"]["limits"]["additionalProperties"];
    assert_eq!(limits["x-kubernetes-int-or-string"], true, "{limits}");
    assert!(limits["type"].is_null(), "{limits}");
}
