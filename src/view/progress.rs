//! How far a project is from what a person waits for. Pure: the sentences are those of `status.conditions`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::{Deserialize, Serialize};

use crate::crd::ProjectDeployment;
use crate::crd::conditions::Reason;

/// What is said of a project whose newest spec the operator has not seen.
pub const UNSEEN: &str = "The operator has not processed the project yet";

/// What a person waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The target serves, also if a rollback holds it or it is pinned.
    Live,
    /// What the spec yields serves: no rollback and no pin holds another version, and the project is not stopped.
    Deployed,
    /// The target has an image, and no lookup or build of a newer one is under way or has failed.
    Built,
    /// A rollback holds, and its target serves.
    Held,
    /// The project is stopped, and its pods are gone.
    Stopped,
    /// The operator is done with the newest spec, whatever it says.
    Settled,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Work goes on.
    Working,
    /// The goal is reached.
    Reached,
    /// The goal is not reached, and nothing more happens without a person.
    Stuck,
}

/// How far a project is from a goal, and the sentence that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// How far it is.
    pub standing: Standing,
    /// Reason of the condition.
    pub reason: String,
    /// Message of the condition.
    pub message: String,
}

/// Whether the operator has seen the newest spec.
#[must_use]
pub fn is_seen(object: &ProjectDeployment) -> bool {
    let seen = object.status.as_ref().map_or(-1, |status| status.observed_generation);
    seen >= object.metadata.generation.unwrap_or(0)
}

/// The condition of this type.
#[must_use]
pub fn condition<'a>(object: &'a ProjectDeployment, kind: &str) -> Option<&'a Condition> {
    object.status.as_ref()?.condition(kind)
}

/// Whether the condition of this type is True.
#[must_use]
pub fn is_true(object: &ProjectDeployment, kind: &str) -> bool {
    object.status.as_ref().is_some_and(|status| status.is_true(kind))
}

/// How far the project is from the goal.
#[must_use]
pub fn progress(object: &ProjectDeployment, goal: Goal) -> Progress {
    let ready = condition(object, "Ready").filter(|_| is_seen(object));
    let Some(ready) = ready else {
        return Progress {
            standing: Standing::Working,
            reason: Reason::Unseen.name().to_owned(),
            message: UNSEEN.to_owned(),
        };
    };
    let is_true = |kind| is_true(object, kind);
    let is = |reason: Reason| ready.status == "True" && ready.reason == reason.name();
    let (stopped, held, pinned) = (is(Reason::Stopped), is(Reason::Held), is(Reason::Pinned));
    let serves = ready.status == "True" && !stopped;
    let reached = match goal {
        Goal::Live => serves,
        Goal::Deployed => serves && !held && !pinned,
        // Built is about the last known version, so it stays True while the source is looked up again.
        Goal::Built => is_true("Built") && !is_before_the_image(&ready.reason),
        Goal::Held => held,
        Goal::Stopped => stopped,
        Goal::Settled => !is_true("Reconciling"),
    };
    // Ready, but for another reason than the goal: no more work is under way.
    let elsewhere = ready.status == "True" && !is_true("Reconciling");
    let standing = match () {
        () if reached => Standing::Reached,
        () if is_true("Stalled") || elsewhere => Standing::Stuck,
        () => Standing::Working,
    };
    let said = condition(object, "Built").filter(|_| goal == Goal::Built && reached).unwrap_or(ready);
    Progress { standing, reason: said.reason.clone(), message: said.message.clone() }
}

