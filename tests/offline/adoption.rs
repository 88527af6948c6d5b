//! Who owns a child: this project, an earlier project of the same name that left it behind, or someone else.

use doce_operator::cluster::ownership::{is_orphan, is_ours};
use doce_operator::crd::ProjectDeployment;
use doce_operator::project::Project;
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Value, json};

fn project() -> Project {
    let object = json!({
        "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
        "metadata": { "name": "shop", "namespace": "n", "uid": "new" },
        "spec": { "source": { "configMap": { "name": "site" } } },
    });
    Project::parse(&serde_json::from_value::<ProjectDeployment>(object).unwrap()).unwrap()
}

fn labels(edit: impl FnOnce(&mut Value)) -> Value {
    let mut labels = json!({
        "app.kubernetes.io/managed-by": "doce-operator", "app.kubernetes.io/name": "shop",
        "doce.dev/project": "shop", "doce.dev/role": "app", "doce.dev/uid": "old",
    });
    edit(&mut labels);
    labels
}

fn whose(labels: &Value, owners: &Value) -> (bool, bool) {
    let metadata = json!({ "name": "shop", "namespace": "n", "labels": labels, "ownerReferences": owners });
    let child: Deployment = serde_json::from_value(json!({ "metadata": metadata })).unwrap();
    (is_ours(&project(), &child), is_orphan(&project(), &child))
}

fn owner(uid: &str, controller: bool) -> Value {
    json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "somebody", "uid": uid, "controller": controller }])
}

#[test]
fn an_unowned_child_with_all_labels_of_this_project_name_is_adopted() {
    assert_eq!(whose(&labels(|_| {}), &json!([])), (true, true));
}

#[test]
fn an_owned_or_partly_labelled_child_is_not_adopted() {
    assert_eq!(whose(&labels(|_| {}), &owner("other", true)), (false, false));
    assert_eq!(
        whose(&labels(|_| {}), &owner("other", false)),
        (false, false),
        "Kubernetes deletes it with that owner"
    );
    for key in ["app.kubernetes.io/managed-by", "doce.dev/project", "doce.dev/role", "doce.dev/uid"] {
        let without = labels(|labels| drop(labels.as_object_mut().unwrap().remove(key)));
        assert_eq!(whose(&without, &json!([])), (false, false), "without {key}");
    }
    assert_eq!(
        whose(&labels(|labels| labels["doce.dev/project"] = json!("cart")), &json!([])),
        (false, false)
    );
}

#[test]
fn a_child_of_this_project_does_not_count_as_left_behind() {
    assert_eq!(whose(&labels(|labels| labels["doce.dev/uid"] = json!("new")), &json!([])), (true, false));
    assert_eq!(whose(&labels(|_| {}), &owner("new", true)), (true, false));
}
