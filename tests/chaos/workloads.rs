//! The lives that faults hit: the stories of the harness, and those that only faults make interesting.

use doce_operator::crd::ProjectDeployment;
use doce_operator::protocol::order::Profile;
use futures::FutureExt as _;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::harness::cleanups::{outside, suspended};
use crate::harness::inits::migrating;
use crate::harness::stories::{self, Part, Story};
use crate::harness::{Built, World, behaving, commit, prebuilt};

/// A life of the project `shop`.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    /// Its name in plans.
    pub name: &'static str,
    /// The beginning, with an undisturbed operator.
    pub before: Option<Part>,
    /// The part that faults disturb.
    pub then: Part,
    /// How its builds run.
    pub profile: Profile,
    /// True if a user deletes the project when a fault strikes, or at the end.
    pub deleted_when_struck: bool,
}

/// All workloads.
pub(crate) fn all() -> Vec<Workload> {
    let told = |story: &Story| Workload {
        name: story.name,
        before: story.before,
        then: story.then,
        profile: Profile::Rootless,
        deleted_when_struck: false,
    };
    let stories = [
        &stories::FIRST_DEPLOY,
        &stories::NEW_VERSION,
        &stories::BUILD_FAILURE,
        &stories::BRANCH_MOVES,
        &stories::NEVER_READY,
        &MENDED,
        &stories::ROLLBACK,
        &HOLD_ENDED,
        &STOP_AND_START,
        &stories::RESTART,
        &DELETE,
        &RECREATE,
        &IMAGE_GOES,
        &INIT_COMMAND,
    ];
    let early = Workload { name: "deleted-early", deleted_when_struck: true, ..told(&stories::FIRST_DEPLOY) };
    let isolated = Workload { profile: Profile::Isolated, ..told(&ISOLATED) };
    stories.into_iter().map(told).chain([early, isolated]).collect()
}

/// A version crashes, and a good one follows.
const MENDED: Story = Story {
    name: "mended",
    before: Some(|world| serves(world, 1, 1).boxed()),
    then: |world| {
        async {
            world.apply("shop", behaving(prebuilt(2), "crash")).await;
            world.settled_as("False", "RolloutFailed", 1, 0).await;
            serves(world, 3, 2).await;
        }
        .boxed()
    },
};

/// A rollback holds until a third version is live.
const HOLD_ENDED: Story = Story {
    name: "hold-ended",
    before: Some(|world| {
        async {
            serves(world, 1, 1).await;
            serves(world, 2, 2).await;
            world.annotate("shop", "doce.dev/rollback", "previous@1").await;
            world.settled_as("True", "Held", 2, 0).await;
        }
        .boxed()
    }),
    then: |world| serves(world, 3, 2).boxed(),
};

const STOP_AND_START: Story = Story {
    name: "stop-and-start",
    before: Some(|world| serves(world, 1, 1).boxed()),
    then: |world| {
        async {
            let mut stopped = prebuilt(1);
            stopped["state"] = json!("Stopped");
            world.apply("shop", stopped).await;
            world.until_ready("shop", "True", "Stopped").await;
            let pods = "doce.dev/project=shop";
            world.until_labelled::<Pod>(pods, "no pods", <[_]>::is_empty).await;
            serves(world, 1, 1).await;
        }
        .boxed()
    },
};

const DELETE: Story = Story {
    name: "delete",
    before: Some(|world| serves(world, 1, 1).boxed()),
    then: |world| {
        async {
            world.delete::<ProjectDeployment>("shop").await;
            world.until_nothing_of("shop").await;
        }
        .boxed()
    },
};

/// A new project gets the name of one that is still being deleted.
const RECREATE: Story = Story {
    name: "recreate",
    before: Some(|world| {
        async {
            serves(world, 1, 1).await;
            serves(world, 2, 2).await;
        }
        .boxed()
    }),
    then: |world| {
        async {
            world.delete::<ProjectDeployment>("shop").await;
            serves(world, 3, 1).await;
        }
        .boxed()
    },
};

/// The operator builds a third version and deletes the first image from a registry of your own.
const IMAGE_GOES: Story = Story {
    name: "image-goes",
    before: Some(|world| {
        async {
            world.apply("shop", outside(1)).await;
            let first = world.finish_build(Built::default()).await;
            world.settled_as("True", "Serving", 1, 1).await;
            world.apply("shop", outside(2)).await;
            world.finish_build(Built::default()).await;
            world.settled_as("True", "Serving", 2, 2).await;
            world.delete::<Job>(&first).await; // Like its TTL: a record may be created from an existing Job.
        }
        .boxed()
    }),
    then: |world| {
        async {
            world.apply("shop", outside(3)).await;
            world.finish_build(Built::default()).await;
            world.until_cleanup("the Job has started", |job| !suspended(job)).await;
            world.end_cleanup("Succeeded").await;
            world.settled_as("True", "Serving", 2, 3).await;
        }
        .boxed()
    },
};

/// The next version has an init command.
const INIT_COMMAND: Story = Story {
    name: "init-command",
    before: Some(|world| serves(world, 1, 1).boxed()),
    then: |world| {
        async {
            world.apply("shop", migrating(2)).await;
            let pod = world.init_pod("").await;
            world.end_init(&pod, 0, "").await;
            world.settled_as("True", "Serving", 2, 1).await;
        }
        .boxed()
    },
};

/// The first deploy with a builder pod, which is lost once.
const ISOLATED: Story = Story {
    name: "isolated",
    before: None,
    then: |world| {
        async {
            let builds = world.builds().await;
            world.apply("shop", commit(1)).await;
            let (build, _) = world.running_build().await;
            let labels = format!("doce.dev/build-uid={}", build.uid().unwrap());
            let lives =
                |pod: &Pod| pod.status.iter().any(|status| status.phase.as_deref() == Some("Running"));
            let of_build = |what| builds.until_labelled::<Pod>(&labels, what, |pods| pods.iter().any(lives));
            let lost = of_build("a builder pod").await.remove(0).name_any();
            let failed = Patch::Merge(json!({ "status": { "phase": "Failed" } }));
            builds.api::<Pod>().patch_status(&lost, &PatchParams::default(), &failed).await.unwrap();
            of_build("another builder pod").await;
            world.finish_build(Built::default()).await;
            world.settled_as("True", "Serving", 1, 1).await;
            builds.until_labelled::<Job>("doce.dev/role=builder", "no Job is left", <[_]>::is_empty).await;
            builds.leave().await;
        }
        .boxed()
    },
};

async fn serves(world: &World, n: u8, sets: usize) {
    world.apply("shop", prebuilt(n)).await;
    world.settled_as("True", "Serving", sets, 0).await;
}
