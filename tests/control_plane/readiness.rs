//! `/readyz` tells whether the operator sees what changes.

use kube::client::ClientBuilder;

use crate::harness::{Operator, Options, World, prebuilt};

/// Path of the resource that the operator deploys.
const PROJECTS: &str = "/projectdeployments";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_operator_without_the_list_of_projects_is_not_ready_and_names_it() {
    let world = World::new("ready-first").await;
    let mut held = None;
    let operator = Operator::start_through(&world, Options::default(), |config, journal| {
        held = Some(journal.pause(PROJECTS));
        ClientBuilder::try_from(config).unwrap().with_layer(journal).build()
    })
    .await;
    let mut held = held.unwrap();
    held.reached().await;
    operator.until_readyz(503, "the first list of ProjectDeployments is not complete").await;
    held.release();
    operator.until_readyz(200, "leading").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_operator_whose_watch_of_projects_breaks_is_not_ready_until_it_works_again() {
    let world = World::new("ready-later").await;
    let operator = Operator::start(&world).await;
    operator.until_readyz(200, "leading").await;
    // The API server ends the watch after a minute, and its restart gets no answer.
    let held = operator.journal.pause(PROJECTS);
    operator.until_readyz(503, "the watch of ProjectDeployments has been silent for").await;
    assert!(operator.runs(), "it goes on with what it knows");
    held.release();
    operator.until_readyz(200, "leading").await;
    world.serve("shop", prebuilt(1)).await;
}
