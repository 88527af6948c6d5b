//! Stories of the project `shop`. A story waits only for what must happen with any operator, and ends when everything
//! is settled.

use doce_operator::crd::ProjectDeployment;
use doce_operator::protocol::report::{Failed, Stage};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;

use super::builds::failed;
use super::reading::version_of;
use super::{Built, World, behaving, branch, commit, condition, is, prebuilt};

/// A part of a story.
pub(crate) type Part = for<'a> fn(&'a World) -> BoxFuture<'a, ()>;

/// A story of the project `shop`.
pub(crate) struct Story {
    /// Used in names and messages.
    pub name: &'static str,
    /// The beginning, with an undisturbed operator.
    pub before: Option<Part>,
    /// The rest, whatever happens to the operator.
    pub then: Part,
}

pub(crate) const FIRST_DEPLOY: Story =
    Story { name: "first-deploy", before: None, then: |world| first_build(world).boxed() };

pub(crate) const BRANCH_MOVES: Story =
    Story { name: "branch-moves", before: None, then: |world| branch_moves(world).boxed() };

pub(crate) const NEW_VERSION: Story = Story {
    name: "new-version",
    before: Some(|world| first_build(world).boxed()),
    then: |world| {
        async {
            world.apply("shop", commit(2)).await;
            world.finish_build(Built::default()).await;
            world.settled_as("True", "Serving", 2, 2).await;
        }
        .boxed()
    },
};

pub(crate) const ROLLBACK: Story = Story {
    name: "rollback",
    before: Some(|world| {
        async {
            image(world, 1).await;
            image(world, 2).await;
        }
        .boxed()
    }),
    then: |world| {
        async {
            world.annotate("shop", "doce.dev/rollback", "previous@1").await;
            world.settled_as("True", "Held", 2, 0).await;
        }
        .boxed()
    },
};

pub(crate) const BUILD_FAILURE: Story = Story {
    name: "build-failure",
    before: Some(|world| first_build(world).boxed()),
    then: |world| {
        async {
            world.apply("shop", commit(2)).await;
            world.fail_build(does_not_compile()).await;
            world.settled_as("False", "BuildFailed", 1, 2).await;
        }
        .boxed()
    },
};

pub(crate) const NEVER_READY: Story = Story {
    name: "never-ready",
    before: Some(|world| image(world, 1).boxed()),
    then: |world| fails(world, "never-ready").boxed(),
};

pub(crate) const CRASHING: Story = Story {
    name: "crashing",
    before: Some(|world| image(world, 1).boxed()),
    then: |world| fails(world, "crash").boxed(),
};

pub(crate) const RESTART: Story = Story {
    name: "restart",
    before: Some(|world| image(world, 1).boxed()),
    then: |world| {
        async {
            world.annotate("shop", "doce.dev/restart", "@1").await;
            world
                .until("shop", "the restart is handled", |object: Option<&ProjectDeployment>| {
                    object.is_some_and(|object| {
                        object.status.iter().any(|status| status.handled.contains_key("restart"))
                            && is(object, "Ready", "True", "Serving")
                    })
                })
                .await;
            world.settled_as("True", "Serving", 1, 0).await;
        }
        .boxed()
    },
};

async fn first_build(world: &World) {
    world.apply("shop", commit(1)).await;
    world.finish_build(Built::default()).await;
    world.settled_as("True", "Serving", 1, 1).await;
}

async fn image(world: &World, n: u8) {
    world.apply("shop", prebuilt(n)).await;
    world.settled_as("True", "Serving", usize::from(n), 0).await;
}

async fn branch_moves(world: &World) {
    world.apply("shop", branch("main")).await;
    world.finish_build(Built { commit: Some("a1".repeat(20)), ..Built::default() }).await;
    world.settled_as("True", "Serving", 1, 1).await;
    world.annotate("shop", "doce.dev/deploy", "@1").await;
    world.finish_build(Built { commit: Some("a2".repeat(20)), ..Built::default() }).await;
    world.settled_as("True", "Serving", 2, 2).await;
}

async fn fails(world: &World, how: &str) {
    world.apply("shop", behaving(prebuilt(2), how)).await;
    world.settled_as("False", "RolloutFailed", 1, 0).await;
}

fn does_not_compile() -> Failed {
    let log = "error: no such package".to_owned();
    Failed { log, ..failed(Stage::Build, "BuildFailed", "npm ci ended with exit code 1") }
}

impl World {
    /// Waits until `shop` has this condition, this many ReplicaSets, one app pod, this many Jobs, all ended, and until
    /// the operator has no work left with it: its status is not Reconciling and has the version of the Deployment.
    pub(crate) async fn settled_as(&self, status: &str, reason: &str, sets: usize, jobs: usize) {
        self.until_labelled::<ReplicaSet>("doce.dev/project=shop", &format!("{sets} ReplicaSets"), |there| {
            there.len() == sets
        })
        .await;
        self.until_ready("shop", status, reason).await;
        self.until_labelled::<ReplicaSet>(
            "doce.dev/project=shop",
            &format!("{sets} ReplicaSets, settled"),
            |there| there.len() == sets,
        )
        .await;
        self.until_labelled::<Pod>("doce.dev/project=shop,doce.dev/role=app", "one pod", |there| {
            there.len() == 1
        })
        .await;
        let ended =
            |job: &Job| job.status.iter().any(|status| status.succeeded.is_some() || status.failed.is_some());
        self.until_labelled::<Job>(
            "doce.dev/project=shop",
            &format!("{jobs} Jobs that have ended"),
            |there| there.len() == jobs && there.iter().all(ended),
        )
        .await;
        let in_place = version_of(&self.api::<Deployment>().get("shop").await.unwrap());
        let what = format!("it is {reason} with {in_place} and not Reconciling");
        let (status, reason) = (status.to_owned(), reason.to_owned());
        self.until("shop", &what, move |object: Option<&ProjectDeployment>| {
            object.is_some_and(|object| {
                is(object, "Ready", &status, &reason)
                    && condition(object, "Reconciling").is_none()
                    && object.status.iter().any(|there| there.version.as_deref() == Some(&in_place))
            })
        })
        .await;
    }
}
