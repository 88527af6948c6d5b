//! `stop`, `start` and `scale`: changes of `spec.state` and `spec.replicas`.

use serde_json::json;

use super::arguments::{Request as Arguments, Scale, Waiting};
use super::deadline::Deadline;
use super::door::Door;
use super::failure::Failure;
use super::follow::{tell, until_judged};
use super::screen::Screen;
use crate::crd::ProjectDeployment;
use crate::crd::spec::State;
use crate::view::owners;
use crate::view::progress::{Goal, Progress, Standing, is_true, progress};

/// Stops the pods.
pub(super) async fn stop(door: &Door, screen: &Screen, verb: &Arguments) -> Result<(), Failure> {
    set_state(door, screen, verb, "Stopped", Goal::Stopped).await
}

/// Starts the pods again.
pub(super) async fn start(door: &Door, screen: &Screen, verb: &Arguments) -> Result<(), Failure> {
    let object = door.project(&verb.name).await?;
    if object.spec.replicas == 0 {
        return Err(Failure::error(format!(
            "spec.replicas of {} is 0, so it has no pods in any state. Give it some: kubectl doce scale {} --replicas 1 {}",
            verb.name, verb.name, door.flags
        )));
    }
    set_state(door, screen, verb, "Running", Goal::Live).await
}

async fn set_state(
    door: &Door,
    screen: &Screen,
    verb: &Arguments,
    state: &str,
    goal: Goal,
) -> Result<(), Failure> {
    let object = door.project(&verb.name).await?;
    warn(screen, &object, "spec.state", &format!("spec.state: {state}"));
    let doing = format!("set spec.state of {} to {state}", verb.name);
    door.patch(&verb.name, &json!({ "spec": { "state": state } }), &doing).await?;
    screen.print(&format!("{}: spec.state is {state}", verb.name));
    wait(door, screen, &verb.name, &verb.waiting, goal).await
}

/// Sets the number of pods.
pub(super) async fn scale(door: &Door, screen: &Screen, verb: &Scale) -> Result<(), Failure> {
    let object = door.project(&verb.name).await?;
    warn(screen, &object, "spec.replicas", &format!("spec.replicas: {}", verb.replicas));
    let doing = format!("set spec.replicas of {} to {}", verb.name, verb.replicas);
    door.patch(&verb.name, &json!({ "spec": { "replicas": verb.replicas } }), &doing).await?;
    screen.print(&format!("{}: spec.replicas is {}", verb.name, verb.replicas));
    let stopped = object.spec.state == State::Stopped;
    if stopped && verb.replicas > 0 {
        screen.warn(&format!(
            "spec.state is Stopped, so no pod starts. Start it: kubectl doce start {} {}",
            verb.name, door.flags
        ));
    }
    let goal = if stopped || verb.replicas == 0 { Goal::Stopped } else { Goal::Live };
    wait(door, screen, &verb.name, &verb.waiting, goal).await
}

/// Warns if a tool will set the field back.
pub(super) fn warn(screen: &Screen, object: &ProjectDeployment, field: &str, instead: &str) {
    if let Some(warning) = owners::warning(object, field, instead) {
        screen.warn(&warning);
    }
}

async fn wait(
    door: &Door,
    screen: &Screen,
    name: &str,
    waiting: &Waiting,
    goal: Goal,
) -> Result<(), Failure> {
    if waiting.no_wait {
        return Ok(());
    }
    let deadline = Deadline::of_waiting(waiting);
    // Ready stays True while pods are added or removed.
    let judge = |object: &ProjectDeployment| {
        let found = progress(object, goal);
        let busy = is_true(object, "Reconciling");
        let standing =
            if found.standing == Standing::Reached && busy { Standing::Working } else { found.standing };
        Progress { standing, ..found }
    };
    let object = until_judged(door, screen, name, deadline, judge).await?;
    tell(screen, &object);
    Ok(())
}
