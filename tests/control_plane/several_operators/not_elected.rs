//! Two operators that both lead. Only guards and compare-and-swap prevent harm.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;

use crate::harness::door::Noted;
use crate::harness::stories::{FIRST_DEPLOY, NEW_VERSION, ROLLBACK, Story};
use crate::harness::{Operator, Options, Picture, World};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn two_operators_deploy_like_one() {
    both_as_one(&FIRST_DEPLOY).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn two_operators_roll_out_a_new_version_like_one() {
    both_as_one(&NEW_VERSION).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn two_operators_roll_back_like_one() {
    both_as_one(&ROLLBACK).await;
}

async fn both_as_one(story: &Story) {
    let one = alone(story).await;
    let world = World::new(&format!("both-{}", story.name)).await;
    begin(story, &world).await;
    let generation = world.generation().await;
    let named = |name| Options { name: Some(name), ..Options::default() };
    let a = Operator::start_with(&world, named("a")).await;
    let b = Operator::start_with(&world, named("b")).await;
    for operator in [&a, &b] {
        operator.until_readyz(200, "leading").await;
    }
    (story.then)(&world).await;
    world.until_picture("shop", &one.picture, story.name).await;
    for operator in [&a, &b] {
        operator.journal.at_rest().await;
    }
    let writes = [("a", a.journal.writes()), ("b", b.journal.writes())];
    world.with_canary().await;
    assert_eq!(world.picture("shop").await, one.picture, "{}: not settled", story.name);

    let both: Vec<Noted> = writes.iter().flat_map(|(_, writes)| writes.clone()).collect();
    assert_eq!(created(&both), created(&one.writes), "{}: created objects", story.name);
    let templates = world.generation().await - generation;
    assert!(templates <= 1, "{}: the Deployment was changed {templates} times", story.name);
    for (name, writes) in writes {
        let lost = writes.iter().filter(|write| write.status == 409).count();
        println!("{}: {name} made {} writes, {lost} of them lost a race", story.name, writes.len());
        assert!(!writes.is_empty(), "{name} did nothing, so the test proves nothing");
    }
}

/// The same story with one operator: its end and its writes.
struct Alone {
    picture: Picture,
    writes: Vec<Noted>,
}

async fn alone(story: &Story) -> Alone {
    let world = World::new(&format!("alone-{}", story.name)).await;
    begin(story, &world).await;
    let operator = Operator::start(&world).await;
    (story.then)(&world).await;
    let picture = world.picture("shop").await;
    operator.journal.at_rest().await;
    let writes = operator.journal.writes();
    world.with_canary().await;
    assert_eq!(world.picture("shop").await, picture, "{}: not settled", story.name);
    Alone { picture, writes }
}

async fn begin(story: &Story, world: &World) {
    let Some(before) = story.before else { return };
    let operator = Operator::start(world).await;
    before(world).await;
    operator.stop().await;
}

/// Number of created objects by kind.
fn created(writes: &[Noted]) -> BTreeMap<String, usize> {
    let mut made = BTreeMap::new();
    for write in writes.iter().filter(|write| write.status == 201) {
        let kind = write.path.split('/').skip_while(|part| *part != "namespaces").nth(2);
        *made.entry(kind.unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    made
}

impl World {
    /// Number of writes of the Deployment's spec.
    async fn generation(&self) -> i64 {
        let there = self.api::<Deployment>().get_opt("shop").await.unwrap();
        there.and_then(|deployment| deployment.metadata.generation).unwrap_or(0)
    }
}
