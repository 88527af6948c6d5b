//! Status and children that a user deletes or edits are restored. Fields that others add stay. Without drift, the
//! operator writes nothing.

#[path = "mending/altered.rs"]
mod altered;
#[path = "mending/changed_since.rs"]
mod changed_since;
#[path = "mending/deleted.rs"]
mod deleted;
#[path = "mending/edited.rs"]
mod edited;
#[path = "mending/nothing_to_do.rs"]
mod nothing_to_do;
#[path = "mending/status.rs"]
mod status;
#[path = "mending/stripped.rs"]
mod stripped;

use std::sync::atomic::{AtomicU32, Ordering};

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::Value;

use crate::harness::{Kind, Operator, Picture, World, prebuilt};

/// `shop` runs its second version and can roll back to the first. Its pods have been restarted once.
async fn two_versions(test: &str) -> (World, Operator, Picture) {
    let world = World::new(test).await;
    let operator = Operator::start(&world).await;
    world.with_canary().await;
    for n in [1, 2] {
        world.apply("shop", prebuilt(n)).await;
        world.settled_as("True", "Serving", usize::from(n), 0).await;
    }
    world.annotate("shop", "doce.dev/restart", "@1").await;
    world.until("shop", "its pods have restarted", restarted).await;
    world.settled_as("True", "Serving", 2, 0).await;
    let picture = world.picture("shop").await;
    assert!(picture.ports_agree, "{picture:#?}");
    operator.journal.at_rest().await;
    (world, operator, picture)
}

fn restarted(object: Option<&ProjectDeployment>) -> bool {
    object.is_some_and(|object| {
        let handled = object.status.iter().any(|status| status.handled.contains_key("restart"));
        handled && crate::harness::is(object, "Ready", "True", "Serving")
    })
}

impl World {
    /// Applies a strategic merge patch, like `kubectl edit` and `kubectl patch`.
    async fn edit<K: Kind>(&self, name: &str, patch: Value) -> K {
        self.api::<K>().patch(name, &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap()
    }

    /// Waits until an operator has observed all earlier changes: it handles a request to the canary.
    async fn looked(&self) {
        static REQUESTS: AtomicU32 = AtomicU32::new(0);
        let value = format!("@{}", REQUESTS.fetch_add(1, Ordering::Relaxed));
        self.ask("canary", "deploy", &value).await;
    }

    /// Uids of the app pods.
    pub(crate) async fn pod_uids(&self) -> Vec<String> {
        let pods = self.children::<Pod>("shop").await;
        pods.iter()
            .filter(|pod| pod.labels().get("doce.dev/role").is_some_and(|role| role == "app"))
            .filter_map(kube::ResourceExt::uid)
            .collect()
    }
}

/// The writes for `shop`.
fn writes_to_shop(operator: &Operator, after: usize) -> Vec<String> {
    let writes = operator.journal.writes().split_off(after);
    writes
        .iter()
        .filter(|write| !write.path.contains("canary"))
        .map(|write| format!("{} {}", write.method, write.path))
        .collect()
}
