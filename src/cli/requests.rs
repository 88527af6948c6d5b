//! `retry`, `restart`, `cancel`: one-off requests, and the wait for their effect.

use super::arguments::{Cancel, Request as Arguments};
use super::deadline::Deadline;
use super::door::Door;
use super::failure::Failure;
use super::follow::{Asked, ask, tell, until_judged};
use super::screen::Screen;
use crate::crd::ProjectDeployment;
use crate::request::Request;
use crate::view::progress::{Goal, Progress, Standing, condition, is_true, progress};

/// Retries what failed.
pub(super) async fn retry(door: &Door, screen: &Screen, verb: &Arguments) -> Result<(), Failure> {
    then_live(door, screen, verb, Request::retry()).await
}

/// Replaces the pods.
pub(super) async fn restart(door: &Door, screen: &Screen, verb: &Arguments) -> Result<(), Failure> {
    then_live(door, screen, verb, Request::restart()).await
}

async fn then_live(door: &Door, screen: &Screen, verb: &Arguments, request: Request) -> Result<(), Failure> {
    let deadline = Deadline::of_waiting(&verb.waiting);
    let word = request.kind().word();
    let Asked { value, outcome, .. } = ask(door, screen, &verb.name, &[request], deadline).await?;
    screen.print(&format!("{}: {outcome}", verb.name));
    if verb.waiting.no_wait || outcome.starts_with("nothing to") {
        return Ok(());
    }
    let judge = |object: &ProjectDeployment| judge(object, word, &value);
    let object = until_judged(door, screen, &verb.name, deadline, judge).await?;
    if let Some(outcome) = reverted(&object, word, &value) {
        return Err(Failure::error(format!(
            "{outcome}. See why: kubectl doce explain {} {}",
            verb.name, door.flags
        )));
    }
    tell(screen, &object);
    Ok(())
}

/// How far the effect of a request is. The operator reverts a restart whose pods do not become ready: this ends the wait, too.
fn judge(object: &ProjectDeployment, word: &str, value: &str) -> Progress {
    let found = progress(object, Goal::Live);
    let busy = is_true(object, "Reconciling");
    let standing = match found.standing {
        _ if reverted(object, word, value).is_some() => Standing::Reached,
        Standing::Reached if busy => Standing::Working,
        standing => standing,
    };
    Progress { standing, ..found }
}

/// The answer to the request with this value, if the operator has reverted its effect since.
fn reverted(object: &ProjectDeployment, word: &str, value: &str) -> Option<String> {
    let handled = object.status.as_ref()?.handled.get(word)?;
    let is_reverted = handled.value == value && handled.outcome.starts_with("reverted");
    is_reverted.then(|| handled.outcome.clone())
}

/// Cancels the current build.
pub(super) async fn cancel(door: &Door, screen: &Screen, verb: &Cancel) -> Result<(), Failure> {
    let object = door.project(&verb.name).await?;
    let Some(build) = verb.build.clone().or_else(|| current_build(&object)) else {
        return Err(Failure::error(format!(
            "no build of {} is queued or running. See what it does: kubectl doce status {} {}",
            verb.name, verb.name, door.flags
        )));
    };
    let deadline = Deadline::of_waiting(&verb.waiting);
    let Asked { outcome, .. } = ask(door, screen, &verb.name, &[Request::cancel(&build)], deadline).await?;
    screen.print(&format!("{}: {outcome}", verb.name));
    if verb.waiting.no_wait {
        return Ok(());
    }
    // The user wanted the build to end, so a project that is stuck now is a success.
    let judge = |object: &ProjectDeployment| {
        let found = progress(object, Goal::Settled);
        let ending =
            condition(object, "Ready").is_some_and(|ready| ready.message.contains("is being cancelled"));
        Progress { standing: if ending { Standing::Working } else { Standing::Reached }, ..found }
    };
    let object = until_judged(door, screen, &verb.name, deadline, judge).await?;
    tell(screen, &object);
    Ok(())
}

/// Id of the build that has not ended.
fn current_build(object: &ProjectDeployment) -> Option<String> {
    let build = object.status.as_ref()?.build.as_ref()?;
    build.finished_at.is_none().then(|| build.id.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_restart_is_done_when_it_serves_and_nothing_is_under_way_or_when_it_was_reverted() {
        let object = |busy: bool, value: &str, outcome: &str| -> ProjectDeployment {
            let condition = |kind: &str, status: bool| {
                json!({
                    "type": kind, "status": if status { "True" } else { "False" }, "reason": "Serving", "message": "",
                    "lastTransitionTime": "2026-11-30T12:00:00Z",
                })
            };
            serde_json::from_value(json!({
                "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "metadata": { "name": "shop" },
                "spec": { "source": { "git": { "url": "https://git.test/shop.git" } } },
                "status": {
                    "observedGeneration": 1, "conditions": [condition("Ready", true), condition("Reconciling", busy)],
                    "handled": { "restart": { "value": value, "outcome": outcome } },
                },
            }))
            .unwrap()
        };
        let why = "reverted: the new pods of v9f2c41d7 did not become ready (x)";
        for (busy, value, outcome, standing, is_reverted) in [
            (false, "@1", "restarting", Standing::Reached, false),
            (true, "@1", "restarting", Standing::Working, false),
            (true, "@1", why, Standing::Reached, true),
            (false, "@0", why, Standing::Reached, false),
        ] {
            let object = object(busy, value, outcome);
            assert_eq!(judge(&object, "restart", "@1").standing, standing, "{busy} {value} {outcome}");
            assert_eq!(reverted(&object, "restart", "@1").is_some(), is_reverted, "{busy} {value} {outcome}");
        }
    }
}
