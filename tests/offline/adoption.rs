//! Whose a child is: ours, left behind by a project of this name, or a stranger's.

use doce_operator::cluster::ownership::{is_left_behind, is_ours};
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
    (is_ours(&project(), &child), is_left_behind(&project(), &child))
}

fn owner(uid: &str, controller: bool) -> Value {
    json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "somebody", "uid": uid, "controller": controller }])
}

#[test]
fn what_nobody_owns_and_carries_all_our_labels_for_this_very_name_is_taken_over() {
    assert_eq!(whose(&labels(|_| {}), &json!([])), (true, true));
}

#[test]
fn what_somebody_owns_or_lacks_a_label_stays_a_stranger() {
    assert_eq!(whose(&labels(|_| {}), &owner("other", true)), (false, false));
    assert_eq!(
        whose(&labels(|_| {}), &owner("other", false)),
        (false, false),
        "it is garbage once that one goes"
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
fn what_is_ours_is_not_left_behind() {
    assert_eq!(whose(&labels(|labels| labels["doce.dev/uid"] = json!("new")), &json!([])), (true, false));
    assert_eq!(whose(&labels(|_| {}), &owner("new", true)), (true, false));
}
