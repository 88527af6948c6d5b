//! The record of one life and the findings in it.

use std::collections::BTreeMap;

use crate::history::{History, Version};
use crate::wire::Asked;

/// The input of the invariants.
pub(crate) struct Evidence {
    /// Every version of every object.
    pub history: History,
    /// Every request of the operators.
    pub asked: Vec<Asked>,
    /// Namespace of the life.
    pub namespace: String,
    /// Number of requests until the project was settled; none if it never was.
    pub settled: Option<usize>,
    /// Objects created by kind in the life without faults; none if the moment of the fault decides their number.
    pub made: Option<BTreeMap<String, usize>>,
    /// How the end differs from that of the life without faults; none if it does not.
    pub otherwise: Option<String>,
    /// The operator ended by itself, or it panicked.
    pub fell: Option<String>,
}

/// Result of the checks of one invariant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finding {
    /// Number of checks.
    pub checks: usize,
    /// Each violation in one sentence.
    pub breaches: Vec<String>,
}

impl Finding {
    /// Records one check.
    pub(crate) fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.checks += 1;
        if !holds {
            self.breaches.push(otherwise());
        }
    }
}

/// The project of every life.
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

/// True if a user stopped the project or scaled it to 0, or if it is being deleted.
pub(crate) fn is_to_have_no_pods(project: &Version) -> bool {
    let spec = &project.object["spec"];
    project.is_ending() || spec["state"] == "Stopped" || spec["replicas"] == 0
}

/// True if it serves while Kubernetes adds, removes or replaces pods.
pub(crate) fn is_changing(project: &Version) -> bool {
    let ready = project.condition("Ready");
    ready["reason"] == "Scaling" || ready["reason"] == "Restarting"
}

/// True if it is Ready because it serves, not because it is stopped on request.
pub(crate) fn is_serving(project: &Version) -> bool {
    project.says("Ready", "True") && project.condition("Ready")["reason"] != "Stopped"
}
