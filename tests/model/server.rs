//! What the API server and its other users have against the operator's writes: quotas, policies, names and ports that
//! are taken. It refuses, it never does anything.

use std::collections::BTreeSet;

use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::{Child, Refusal, RefusalReason};

use super::cluster::Cluster;

/// A port that a project may ask for and never get.
pub(crate) const STRANGERS_PORT: u16 = 30_203;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Children of which writes are refused, and why.
    pub(crate) refuses: Vec<(Child, RefusalReason)>,
    /// Node ports that others hold.
    pub(crate) taken: BTreeSet<u16>,
}

impl Default for Server {
    fn default() -> Self {
        Self { refuses: vec![], taken: BTreeSet::from([STRANGERS_PORT]) }
    }
}

impl Server {
    /// Whether writes to this child are refused.
    pub(crate) fn refuses(&self, child: Child) -> bool {
        self.refuses.iter().any(|(refused, _)| *refused == child)
    }
}

/// The child that a step writes to; none where it deletes.
pub(crate) fn child(step: &Step) -> Option<Child> {
    match step {
        Step::WriteLedger(_) | Step::AdoptLedger(_) | Step::WriteImage { .. } => Some(Child::Ledger),
        Step::CreateRecord { .. } => Some(Child::Record),
        Step::CreateBuildJob { .. } => Some(Child::Job),
        Step::CreateInitJob { .. } => Some(Child::Init),
        Step::CreateCleanupJob { .. } | Step::RecreateCleanupJob { .. } => Some(Child::Cleanup),
        Step::ApplyDeployment(_) => Some(Child::Deployment),
        Step::ApplyService { .. } => Some(Child::Service),
        Step::RepairMetadata(unmarked) => Some(unmarked.child),
        Step::DeleteBuildJob { .. }
        | Step::DeleteCleanupJob { .. }
        | Step::DeleteReplicaSet { .. }
        | Step::DeleteRecord { .. } => None,
    }
}

impl Cluster {
    /// Why this step is refused, if it is.
    pub(crate) fn refusal(&self, step: &Step) -> Option<Refusal> {
        let child = child(step)?;
        let because = |cause| Refusal { child, cause, message: format!("the model says {cause:?}") };
        let fresh = self.creates(step);
        let namesake = |(kind, name): &(Child, String)| {
            *kind == child && (child != Child::Record || step_names(step, name))
        };
        if fresh && self.ghosts.iter().any(namesake) {
            return Some(because(RefusalReason::NameTaken));
        }
        if let Step::ApplyService { port } = step
            && let Some(refusal) = self.port_refusal(*port, because)
        {
            return Some(refusal);
        }
        let refused = self.server.refuses.iter().find(|(refused, _)| *refused == child)?;
        match refused.1 {
            RefusalReason::PortsExhausted | RefusalReason::PortUnavailable => None, // Answered above.
            RefusalReason::NameTaken if !fresh => None, // The child that is there is ours.
            cause => Some(because(cause)),
        }
    }

    fn port_refusal(&self, port: Option<u16>, because: impl Fn(RefusalReason) -> Refusal) -> Option<Refusal> {
        let full = self.server.refuses.contains(&(Child::Service, RefusalReason::PortsExhausted));
        let ours = self.service.map(|service| service.port);
        match port {
            None if full && ours.is_none() => Some(because(RefusalReason::PortsExhausted)),
            Some(port) if ours != Some(port) && self.server.taken.contains(&port) => {
                Some(because(RefusalReason::PortUnavailable))
            }
            _ => None,
        }
    }

    /// The step makes an object that is not there yet.
    fn creates(&self, step: &Step) -> bool {
        match step {
            Step::WriteLedger(_) => self.ledger.is_none(),
            Step::CreateRecord { version, .. } => !self.records.contains_key(version),
            Step::CreateBuildJob { .. } | Step::CreateInitJob { .. } => true,
            Step::ApplyDeployment(_) => self.deployment.is_none(),
            Step::ApplyService { .. } => self.service.is_none(),
            _ => false,
        }
    }
}

fn step_names(step: &Step, name: &str) -> bool {
    matches!(step, Step::CreateRecord { version, .. } if version == name)
}
