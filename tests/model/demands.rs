//! The effect that a single event must have on a settled project if nothing else happens: requests take effect,
//! rejections change nothing, a rollback builds nothing. Nature has no demands to meet.

use doce_operator::crd::annotations::{RequestKind, requests};
use doce_operator::reconcile::observed::Child;
use doce_operator::reconcile::target::{Pin, previous, target};

use super::cluster::Cluster;
use super::event::{Event, Which};
use super::observe::observe;
use super::play::Violation;

/// A condition that must hold when the project has settled again.
pub(crate) enum Demand {
    /// This version is in place, without a build.
    GoneBackTo(String),
    /// This version serves.
    Serves(String),
    /// The version in place has new pods, and they serve.
    Restarted(Option<String>),
    /// The version in place has new pods.
    TriedAgain(Option<String>),
    /// The same version is in place.
    Unmoved(Option<String>),
}

impl Demand {
    /// The demand of `event` in this state, if any.
    pub(crate) fn of(cluster: &Cluster, event: Event) -> Option<Self> {
        let kept_from = cluster.server.refuses.iter().any(|(child, _)| *child != Child::Service);
        if cluster.project.stopped() || cluster.ledger.is_none() || kept_from {
            return None; // Only a rejected Service blocks nothing else.
        }
        match event {
            Event::Rollback(which) => Self::of_rollback(cluster, which),
            Event::Retry => Self::of_retry(cluster),
            Event::Restart => {
                let version = cluster.in_place()?;
                let recorded = cluster.records.get(version).is_some_and(|record| record.image.is_some());
                let live = recorded && cluster.memory().state(version).live.is_some();
                let can = live && cluster.complete() && cluster.nature.is_good(version);
                can.then(|| {
                    Self::Restarted(
                        cluster.deployment.as_ref().and_then(|deployment| deployment.template.stamp.clone()),
                    )
                })
            }
            Event::CancelNothing
            | Event::RequestsVanish
            | Event::EditTemplate
            | Event::RolloutRestart
            | Event::Orphan
            | Event::EditService
            | Event::SweepJobs
            | Event::StripMarks(_)
            | Event::FixedPort(_)
            | Event::NoPort
            | Event::LoseService(_)
            | Event::Refuse(..) => Some(Self::Unmoved(cluster.in_place().map(str::to_owned))),
            Event::RequestsPutBack => {
                let back = requests(cluster.first_requests.as_ref()?);
                let ledger = cluster.memory();
                let known = back.iter().all(|(verb, value)| !ledger.is_new(*verb, value));
                known.then(|| Self::Unmoved(cluster.in_place().map(str::to_owned)))
            }
            _ => None,
        }
    }

    fn of_rollback(cluster: &Cluster, which: Which) -> Option<Self> {
        let ledger = cluster.memory();
        let now = target(&cluster.project, &observe(cluster));
        let unmoved = || Self::Unmoved(cluster.in_place().map(str::to_owned));
        let target = match which {
            Which::Usual => previous(&ledger, &observe(cluster), cluster.in_place()),
            Which::Nth(nth) => cluster.records.keys().nth(usize::from(nth)).cloned(),
            Which::InPlace => cluster.in_place().map(str::to_owned),
            Which::Own => now.from_spec.as_ref().map(|from_spec| from_spec.version.clone()),
            Which::Failed => {
                cluster.records.keys().find(|version| ledger.state(version).failed.is_some()).cloned()
            }
            Which::Unknown => None,
        };
        let built =
            |version: &String| cluster.records.get(version).is_some_and(|record| record.image.is_some());
        if now.held && target.is_some() && target == now.desired && !target.as_ref().is_some_and(built) {
            return None; // The rollback ends the hold; the build may succeed or fail.
        }
        let Some(target) = target.filter(built) else { return Some(unmoved()) };
        if ledger.state(&target).failed.is_some() {
            return Some(unmoved());
        }
        if matches!(now.pin, Pin::Unknown(_)) || now.left.is_none() {
            return None;
        }
        cluster.nature.is_good(&target).then_some(Self::GoneBackTo(target))
    }

    fn of_retry(cluster: &Cluster) -> Option<Self> {
        let target = target(&cluster.project, &observe(cluster)).version?;
        let (ledger, record) = (cluster.memory(), cluster.records.get(&target)?);
        if ledger.state(&target).failed.is_none() || record.image.is_none() {
            return None;
        }
        if cluster.nature.is_good(&target) {
            return Some(Self::Serves(target));
        }
        let stamp = cluster.deployment.as_ref().and_then(|deployment| deployment.template.stamp.clone());
        (cluster.in_place() == Some(&target)).then_some(Self::TriedAgain(stamp))
    }

    /// Checks the settled project.
    pub(crate) fn check(&self, cluster: &Cluster, builds: usize) -> Result<(), Violation> {
        let in_place = cluster.in_place();
        let says = cluster.memory().handled.get(&RequestKind::Rollback).map(|seen| seen.outcome.clone());
        let stamp = cluster.deployment.as_ref().and_then(|deployment| deployment.template.stamp.clone());
        let fails = |oracle: &'static str, what: String| Err(Violation { oracle, what });
        match self {
            Self::GoneBackTo(target) if in_place != Some(target) => {
                fails("a_rollback_takes_effect", format!("{in_place:?} is in place, not {target}: {says:?}"))
            }
            Self::GoneBackTo(_) if builds > 0 => {
                fails("a_rollback_builds_nothing", format!("{builds} builds"))
            }
            Self::Serves(version) if in_place != Some(version) || !cluster.complete() => {
                fails("a_retry_takes_effect", format!("{in_place:?} is in place, not {version}"))
            }
            Self::Restarted(before) if stamp == *before || !cluster.complete() => {
                fails("a_restart_takes_effect", format!("the stamp is {stamp:?}"))
            }
            Self::TriedAgain(before) if stamp == *before => {
                fails("a_retry_takes_effect", format!("the stamp is {stamp:?}"))
            }
            Self::Unmoved(before) if in_place != before.as_deref() => fails(
                "a_rejection_changes_nothing",
                format!("{in_place:?} is in place, not {before:?}: {says:?}"),
            ),
            _ => Ok(()),
        }
    }
}
