//! What one life left behind, and what was found in it.

use std::collections::BTreeMap;

use crate::history::{History, Version};
use crate::wire::Asked;

/// What the invariants look at.
pub(crate) struct Evidence {
    /// Every version of every object.
    pub history: History,
    /// Every request of the operators.
    pub asked: Vec<Asked>,
    /// Namespace of the life.
    pub namespace: String,
    /// How many requests there had been when the project was settled; none where it never was.
    pub settled: Option<usize>,
    /// Objects made by kind in the life without faults; none where the moment of the fault decides how many.
    pub made: Option<BTreeMap<String, usize>>,
    /// In which way the end differs from that of the life without faults; none where it does not.
    pub otherwise: Option<String>,
    /// The operator ended by itself, or something of it panicked.
    pub fell: Option<String>,
}

/// What looking for breaches of one invariant came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finding {
    /// How often it was looked at.
    pub checks: usize,
    /// Each breach in a sentence.
    pub breaches: Vec<String>,
}

impl Finding {
    /// One look.
    pub(crate) fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.checks += 1;
        if !holds {
            self.breaches.push(otherwise());
        }
    }
}

/// The project of the lives.
pub(crate) const PROJECT: &str = "shop";

impl Evidence {
    /// Every version of the project's own resource, in order.
    pub(crate) fn projects(&self) -> impl Iterator<Item = &Version> {
        self.history.of("projectdeployments").filter(|version| version.name == PROJECT)
    }

    /// Every version of the project's ledger, in order.
    pub(crate) fn ledgers(&self) -> impl Iterator<Item = &Version> {
        self.history.of("controllerrevisions").filter(|version| version.name == PROJECT)
    }
}

/// A version that is stopped, as a person wishes, or on its way out.
pub(crate) fn is_to_have_no_pods(project: &Version) -> bool {
    let spec = &project.object["spec"];
    project.is_ending() || spec["state"] == "Stopped" || spec["replicas"] == 0
}

/// It serves, and pods are being added, taken away or replaced.
pub(crate) fn is_changing(project: &Version) -> bool {
    let ready = project.condition("Ready");
    ready["reason"] == "Scaling" || ready["reason"] == "Restarting"
}

/// Ready because it serves, not because it is stopped as asked.
pub(crate) fn is_serving(project: &Version) -> bool {
    project.says("Ready", "True") && project.condition("Ready")["reason"] != "Stopped"
}
