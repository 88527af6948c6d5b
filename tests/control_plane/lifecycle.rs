//! Other parts of a project's life: scaling, history, and an operator upgrade.

use doce_operator::crd::ProjectDeployment;
use doce_operator::crd::status::TriggerKind;
use doce_operator::desired::names;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use crate::harness::{Operator, World, behaving, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_autoscaler_on_the_project_scales_the_pods_undisturbed() {
    let world = World::new("hpa").await;
    let operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    let target = json!({ "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "name": "shop" });
    let scaler: HorizontalPodAutoscaler = serde_json::from_value(json!({
        "metadata": { "name": "shop" },
        "spec": { "scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 5 },
    }))
    .unwrap();
    world.api::<HorizontalPodAutoscaler>().create(&PostParams::default(), &scaler).await.unwrap();
    world
        .until("shop", "three pods serve", |object: Option<&ProjectDeployment>| {
            object.is_some_and(|object| {
                object.spec.replicas == 3 && object.status.as_ref().is_some_and(|it| it.replicas == Some(3))
            })
        })
        .await;
    world.until_ready("shop", "True", "Serving").await;
    operator.journal.at_rest().await;
    let to_spec = |path: &str| path.ends_with("/projectdeployments/shop") || path.ends_with("/scale");
    assert!(operator.journal.writes().iter().all(|write| !to_spec(&write.path)), "users own spec");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn history_records_cause_author_time_and_failure_of_each_version() {
    let world = World::new("history").await;
    let _operator = Operator::start(&world).await;
    let first = world.serve("shop", prebuilt(1)).await;
    let second = world.serve("shop", prebuilt(2)).await;
    world.fail("shop", behaving(prebuilt(3), "crash"), "RolloutFailed").await;
    world.kubectl(&["annotate", "pd/shop", &format!("doce.dev/rollback={first}@1")]).await.well();
    let object = world.until_ready("shop", "True", "Held").await;
    let history = object.status.unwrap().history;
    let entry = |version: &str| history.iter().find(|entry| entry.version == version).unwrap();
    assert_eq!(
        (entry(&first).state.as_str(), entry(&first).trigger),
        ("Serving", Some(TriggerKind::Rollback))
    );
    assert_eq!(entry(&first).by.as_deref(), Some("kubectl-annotate"));
    assert_eq!((entry(&second).state.as_str(), entry(&second).trigger), ("Live", Some(TriggerKind::Apply)));
    assert_eq!(entry(&second).by.as_deref(), Some("test"), "the field manager that applied it");
    let (created, ready) =
        (entry(&second).created_at.clone().unwrap(), entry(&second).ready_at.clone().unwrap());
    assert_eq!(entry(&second).duration_seconds, Some(ready.0.as_second() - created.0.as_second()));
    assert_eq!(entry(&second).reference.as_deref().map(|it| it.starts_with("image ")), Some(true));
    let third = history.iter().find(|entry| entry.state == "Failed").expect("the third failed");
    assert_eq!((third.reason.as_deref(), &third.ready_at), (Some("CrashLoopBackOff"), &None));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_operator_that_renders_another_template_restarts_no_app() {
    let world = World::new("upgrade").await;
    let operator = Operator::start(&world).await;
    let version = world.serve("shop", prebuilt(1)).await;
    operator.stop().await;
    // The state that an older operator recorded and rolled out: one field differs.
    let grace = json!({ "terminationGracePeriodSeconds": 77 });
    let mut record = world
        .list::<ControllerRevision>()
        .await
        .into_iter()
        .find(|object| object.labels().get(names::ROLE).is_some_and(|role| role == names::ROLE_RECORD))
        .unwrap();
    let name = record.name_any();
    let data = &mut record.data.as_mut().unwrap().0;
    data["template"]["spec"]["terminationGracePeriodSeconds"] = json!(77);
    record.metadata.resource_version = None;
    record.metadata.uid = None;
    world.delete::<ControllerRevision>(&name).await;
    world.api::<ControllerRevision>().create(&PostParams::default(), &record).await.unwrap();
    world.patch::<Deployment>("shop", json!({ "spec": { "template": { "spec": grace } } })).await;
    world
        .until("shop", "rolled out", |deployment: Option<&Deployment>| {
            let status = deployment.and_then(|deployment| deployment.status.as_ref());
            deployment.is_some_and(|it| {
                status.is_some_and(|status| {
                    status.observed_generation == it.metadata.generation
                        && status.replicas == Some(1)
                        && status.updated_replicas == Some(1)
                        && status.available_replicas == Some(1)
                })
            })
        })
        .await;
    let uids = |pods: Vec<Pod>| pods.into_iter().filter_map(|pod| pod.uid()).collect::<Vec<_>>();
    let before = uids(world.app_pods().await);
    let upgraded = Operator::start(&world).await;
    world.serve("canary", prebuilt(9)).await;
    world.until_serving("shop", &version).await;
    upgraded.journal.at_rest().await;
    let rolled = upgraded.journal.writes();
    let to_shop = rolled.iter().filter(|write| write.path.ends_with("/deployments/shop")).count();
    assert_eq!((to_shop, uids(world.app_pods_of("shop").await)), (0, before));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_field_that_another_manager_takes_over_is_restored_once() {
    let world = World::new("takeover").await;
    let operator = Operator::start(&world).await;
    let version = world.serve("shop", prebuilt(1)).await;
    operator.journal.at_rest().await;
    let before = operator.journal.writes().len();
    let theirs = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "shop" },
        "spec": { "replicas": 4, "strategy": { "rollingUpdate": { "maxUnavailable": 1 } } },
    });
    let params = PatchParams::apply("somebody-else").force();
    world.api::<Deployment>().patch("shop", &params, &Patch::Apply(theirs)).await.unwrap();
    world
        .until("shop", "replicas is 1 again", |deployment: Option<&Deployment>| {
            deployment.and_then(|it| it.spec.as_ref()).is_some_and(|spec| {
                let rolling = spec.strategy.as_ref().and_then(|strategy| strategy.rolling_update.clone());
                let unavailable = rolling.and_then(|rolling| rolling.max_unavailable);
                spec.replicas == Some(1) && unavailable == Some(IntOrString::Int(0))
            })
        })
        .await;
    world.until_serving("shop", &version).await;
    operator.journal.at_rest().await;
    let writes = operator.journal.writes().split_off(before);
    let accepted = writes.iter().filter(|write| write.status < 300); // A conflict wrote nothing and was retried.
    let to_deployment = accepted.filter(|write| write.path.ends_with("/deployments/shop")).count();
    assert!((1..=2).contains(&to_deployment), "{writes:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn force_deleted_pods_come_back_without_a_verdict() {
    let world = World::new("force").await;
    let _operator = Operator::start(&world).await;
    let version = world.serve("shop", prebuilt(1)).await;
    let pod = world.app_pods().await.remove(0);
    world.kubectl(&["delete", "pod", &pod.name_any(), "--force", "--grace-period=0"]).await.well();
    world.until_list("another pod", |pods: &[Pod]| pods.iter().any(|other| other.uid() != pod.uid())).await;
    let object = world.until_serving("shop", &version).await;
    assert!(object.status.unwrap().history.iter().all(|entry| entry.state == "Serving"));
}

impl World {
    /// App pods of one project that are not being deleted.
    async fn app_pods_of(&self, project: &str) -> Vec<Pod> {
        let pods = self.app_pods().await.into_iter();
        pods.filter(|pod| pod.labels().get(names::PROJECT).is_some_and(|name| name == project)).collect()
    }
}
