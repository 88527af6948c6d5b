//! The lives that faults befall: those of the harness, and those that only faults make interesting.

use doce_operator::crd::ProjectDeployment;
use futures::FutureExt as _;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use crate::harness::cleanups::{outside, suspended};
use crate::harness::inits::migrating;
use crate::harness::stories::{self, Part, Story};
use crate::harness::{Built, World, behaving, prebuilt};

/// A life of the project `shop`.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    /// As plans name it.
    pub name: &'static str,
    /// What happened before, with an operator that nothing befell.
    pub before: Option<Part>,
    /// What happens while faults strike.
    pub then: Part,
    /// A person deletes the project the moment that a fault strikes, or at the end.
    pub deleted_when_struck: bool,
}

/// All of them.
pub(crate) fn all() -> Vec<Workload> {
    let told = |story: &Story| Workload {
        name: story.name,
        before: story.before,
        then: story.then,
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
    stories.into_iter().map(told).chain([early]).collect()
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
            world.until_labelled::<Pod>(pods, "no pod", <[_]>::is_empty).await;
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

/// Another project gets the name of one that is being taken apart still.
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

/// A third version is built, and the first one's image goes from a registry of somebody else.
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
            world.delete::<Job>(&first).await; // As its time would: as long as it is there, a record may be made from it.
        }
        .boxed()
    }),
    then: |world| {
        async {
            world.apply("shop", outside(3)).await;
            world.finish_build(Built::default()).await;
            world.until_cleanup("it was started", |job| !suspended(job)).await;
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

async fn serves(world: &World, n: u8, sets: usize) {
    world.apply("shop", prebuilt(n)).await;
    world.settled_as("True", "Serving", sets, 0).await;
}
