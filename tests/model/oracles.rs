//! Oracles that look at every write and every moment. Each is a function with a name; none of them asks the decision.
//! Those that look at the memory and those that look at the children have files of their own.

mod children;
mod init;
mod memory;

use std::collections::{BTreeMap, BTreeSet};

use doce_operator::crd::annotations::Verb;
use doce_operator::memory::ledger::{Hold, Ledger};
use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::Observed;

use super::cluster::Cluster;
use super::play::Violation;

/// One write, with what it rested on.
pub(crate) struct Write<'a> {
    pub(crate) before: &'a Cluster,
    /// What the operator saw: the same as `before` unless its reads were stale.
    pub(crate) seen: &'a Cluster,
    pub(crate) observed: &'a Observed,
    pub(crate) step: &'a Step,
    pub(crate) after: &'a Cluster,
}

/// What the oracles remember.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Versions that were seen complete, in any template.
    pub(crate) complete: BTreeSet<String>,
    /// Versions that were ill in place, and when last.
    pub(crate) ill: BTreeMap<String, i64>,
    /// Requests that were acted on or refused.
    pub(crate) spent: BTreeSet<(Verb, String)>,
    /// The last hold, until somebody wishes for something else.
    pub(crate) granted: Option<Hold>,
    /// The port, once there was one.
    pub(crate) port: Option<u16>,
    /// The ports that the project has had: the first, and those that its spec asked for.
    pub(crate) ports: BTreeSet<u16>,
    /// Builds that were started.
    pub(crate) builds: usize,
    /// Which of the projects of this name is watched.
    lives: u32,
}

impl Watch {
    /// Something came from outside: what was granted before may be worth nothing now.
    pub(crate) fn event(&mut self, cluster: &Cluster) {
        self.granted = None;
        self.follow(cluster);
    }

    /// A project that is made again under its name is another one.
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
    ("a_namesake_is_waited_for", children::a_namesake_is_waited_for),
    ("the_memory_forgets_nothing", memory::the_memory_forgets_nothing),
    ("live_is_only_what_was_ready", memory::live_is_only_what_was_ready),
    ("a_return_is_never_judged", memory::a_return_is_never_judged),
    ("no_request_is_acted_on_twice", memory::no_request_is_acted_on_twice),
    (
        "only_a_request_makes_a_hold_or_lifts_a_verdict",
        memory::only_a_request_makes_a_hold_or_lifts_a_verdict,
    ),
    ("nothing_is_built_twice", children::nothing_is_built_twice),
    ("what_one_would_go_back_to_is_kept", children::what_one_would_go_back_to_is_kept),
    ("a_stopped_project_is_left_as_it_is", children::a_stopped_project_is_left_as_it_is),
    ("the_port_never_changes", children::the_port_never_changes),
    ("a_build_that_is_wanted_goes_on", children::a_build_that_is_wanted_goes_on),
    ("nothing_starts_before_its_init_command_ended", init::nothing_starts_before_its_init_command_ended),
    ("no_two_init_commands_run_at_once", init::no_two_init_commands_run_at_once),
    ("an_init_command_runs_once", init::an_init_command_runs_once),
    ("a_cause_outside_is_given_its_pause", init::a_cause_outside_is_given_its_pause),
    ("what_passes_is_tried_again_after_a_pause", children::what_passes_is_tried_again_after_a_pause),
];

/// Looks at a write.
pub(crate) fn check(write: &Write<'_>, watch: &mut Watch) -> Result<(), Violation> {
    for (oracle, look) in ORACLES {
        look(write, watch).map_err(|what| Violation { oracle, what })?;
    }
    moment(write.before, write.after, watch)
}

/// Looks at any change that is no event.
pub(crate) fn moment(before: &Cluster, after: &Cluster, watch: &mut Watch) -> Result<(), Violation> {
    watch.follow(after);
    if let Some(version) = after.in_place().map(str::to_owned) {
        if after.complete() {
            watch.complete.insert(version.clone());
        } else if after.deployment.as_ref().is_some_and(|deployment| deployment.replicas > 0) {
            let sets = after.sets.iter().filter(|(template, _)| template.version.as_ref() == Some(&version));
            let sick = sets.into_iter().any(|(_, set)| set.pods.iter().any(|pod| pod.sick.is_some()));
            if sick || !after.nature.is_good(&version) {
                watch.ill.insert(version, after.clock);
            }
        }
    }
    no_service_is_lost(before, after).map_err(|what| Violation { oracle: "no_service_is_lost", what })
}

/// As long as nature keeps a version good, its pods go only when as many others answer.
fn no_service_is_lost(before: &Cluster, after: &Cluster) -> Result<(), String> {
    if before.project.deleting {
        return Ok(()); // So somebody wishes.
    }
    let replaces = |cluster: &Cluster| cluster.deployment.as_ref().is_some_and(|there| there.replaces);
    if replaces(before) && replaces(after) {
        return Ok(()); // So somebody wishes.
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
        Err(format!("{needed} good pods answered and are asked for, {there} are left"))
    } else {
        Ok(())
    }
}

/// The ledger before and after, if this write changed it and there was one.
fn ledgers(write: &Write<'_>) -> Option<(Ledger, Ledger)> {
    let ((before, was), (after, is)) = (write.before.ledger.clone()?, write.after.ledger.clone()?);
    (was != is).then_some((before, after))
}
