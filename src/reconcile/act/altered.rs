//! Detects children that something else changes on every write. Writing them again would never end.

use serde::Serialize;
use serde_json::Value;

use super::super::decide::Step;
use super::super::observed::{Child, Refusal, RefusalReason};
use super::Outcome;
use crate::desired::drift::{difference, without_kind};
use crate::desired::names;
use crate::project::Project;

/// Compares `want` with the API server's answer to that write, which contains no later edits.
pub(super) fn kept(child: Child, project: &Project, answer: &impl Serialize, want: Value) -> Outcome {
    let want = without_kind(want);
    let field = serde_json::to_value(answer).ok().and_then(|live| difference(&live, &want));
    field.map_or(Outcome::Done, |field| Outcome::Refused(refusal(child, project, &format!("{field} of "))))
}

/// The refusal that ends a series of writes if `step` equals the last one: something else reverts it at once.
#[must_use]
pub fn reverted_at_once(project: &Project, step: &Step, last: Option<&Step>) -> Option<Refusal> {
    let child = match step {
        Step::ApplyDeployment(_) => Child::Deployment,
        Step::ApplyService { .. } => Child::Service,
        Step::ApplyNetworkPolicy => Child::NetworkPolicy,
        _ => return None,
    };
    (last == Some(step)).then(|| refusal(child, project, ""))
}

fn refusal(child: Child, project: &Project, field: &str) -> Refusal {
    let kind = child.kind();
    let message = format!(
        "An admission policy, a webhook or another controller changes {field}{kind} {} after every write. Exclude objects with the label {} from it. Retrying with backoff",
        project.name,
        names::PROJECT
    );
    Refusal { child, cause: RefusalReason::Altered, message }
}
