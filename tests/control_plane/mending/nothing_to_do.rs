//! Without drift, the operator writes nothing.

use k8s_openapi::api::batch::v1::Job;
use serde_json::json;

use super::{two_versions, writes_to_shop};
use crate::harness::stories;
use crate::harness::{Operator, World, branch, commit, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_new_operator_writes_nothing_to_settled_projects() {
    for story in [
        &stories::BRANCH_MOVES,
        &stories::BUILD_FAILURE,
        &stories::NEVER_READY,
        &stories::ROLLBACK,
        &stories::RESTART,
    ] {
        let world = World::new(&format!("restarted-{}", story.name)).await;
        let operator = Operator::start(&world).await;
        if let Some(before) = story.before {
            before(&world).await;
        }
        (story.then)(&world).await;
        world.with_canary().await;
        operator.stop().await;
        let second = Operator::start(&world).await;
        world.looked().await;
        second.journal.at_rest().await;
        assert_eq!(writes_to_shop(&second, 0), Vec::<String>::new(), "{}", story.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_same_spec_causes_no_write_and_an_edit_without_effect_causes_one() {
    let (world, operator, picture) = two_versions("same-again").await;
    let before = operator.journal.writes().len();
    world.apply("shop", prebuilt(2)).await;
    world.looked().await;
    operator.journal.at_rest().await;
    assert_eq!(writes_to_shop(&operator, before), Vec::<String>::new());
    let before = operator.journal.writes().len();
    let mut spec = prebuilt(2);
    spec["history"] = json!({ "limit": 9 });
    let applied = world.apply("shop", spec).await;
    assert_eq!(applied.metadata.generation, Some(3));
    world.until_ready("shop", "True", "Serving").await;
    operator.journal.at_rest().await;
    let written = writes_to_shop(&operator, before);
    assert!(written.len() == 1 && written[0].ends_with("/projectdeployments/shop/status"), "{written:?}");
    assert_eq!(world.picture("shop").await, picture);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn the_same_source_is_not_built_twice() {
    for (story, spec) in [(&stories::FIRST_DEPLOY, commit(1)), (&stories::BRANCH_MOVES, branch("main"))] {
        let world = World::new(&format!("same-source-{}", story.name)).await;
        let operator = Operator::start(&world).await;
        world.with_canary().await;
        (story.then)(&world).await;
        let jobs = world.children::<Job>("shop").await.len();
        operator.journal.at_rest().await;
        let before = operator.journal.writes().len();
        world.apply("shop", spec).await;
        world.looked().await;
        operator.journal.at_rest().await;
        assert_eq!(writes_to_shop(&operator, before), Vec::<String>::new(), "{}", story.name);
        assert_eq!(world.children::<Job>("shop").await.len(), jobs);
    }
}
