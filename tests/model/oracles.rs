//! Oracles that check every write and every moment. Each is a named function, and none of them uses the decision.
//! Oracles for the ledger, for children and for init commands have their own files.

mod children;
mod init;
mod memory;

use std::collections::{BTreeMap, BTreeSet};

use doce_operator::crd::annotations::RequestKind;
use doce_operator::memory::ledger::{Hold, Ledger};
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::Observed;

use super::cluster::Cluster;
use super::play::Violation;

/// One write and the state it was based on.
pub(crate) struct Write<'a> {
    pub(crate) before: &'a Cluster,
    /// The state that the operator saw: the same as `before` unless its reads were stale.
    pub(crate) seen: &'a Cluster,
    pub(crate) observed: &'a Observed,
    pub(crate) step: &'a Step,
    pub(crate) after: &'a Cluster,
}

/// The memory of the oracles.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Versions that were complete at some time, with any template.
    pub(crate) complete: BTreeSet<String>,
    /// Versions that were unhealthy in place, with the last time.
    pub(crate) ill: BTreeMap<String, i64>,
    /// Requests that were handled: accepted or rejected.
    pub(crate) spent: BTreeSet<(RequestKind, String)>,
    /// The last hold, until another event.
    pub(crate) granted: Option<Hold>,
    /// The port, once one is assigned.
    pub(crate) port: Option<u16>,
    /// The ports that the project has had: the first one and those of its spec.
    pub(crate) ports: BTreeSet<u16>,
    /// The number of started builds.
    pub(crate) builds: usize,
    /// The number of the watched project among those of this name.
    lives: u32,
}

impl Watch {
    /// Notes an event from outside: an earlier accepted request may no longer apply.
    pub(crate) fn event(&mut self, cluster: &Cluster) {
        self.granted = None;
        self.follow(cluster);
    }

    /// Starts over if the project was created again under its name.
    fn follow(&mut self, cluster: &Cluster) {
        if self.lives != cluster.lives {
            let before = std::mem::take(self);
            *self = Self { builds: before.builds, lives: cluster.lives, ..Self::default() };
            if cluster.heir {
                *self = Self { lives: cluster.lives, granted: None, ..before };
            }
        }
    }
}

type Oracle = fn(&Write<'_>, &mut Watch) -> Result<(), String>;

const ORACLES: [(&str, Oracle); 16] = [
    ("the_operator_waits_for_a_namesake_to_go", children::the_operator_waits_for_a_namesake_to_go),
    ("the_ledger_forgets_nothing", memory::the_ledger_forgets_nothing),
    ("only_a_complete_version_becomes_live", memory::only_a_complete_version_becomes_live),
    ("only_an_unhealthy_trial_is_judged", memory::only_an_unhealthy_trial_is_judged),
    ("no_request_is_handled_twice", memory::no_request_is_handled_twice),
    (
        "only_a_request_makes_a_hold_or_lifts_a_verdict",
        memory::only_a_request_makes_a_hold_or_lifts_a_verdict,
    ),
    ("nothing_is_built_twice", children::nothing_is_built_twice),
    ("the_previous_version_is_kept", children::the_previous_version_is_kept),
    ("a_stopped_project_is_left_unchanged", children::a_stopped_project_is_left_unchanged),
    ("the_port_never_changes", children::the_port_never_changes),
    ("a_needed_build_is_not_ended", children::a_needed_build_is_not_ended),
    ("no_version_starts_before_its_init_command_ends", init::no_version_starts_before_its_init_command_ends),
    ("no_two_init_commands_run_at_once", init::no_two_init_commands_run_at_once),
    ("an_init_command_runs_once", init::an_init_command_runs_once),
    ("an_init_command_is_retried_after_a_pause", init::an_init_command_is_retried_after_a_pause),
    ("a_fault_is_retried_after_a_pause", children::a_fault_is_retried_after_a_pause),
];

/// Checks a write.
pub(crate) fn check(write: &Write<'_>, watch: &mut Watch) -> Result<(), Violation> {
    for (oracle, look) in ORACLES {
        look(write, watch).map_err(|what| Violation { oracle, what })?;
    }
    moment(write.before, write.after, watch)
}

/// Checks any change that is not an event.
pub(crate) fn moment(before: &Cluster, after: &Cluster, watch: &mut Watch) -> Result<(), Violation> {
    watch.follow(after);
    if let Some(version) = after.in_place().map(str::to_owned) {
        if after.complete() {
            watch.complete.insert(version.clone());
        } else if after.deployment.as_ref().is_some_and(|deployment| deployment.replicas > 0) {
            let sets = after.sets.iter().filter(|(template, _)| template.version.as_ref() == Some(&version));
            let sick = sets.into_iter().any(|(_, set)| set.pods.iter().any(|pod| pod.sick.is_some()));
            if sick || after.lacks_image(&version) || !after.nature.is_good(&version) {
                watch.ill.insert(version, after.clock);
            }
        }
    }
    no_good_pod_is_lost(before, after).map_err(|what| Violation { oracle: "no_good_pod_is_lost", what })
}

/// While a version is good, its pods end only after as many other pods answer.
fn no_good_pod_is_lost(before: &Cluster, after: &Cluster) -> Result<(), String> {
    if before.project.deleting {
        return Ok(()); // The user wants this.
    }
    let replaces = |cluster: &Cluster| cluster.deployment.as_ref().is_some_and(|there| there.replaces);
    if replaces(before) && replaces(after) {
        return Ok(()); // The user wants this.
    }
    let good = before.sets.iter().filter(|(template, _)| {
        template
            .version
            .as_deref()
            .is_some_and(|version| before.nature.health(version) == super::nature::Health::Good)
    });
    let pods = good.flat_map(|(_, set)| &set.pods).filter(|pod| pod.ready.is_some() && pod.sick.is_none());
    let scaled = before.deployment.as_ref().map_or(0, |deployment| deployment.replicas);
    let wished = usize::try_from(after.project.replicas).unwrap_or(0).min(scaled);
    let (needed, there) = (pods.count().min(wished), after.ready());
    if there < needed {
        Err(format!("{needed} good pods answered and are needed, {there} remain"))
    } else {
        Ok(())
    }
}

/// The ledger before and after, if it existed and this write changed it.
fn ledgers(write: &Write<'_>) -> Option<(Ledger, Ledger)> {
    let ((before, was), (after, is)) = (write.before.ledger.clone()?, write.after.ledger.clone()?);
    (was != is).then_some((before, after))
}
