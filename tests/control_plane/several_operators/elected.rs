//! Crashes, stops, rejections, edits and a freeze of the leader.

use std::time::Instant;

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt as _;
use serde_json::json;

use super::{LONG, SHORT, holder, say, transitions, two};
use crate::harness::audit::Audit;
use crate::harness::process::Process;
use crate::harness::{Operator, World, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn only_the_leader_writes_and_another_operator_takes_over_when_it_crashes() {
    let (world, mut audit, a, b) = two("leader-dies", SHORT).await;
    let first = world.serve("shop", prebuilt(1)).await;
    world.nothing_was_written_without_the_lease(&mut audit.clone());
    let led = world.get::<Lease>(&world.lease()).await;
    if transitions(&led) == 0 {
        assert!(b.journal.writes().is_empty(), "{:?}", b.journal.writes());
    }

    // Kill the current leader. After a stall of the machine, it may be the other one.
    let (leads, (other, stays)) = if holder(&led) == Some("a") { (a, ("b", b)) } else { (b, ("a", a)) };
    let died = Instant::now();
    drop(leads);
    world.apply("shop", prebuilt(2)).await;
    let lease = world.until_held_by(other).await;
    say(&format!("takeover from a crashed leader with a lease of {SHORT} s"), died.elapsed());
    assert_eq!(transitions(&lease), transitions(&led) + 1);
    let second = world.until_ready("shop", "True", "Serving").await.status.unwrap();
    say("its work done", died.elapsed());
    assert_eq!(second.previous_version.as_deref(), Some(first.as_str()));
    stays.until_readyz(200, "leading").await;
    world.nothing_was_written_without_the_lease(&mut audit);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_leader_that_stops_releases_the_lease() {
    let (world, mut audit, a, b) = two("leader-stops", LONG).await;
    world.serve("shop", prebuilt(1)).await;
    let asked = Instant::now();
    a.stop().await;
    world.until_held_by("b").await;
    say(&format!("takeover from a stopped leader with a lease of {LONG} s"), asked.elapsed());
    world.serve("shop", prebuilt(2)).await;
    b.until_readyz(200, "leading").await;
    b.stop().await;
    let left = world.get::<Lease>(&world.lease()).await;
    assert_eq!(holder(&left), None, "the last one releases it too");
    world.nothing_was_written_without_the_lease(&mut audit);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_restarted_operator_does_not_wait_for_its_own_lease() {
    let world = World::new("starts-again").await;
    let a = world.candidate("a", LONG).await;
    a.until_readyz(200, "leading").await;
    drop(a);
    let a = world.candidate("a", LONG).await;
    world.serve("shop", prebuilt(1)).await;
    a.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_leader_that_may_not_renew_stops_writing_and_names_the_missing_right() {
    let world = World::new("renewal-refused").await;
    let mut audit = Audit::begin();
    let a = world.candidate("a", SHORT).await;
    world.serve("shop", prebuilt(1)).await;
    a.journal.at_rest().await;

    world.forbid_election("a").await;
    a.until_readyz(503, "Allow the operator's ServiceAccount to get, create and update this Lease").await;
    let (before, looks) = (a.journal.writes().len(), looks(&a));
    world.apply("shop", prebuilt(2)).await;
    let b = world.candidate("b", SHORT).await;
    world.until_held_by("b").await;
    world.until_ready("shop", "True", "Serving").await;
    assert_eq!(a.journal.writes().split_off(before).len(), 0, "{:?}", a.journal.writes());
    assert!(looks < self::looks(&a), "it kept reading the Lease, so it was alive");

    world.allow_election("a").await;
    a.until_readyz(200, "").await;
    b.stop().await;
    world.until_held_by("a").await;
    world.nothing_was_written_without_the_lease(&mut audit);
}

/// Number of requests that an operator made for the Lease.
fn looks(operator: &Operator) -> usize {
    operator.journal.noted().iter().filter(|noted| noted.path.contains("/leases")).count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_leader_whose_renewals_hang_stops_writing() {
    let (world, mut audit, a, b) = two("renewal-hangs", SHORT).await;
    world.serve("shop", prebuilt(1)).await;
    a.journal.hold("/leases");
    a.until_readyz(200, "standby").await;
    a.journal.at_rest().await;
    let before = a.journal.writes().len();
    world.apply("shop", prebuilt(2)).await;
    world.until_held_by("b").await;
    world.until_ready("shop", "True", "Serving").await;
    assert_eq!(a.journal.writes().split_off(before).len(), 0, "{:?}", a.journal.writes());
    b.until_readyz(200, "leading").await;
    world.nothing_was_written_without_the_lease(&mut audit);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_edited_lease_holder_ends_the_lead_until_the_lease_expires() {
    let (world, mut audit, a, b) = two("lease-edited", SHORT).await;
    world.serve("shop", prebuilt(1)).await;
    world.patch::<Lease>(&world.lease(), json!({ "spec": { "holderIdentity": "somebody" } })).await;
    a.until_readyz(200, "standby").await;
    world.apply("shop", prebuilt(2)).await;
    let ours = |lease: Option<&Lease>| matches!(lease.and_then(holder), Some("a" | "b"));
    world.until(&world.lease(), "a or b holds the Lease", ours).await;
    world.until_ready("shop", "True", "Serving").await;
    tokio::select! {
        () = a.until_readyz(200, "leading") => {}
        () = b.until_readyz(200, "leading") => {}
    }
    world.nothing_was_written_without_the_lease(&mut audit);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn deleting_or_labelling_the_lease_keeps_the_leader() {
    let (world, mut audit, a, b) = two("lease-deleted", LONG).await;
    world.serve("shop", prebuilt(1)).await;
    let gone = world.get::<Lease>(&world.lease()).await;
    world.delete::<Lease>(&world.lease()).await;
    let made_anew = |lease: Option<&Lease>| {
        lease.is_some_and(|lease| lease.metadata.uid != gone.metadata.uid && holder(lease) == Some("a"))
    };
    world.until(&world.lease(), "a recreates the Lease", made_anew).await;
    let label = json!({ "metadata": { "labels": { "seen": "yes" } } });
    let labelled = world.patch::<Lease>(&world.lease(), label).await.spec.unwrap();
    let renewed = |lease: Option<&Lease>| {
        let spec = lease.and_then(|lease| lease.spec.as_ref());
        spec.is_some_and(|spec| spec.renew_time > labelled.renew_time)
    };
    let renewed = world.until(&world.lease(), "a renews the Lease", renewed).await;
    assert_eq!((holder(&renewed), renewed.labels().len()), (Some("a"), 1));
    world.serve("shop", prebuilt(2)).await;
    assert!(b.journal.writes().is_empty(), "{:?}", b.journal.writes());
    a.until_readyz(200, "leading").await;
    world.nothing_was_written_without_the_lease(&mut audit);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_process_frozen_past_its_lease_writes_nothing_until_it_leads_again() {
    let world = World::new("frozen").await;
    let mut audit = Audit::begin();
    world.allow_election("a").await;
    let a = Process::start(&world, "a", SHORT);
    let names: Vec<String> = (0..4).map(|number| format!("shop-{number}")).collect();
    for name in &names {
        world.apply(name, prebuilt(1)).await;
    }
    for name in &names {
        world.until_ready(name, "True", "Serving").await;
    }
    a.freeze().await;
    let b = world.candidate("b", SHORT).await;
    world.until_held_by("b").await;
    drop(b);
    for name in &names {
        world.apply(name, prebuilt(2)).await; // Work for an operator that resumes and still believes that it leads.
    }
    let before = world.nothing_was_written_without_the_lease(&mut audit.clone()).len();
    a.thaw().await;
    world.until_held_by("a").await;
    for name in &names {
        world.until_ready(name, "True", "Serving").await;
    }
    let asked = world.nothing_was_written_without_the_lease(&mut audit);
    let by_a = asked[before..].iter().filter(|(user, _)| *user == world.user(Some("a")));
    let by_a: Vec<&str> = by_a.map(|(_, asked)| asked.resource.as_str()).collect();
    assert!(by_a.contains(&"leases") && by_a.contains(&"deployments"), "{by_a:?}");
    assert_eq!(world.list::<ProjectDeployment>().await.len(), names.len());
}
