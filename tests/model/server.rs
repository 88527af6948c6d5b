//! Reasons why the API server rejects writes of the operator: quotas, policies, and names and ports in use. This module
//! only rejects; it changes nothing.

use std::collections::BTreeSet;

use doce_operator::reconcile::decide::Step;
use doce_operator::reconcile::observed::{Child, Refusal, RefusalReason};

use super::cluster::Cluster;

/// A port that a project may request but never get.
pub(crate) const STRANGERS_PORT: u16 = 30_203;

/// The state of the API server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Children whose writes the server rejects, and why.
    pub(crate) refuses: Vec<(Child, RefusalReason)>,
    /// Node ports of other Services.
    pub(crate) taken: BTreeSet<u16>,
}

impl Default for Server {
    fn default() -> Self {
        Self { refuses: vec![], taken: BTreeSet::from([STRANGERS_PORT]) }
    }
}

impl Server {
    /// Whether the server rejects writes to this child.
    pub(crate) fn refuses(&self, child: Child) -> bool {
        self.refuses.iter().any(|(refused, _)| *refused == child)
    }
}

/// The child that a step writes to; `None` if it deletes.
pub(crate) fn child(step: &Step) -> Option<Child> {
    match step {
        Step::WriteLedger(_) | Step::AdoptLedger(_) | Step::WriteImage { .. } => Some(Child::Ledger),
        Step::CreateRecord { .. } => Some(Child::Record),
        Step::CreateBuildJob { .. } => Some(Child::Job),
        Step::CreateInitJob { .. } => Some(Child::Init),
        Step::CreateCleanupJob { .. } | Step::RecreateCleanupJob { .. } => Some(Child::Cleanup),
        Step::ApplyDeployment(_) => Some(Child::Deployment),
        Step::ApplyService { .. } => Some(Child::Service),
        Step::ApplyNetworkPolicy | Step::DeleteNetworkPolicy => Some(Child::NetworkPolicy),
        Step::RepairMetadata(lost_metadata) => Some(lost_metadata.child),
        Step::DeleteBuildJob { .. }
        | Step::DeleteCleanupJob { .. }
        | Step::DeleteReplicaSet { .. }
        | Step::DeleteRecord { .. } => None,
    }
}

impl Cluster {
    /// Why the server rejects this step, if it does.
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
            RefusalReason::PortsExhausted | RefusalReason::PortsTried | RefusalReason::PortUnavailable => {
                None
            } // Answered above.
            RefusalReason::NameTaken if !fresh => None, // The existing child belongs to the project.
            cause => Some(because(cause)),
        }
    }

    fn port_refusal(&self, port: Option<u16>, because: impl Fn(RefusalReason) -> Refusal) -> Option<Refusal> {
        let full = self.server.refuses.contains(&(Child::Service, RefusalReason::PortsExhausted));
        let ours = self.service.and_then(|service| service.port);
        match port {
            None if full && ours.is_none() && self.project.has_node_port => {
                Some(because(RefusalReason::PortsExhausted))
            }
            Some(port) if ours != Some(port) && self.server.taken.contains(&port) => {
                Some(because(RefusalReason::PortUnavailable))
            }
            _ => None,
        }
    }

    /// Whether the step creates an object that does not exist yet.
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