/// Whether a project that is not ready for this reason may get another version as its target, or has none.
fn is_before_the_image(reason: &str) -> bool {
    const REASONS: [Reason; 23] = [
        Reason::Unseen,
        Reason::Resolving,
        Reason::Queued,
        Reason::Building,
        Reason::ImageLost,
        Reason::SourceUnavailable,
        Reason::SourceAuthFailed,
        Reason::ConfigMapNotFound,
        Reason::BuildSecretMissing,
        Reason::RegistryUnavailable,
        Reason::RegistryDenied,
        Reason::RegistryFull,
        Reason::BuildFault,
        Reason::OutOfMemory,
        Reason::OutOfDisk,
        Reason::Evicted,
        Reason::Unschedulable,
        Reason::BuilderImageUnavailable,
        Reason::PodForbidden,
        Reason::BuildTimeout,
        Reason::BuildFailed,
        Reason::Cancelled,
        Reason::VersionUnknown,
    ];
    REASONS.iter().any(|before| before.name() == reason)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn project(generation: i64, conditions: &[(&str, &str, &str)]) -> ProjectDeployment {
        let conditions: Vec<Value> = conditions
            .iter()
            .map(|(kind, status, reason)| {
                json!({
                    "type": kind, "status": status, "reason": reason, "message": format!("about {kind}"),
                    "lastTransitionTime": "2026-11-30T12:00:00Z",
                })
            })
            .collect();
        serde_json::from_value(json!({
            "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
            "metadata": { "name": "shop", "namespace": "team", "uid": "u", "generation": generation },
            "spec": { "source": { "git": { "url": "https://git.test/shop.git" } } },
            "status": { "observedGeneration": 1, "conditions": conditions },
        }))
        .unwrap()
    }

    #[test]
    fn each_goal_is_reached_by_its_own_condition() {
        use Goal::{Built, Deployed, Held, Live, Settled, Stopped};
        use Standing::{Reached, Stuck, Working};
        let serving = [("Ready", "True", "Serving"), ("Built", "True", "ImageReady")];
        let held = [("Ready", "True", "Held"), ("Built", "True", "ImageReady")];
        let stopped = [("Ready", "True", "Stopped"), ("Built", "True", "ImageReady")];
        let pinned = [("Ready", "True", "Pinned"), ("Built", "True", "ImageReady")];
        let building = [
            ("Ready", "False", "Building"),
            ("Built", "False", "Building"),
            ("Reconciling", "True", "Building"),
        ];
        let failed = [
            ("Ready", "False", "BuildFailed"),
            ("Built", "False", "BuildFailed"),
            ("Stalled", "True", "BuildFailed"),
        ];
        let starting = [
            ("Ready", "False", "Starting"),
            ("Built", "True", "ImageReady"),
            ("Reconciling", "True", "Starting"),
        ];
        for (conditions, expected) in [
            (&serving[..], [Reached, Reached, Reached, Stuck, Stuck, Reached]),
            (&held[..], [Reached, Stuck, Reached, Reached, Stuck, Reached]),
            (&pinned[..], [Reached, Stuck, Reached, Stuck, Stuck, Reached]),
            (&stopped[..], [Stuck, Stuck, Reached, Stuck, Reached, Reached]),
            (&building[..], [Working; 6]),
            (&failed[..], [Stuck, Stuck, Stuck, Stuck, Stuck, Reached]),
            (&starting[..], [Working, Working, Reached, Working, Working, Working]),
        ] {
            let found = [Live, Deployed, Built, Held, Stopped, Settled]
                .map(|goal| progress(&project(1, conditions), goal).standing);
            assert_eq!(found, expected, "{conditions:?}");
        }
    }

    #[test]
    fn built_is_not_reached_while_the_source_is_looked_up_again_or_after_that_failed() {
        for (reason, beside, expected) in [
            ("Queued", "Reconciling", Standing::Working),
            ("Resolving", "Reconciling", Standing::Working),
            ("SourceUnavailable", "Reconciling", Standing::Working),
            ("PodForbidden", "Reconciling", Standing::Working),
            ("BuildFailed", "Stalled", Standing::Stuck),
            ("Cancelled", "Stalled", Standing::Stuck),
            ("RolloutFailed", "Stalled", Standing::Reached),
            ("PortUnavailable", "Reconciling", Standing::Reached),
        ] {
            let conditions =
                [("Ready", "False", reason), ("Built", "True", "ImageReady"), (beside, "True", reason)];
            let found = progress(&project(1, &conditions), Goal::Built);
            assert_eq!(found.standing, expected, "{reason}");
        }
    }

    #[test]
    fn a_status_of_an_older_spec_says_nothing() {
        let progress = progress(&project(2, &[("Ready", "True", "Serving")]), Goal::Live);
        assert_eq!((progress.standing, progress.reason.as_str()), (Standing::Working, "Unseen"));
    }
}
