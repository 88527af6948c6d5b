//! The operator's requests, counted by the API server: none while nothing happens, and few writes when something does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use doce_operator::crd::ProjectDeployment;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt as _;
use serde_json::json;

use crate::harness::audit::{Asked, Audit, tally};
use crate::harness::{Built, Operator, PATIENCE, World, commit, prebuilt};

/// Number of settled projects.
const PROJECTS: usize = 200;

/// What the operator watches.
const WATCHED: [&str; 10] = [
    "configmaps",
    "controllerrevisions",
    "deployments",
    "events",
    "jobs",
    "networkpolicies",
    "pods",
    "projectdeployments",
    "replicasets",
    "services",
];

/// Every watch of the operator ends and restarts this often during the observation.
const RENEWALS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn two_hundred_settled_projects_cause_no_write_list_or_get() {
    let world = World::new("quiet").await;
    let mut audit = Audit::begin();
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
    // A deploy ends with this event.
    let said = |events: &[Event], reason: &str| {
        events.iter().filter(|event| event.reason.as_deref() == Some(reason)).count()
    };
    world
        .until_list("every project has its event", |events: &[Event]| said(events, "Serving") >= PROJECTS)
        .await;
    let begun = Instant::now();
    let lists: Vec<Asked> =
        audit.asked_by(&operator.user).into_iter().filter(|asked| asked.verb == "list").collect();
    assert!(lists.is_empty(), "the first objects arrive through the watches: {:#?}", tally(&lists));
    let mut asked = vec![];
    while WATCHED.iter().any(|resource| renewals(&asked, resource) < RENEWALS) {
        assert!(begun.elapsed() < PATIENCE, "not every watch was renewed: {:#?}", tally(&asked));
        tokio::time::sleep(Duration::from_secs(1)).await;
        asked.extend(audit.asked_by(&operator.user));
    }
    println!("in {:?}: {:#?}", begun.elapsed(), tally(&asked));
    let loud: Vec<&Asked> = asked.iter().filter(|asked| asked.verb != "watch").collect();
    assert!(loud.is_empty(), "{:#?}", tally(loud));
}

/// Watches of `resource` that ended. The audit log records a watch when it ends.
fn renewals(asked: &[Asked], resource: &str) -> usize {
    asked.iter().filter(|asked| asked.verb == "watch" && asked.resource == resource).count()
}

/// Writes since the last call; nothing was read for them: the caches have everything. It prints the requests that it counts separately.
async fn writes(audit: &mut Audit, operator: &Operator, of: &str) -> Vec<Asked> {
    operator.journal.at_rest().await;
    let asked = audit.asked_by(&operator.user);
    let read: Vec<&Asked> =
        asked.iter().filter(|asked| asked.verb == "get" && asked.resource != "leases").collect();
    assert!(read.is_empty(), "{of}: read: {:#?}", tally(read));
    let writes: Vec<Asked> = asked.into_iter().filter(Asked::is_write).collect();
    assert!(writes.iter().all(|write| write.code < 300), "{of}: rejected: {:#?}", tally(&writes));
    let (beside, counted): (Vec<Asked>, Vec<Asked>) = writes.into_iter().partition(Asked::is_beside);
    println!("{of}: {} writes {:?}, not counted {:?}", counted.len(), tally(&counted), tally(&beside));
    counted
}

/// One operation: its name, the writes it may cost, the writes it made, and its duration.
struct Part {
    of: &'static str,
    cost: Cost,
    writes: Vec<Asked>,
    took: Duration,
}

/// The writes that an operation may cost.
#[derive(Clone, Copy)]
struct Cost {
    /// In total, if no work takes longer than a second.
    most: usize,
    /// Of these, status writes.
    statuses: usize,
}

