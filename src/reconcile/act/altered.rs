//! Whether the API server keeps a child as it was written. Where it does not, writing it again would never end.

use serde::Serialize;
use serde_json::Value;

use super::super::decide::Step;
use super::super::observed::{Child, Refusal, RefusalReason};
use super::Outcome;
use crate::desired::names;
use crate::desired::settled::difference;
use crate::project::Project;

/// What became of `want`, by the API server's answer to that very write: nobody else's edit is in it yet.
pub(super) fn kept(child: Child, project: &Project, answer: &impl Serialize, mut want: Value) -> Outcome {
    if let Some(want) = want.as_object_mut() {
        want.retain(|field, _| field != "apiVersion" && field != "kind");
    }
    let field = serde_json::to_value(answer).ok().and_then(|live| difference(&live, &want));
    field.map_or(Outcome::Done, |field| Outcome::Refused(refusal(child, project, &format!("{field} of "))))
}

/// The refusal that ends a row of writes, where `step` is the one that was done last: somebody undoes it at once.
#[must_use]
pub fn undone(project: &Project, step: &Step, last: Option<&Step>) -> Option<Refusal> {
    let child = match step {
        Step::ApplyDeployment(_) => Child::Deployment,
        Step::ApplyService { .. } => Child::Service,
        _ => return None,
    };
    (last == Some(step)).then(|| refusal(child, project, ""))
}

fn refusal(child: Child, project: &Project, field: &str) -> Refusal {
    let kind = if child == Child::Service { "Service" } else { "Deployment" };
    let message = format!(
        "something else changes {field}{kind} {} whenever it is written: an admission policy, a webhook or another controller. Have it leave alone what carries the label {}; tried again with growing pauses",
        project.name,
        names::PROJECT
    );
    Refusal { child, cause: RefusalReason::Altered, message }
}
