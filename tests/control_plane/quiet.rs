//! What the operator asks of the API server, counted by the API server: nothing at all while nothing happens, and few
//! writes when something does.

use std::time::Duration;

use doce_operator::crd::ProjectDeployment;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::events::v1::Event;
use serde_json::json;

use crate::harness::audit::{Asked, Audit, tally};
use crate::harness::{Built, Operator, World, commit, prebuilt};

/// How many projects are settled.
const PROJECTS: usize = 200;

/// How long they are looked at.
const WINDOW: Duration = Duration::from_mins(5);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn two_hundred_settled_projects_cause_no_write_and_no_list_or_get_for_five_minutes() {
    let world = World::new("quiet").await;
    let operator = Operator::start(&world).await;
    let names: Vec<String> = (0..PROJECTS).map(|number| format!("shop-{number}")).collect();
    let world = &world;
    for some in names.chunks(20) {
        stream::iter(some)
            .for_each_concurrent(10, |name| async move { drop(world.apply(name, prebuilt(1)).await) })
            .await;
        stream::iter(some)
            .for_each_concurrent(
                10,
                |name| async move { drop(world.until_ready(name, "True", "Serving").await) },
            )
            .await;
    }
    // The last thing that a deploy causes is the event that says so.
    let said = |events: &[Event], reason: &str| {
        events.iter().filter(|event| event.reason.as_deref() == Some(reason)).count()
    };
    world
        .until_list("every project has been told of", |events: &[Event]| said(events, "Serving") >= PROJECTS)
        .await;
    let mut audit = Audit::begin();
    // The one sleep of these tests: a window of observation, in which nothing is waited for.
    tokio::time::sleep(WINDOW).await;
    let asked = audit.asked_by(&operator.user);
    println!("in {WINDOW:?}: {:#?}", tally(&asked));
    let loud: Vec<&Asked> = asked.iter().filter(|asked| asked.verb != "watch").collect();
    assert!(loud.is_empty(), "{:#?}", tally(loud));
    assert!(!asked.is_empty(), "the watches were renewed, so the audit log speaks of this operator");
}

/// Writes since the last look; what is counted beside them is printed.
async fn writes(audit: &mut Audit, operator: &Operator, of: &str) -> Vec<Asked> {
    operator.journal.at_rest().await;
    let asked = audit.asked_by(&operator.user);
    let (beside, counted): (Vec<Asked>, Vec<Asked>) =
        asked.into_iter().filter(Asked::is_write).partition(Asked::is_beside);
    println!("{of}: {} writes {:?}, beside them {:?}", counted.len(), tally(&counted), tally(&beside));
    counted
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
// The bars of the design, section 9. The pods of this test start and the builds end within moments; a status that tells
// of work that takes longer than a second comes on top (docs/decisions/0015).
async fn a_deploy_a_commit_a_rollback_an_edit_and_a_delete_cost_few_writes_and_none_is_refused() {
    let world = World::new("writes").await;
    let operator = Operator::start(&world).await;
    let user = operator.user.clone();
    let mut audit = Audit::begin();
    let mut counted = vec![];

    world.apply("shop", commit(1)).await;
    world.finish_build(Built::default()).await;
    let first = world.until_ready("shop", "True", "Serving").await.status.unwrap().version.unwrap();
    counted.push(("first deploy", 6, writes(&mut audit, &operator, "first deploy").await));

    world.apply("shop", commit(2)).await;
    world.finish_build(Built::default()).await;
    let second = world.until_ready("shop", "True", "Serving").await.status.unwrap();
    assert_eq!(second.previous_version.as_deref(), Some(first.as_str()));
    counted.push(("new commit", 5, writes(&mut audit, &operator, "new commit").await));

    world.annotate("shop", "doce.dev/rollback", "previous@1").await;
    world.until_serving("shop", &first).await;
    counted.push(("rollback", 2, writes(&mut audit, &operator, "rollback").await));

    let edited = world
        .patch::<ProjectDeployment>("shop", json!({ "spec": { "rollout": { "deadlineSeconds": 60 } } }))
        .await;
    assert_eq!(edited.metadata.generation, Some(3));
    world.until_ready("shop", "True", "Held").await;
    counted.push(("edit", 1, writes(&mut audit, &operator, "edit that changes nothing").await));

    world.kubectl(&["delete", "pd/shop", "--timeout=60s"]).await.well();
    world.until_list("no Deployment", |there: &[Deployment]| there.is_empty()).await;
    let mut late = writes(&mut audit, &operator, "delete").await;
    late.retain(|asked| !asked.is_accepted_status()); // A status that was taken came before the delete.
    counted.push(("delete", 0, late));
    operator.stop().await;
    assert_eq!(
        audit.asked_by(&user).iter().filter(|asked| asked.is_write()).count(),
        0,
        "nothing comes late"
    );
    for (of, most, writes) in counted {
        assert!(writes.iter().all(|write| write.code < 300), "{of}: refused: {:#?}", tally(&writes));
        assert!(
            writes.len() <= most,
            "{of}: {} writes, {most} are allowed: {:#?}",
            writes.len(),
            tally(&writes)
        );
    }
}