impl Part {
    /// Longer work updates the status once a second (docs/decisions/0015). Only these extra status writes are allowed,
    /// and none if there is no work to do.
    fn costs_no_more(&self) {
        let Cost { most, statuses } = self.cost;
        let works = most > 1;
        let seconds = if works { usize::try_from(self.took.as_secs()).unwrap() } else { 0 };
        let (told, others): (Vec<&Asked>, Vec<&Asked>) =
            self.writes.iter().partition(|write| write.is_accepted_status());
        for (what, number, allowed) in
            [("statuses", told.len(), statuses + seconds), ("other writes", others.len(), most - statuses)]
        {
            let of = self.of;
            assert!(
                number <= allowed,
                "{of}: {number} {what}, {allowed} are allowed: {:#?}",
                tally(&self.writes)
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
// docs/design.md, section 9, limits these to 6, 5, 2, 1 and 0. This test checks the actual costs.
async fn each_operation_costs_few_writes_and_no_read_and_none_is_rejected() {
    let world = World::new("writes").await;
    let operator = Operator::start(&world).await;
    let user = operator.user.clone();
    let mut audit = Audit::begin();
    let mut parts = vec![];
    let mut part = async |of, (most, statuses), begun: Instant| {
        world.settled().await;
        let writes = writes(&mut audit, &operator, of).await;
        let took = begun.elapsed();
        parts.push(Part { of, cost: Cost { most, statuses }, writes, took });
    };

    let begun = Instant::now();
    world.apply("shop", commit(1)).await;
    world.finish_build(Built::default()).await;
    let first = world.until_ready("shop", "True", "Serving").await.status.unwrap().version.unwrap();
    part("first deploy", (5, 2), begun).await;

    let begun = Instant::now();
    world.apply("shop", commit(2)).await;
    world.finish_build(Built::default()).await;
    let second = world.until_ready("shop", "True", "Serving").await.status.unwrap();
    assert_eq!(second.previous_version.as_deref(), Some(first.as_str()));
    part("new commit", (4, 2), begun).await;

    let begun = Instant::now();
    world.annotate("shop", "doce.dev/rollback", "previous@1").await;
    world.until_serving("shop", &first).await;
    part("rollback", (2, 1), begun).await;

    let begun = Instant::now();
    let edited = world
        .patch::<ProjectDeployment>("shop", json!({ "spec": { "rollout": { "deadlineSeconds": 60 } } }))
        .await;
    assert_eq!(edited.metadata.generation, Some(3));
    world.until_ready("shop", "True", "Held").await;
    part("edit that changes nothing", (1, 1), begun).await;

    world.kubectl(&["delete", "pd/shop", "--timeout=10m"]).await.well();
    world.until_list("no Deployment", |there: &[Deployment]| there.is_empty()).await;
    operator.journal.at_rest().await;
    let mut late: Vec<Asked> = audit.asked_by(&user).into_iter().filter(Asked::is_write).collect();
    late.retain(|asked| !asked.is_beside());
    late.retain(|asked| !asked.is_accepted_status()); // An accepted status write happened before the deletion.
    assert!(late.is_empty(), "delete: {:#?}", tally(&late));
    operator.stop().await;
    let late = audit.asked_by(&user).into_iter().filter(Asked::is_write).count();
    assert_eq!(late, 0, "no late requests");
    parts.iter().for_each(Part::costs_no_more);
}

/// What an operation on a project with a finished image writes, by verb, resource and answer.
struct Exact {
    of: &'static str,
    expected: &'static [(&'static str, usize)],
}

const STATUS: &str = "update projectdeployments/status 200";
const EVENT: &str = "create events 201";

impl Exact {
    /// Longer work updates the status once a second, with an event (docs/decisions/0015). Another test may have the port
    /// that the project tries first. Everything else is counted exactly.
    async fn check(&self, audit: &mut Audit, operator: &Operator, begun: Instant) {
        operator.journal.at_rest().await;
        let took = usize::try_from(begun.elapsed().as_secs()).unwrap();
        let mut asked = audit.asked_by(&operator.user);
        asked.retain(|asked| !matches!(asked.verb.as_str(), "watch" | "list") && asked.resource != "leases");
        let mut made = tally(&asked);
        let expected: BTreeMap<String, usize> =
            self.expected.iter().map(|(write, times)| ((*write).to_owned(), *times)).collect();
        // The recorder adds an event that it published before to its series.
        let series = made.remove("patch events 200").unwrap_or(0);
        *made.entry(EVENT.to_owned()).or_insert(0) += series;
        for repeated in [STATUS, EVENT] {
            if let (Some(made), Some(expected)) = (made.get_mut(repeated), expected.get(repeated)) {
                assert!(*made <= expected + took, "{}: {repeated}: {made} in {took} s", self.of);
                *made = (*made).min(*expected);
            }
        }
        made.remove("patch services 422");
        assert_eq!(made, expected, "{}", self.of);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_deploy_a_change_and_a_rollback_of_an_image_make_exactly_these_requests() {
    let world = World::new("exact").await;
    let operator = Operator::start(&world).await;
    let mut audit = Audit::begin();

    let begun = Instant::now();
    world.apply("shop", prebuilt(1)).await;
    let first = world.until_ready("shop", "True", "Serving").await.status.unwrap().version.unwrap();
    world.settled().await;
    let deploy = Exact {
        of: "first deploy",
        expected: &[
            ("create controllerrevisions 201", 2),
            ("patch deployments 201", 1),
            ("patch services 201", 1),
            ("patch controllerrevisions 200", 1),
            (STATUS, 1),
            (EVENT, 1),
        ],
    };
    deploy.check(&mut audit, &operator, begun).await;

    let begun = Instant::now();
    world.apply("shop", prebuilt(2)).await;
    world.until_ready("shop", "True", "Serving").await;
    world.settled().await;
    let change = Exact {
        of: "image change",
        expected: &[
            ("create controllerrevisions 201", 1),
            ("patch deployments 200", 1),
            ("patch controllerrevisions 200", 1),
            (STATUS, 1),
            (EVENT, 1),
        ],
    };
    change.check(&mut audit, &operator, begun).await;

    let begun = Instant::now();
    world.annotate("shop", "doce.dev/rollback", "previous@1").await;
    world.until_serving("shop", &first).await;
    world.settled().await;
    let rollback = Exact {
        of: "rollback",
        expected: &[
            ("patch deployments 200", 1),
            ("patch controllerrevisions 200", 2),
            (STATUS, 1),
            (EVENT, 2), // The request, and what it led to.
        ],
    };
    rollback.check(&mut audit, &operator, begun).await;
}

impl World {
    /// Waits until the pods of the previous version are gone and the Deployment reports it.
    async fn settled(&self) {
        self.until_list("one pod", |pods: &[Pod]| {
            pods.iter()
                .filter(|pod| pod.labels().get("doce.dev/role").is_some_and(|role| role == "app"))
                .count()
                == 1
        })
        .await;
        self.until("shop", "one replica of the newest template", |deployment: Option<&Deployment>| {
            deployment.is_some_and(|deployment| {
                deployment.status.as_ref().is_some_and(|status| {
                    status.observed_generation == deployment.metadata.generation
                        && status.replicas == Some(1)
                        && status.updated_replicas == Some(1)
                        && status.available_replicas == Some(1)
                })
            })
        })
        .await;
    }
}
