//! `retry`, `restart`, `cancel`: one-off requests, and the wait for their effect.

use super::arguments::{Cancel, Request as Arguments};
use super::door::Door;
use super::failure::Failure;
use super::follow::{ask, tell, until, until_judged};
use super::screen::Screen;
use crate::crd::ProjectDeployment;
use crate::request::Request;
use crate::view::progress::{Goal, Progress, Standing, condition, progress};

/// Retries what failed.
pub(super) async fn retry(door: &Door, screen: &Screen, verb: &Arguments) -> Result<(), Failure> {
    then_live(door, screen, verb, Request::retry()).await
}

/// Replaces the pods.
pub(super) async fn restart(door: &Door, screen: &Screen, verb: &Arguments) -> Result<(), Failure> {
    then_live(door, screen, verb, Request::restart()).await
}

async fn then_live(door: &Door, screen: &Screen, verb: &Arguments, request: Request) -> Result<(), Failure> {
    let limit = verb.waiting.limit.timeout;
    let (object, outcome) = ask(door, screen, &verb.name, &[request], limit).await?;
    screen.print(&format!("{}: {outcome}", verb.name));
    if verb.waiting.no_wait || outcome.starts_with("nothing to") {
        return Ok(());
    }
    drop(object);
    let object = until(door, screen, &verb.name, limit, Goal::Live).await?;
    tell(screen, &object);
    Ok(())
}

/// Cancels the current build.
pub(super) async fn cancel(door: &Door, screen: &Screen, verb: &Cancel) -> Result<(), Failure> {
    let object = door.project(&verb.name).await?;
    let Some(build) = verb.build.clone().or_else(|| current_build(&object)) else {
        return Err(Failure::error(format!(
            "no build of {} is queued or running. See what it does: kubectl doce status {} -n {}",
            verb.name, verb.name, door.namespace
        )));
    };
    let limit = verb.waiting.limit.timeout;
    let (_, outcome) = ask(door, screen, &verb.name, &[Request::cancel(&build)], limit).await?;
    screen.print(&format!("{}: {outcome}", verb.name));
    if verb.waiting.no_wait {
        return Ok(());
    }
    // The end of a cancelled build is what was asked for, so a project that is stuck now is well.
    let judge = |object: &ProjectDeployment| {
        let found = progress(object, Goal::Settled);
        let ending =
            condition(object, "Ready").is_some_and(|ready| ready.message.contains("is being cancelled"));
        Progress { standing: if ending { Standing::Working } else { Standing::Reached }, ..found }
    };
    let object = until_judged(door, screen, &verb.name, limit, judge).await?;
    tell(screen, &object);
    Ok(())
}

/// Id of the build that has not ended.
fn current_build(object: &ProjectDeployment) -> Option<String> {
    let build = object.status.as_ref()?.build.as_ref()?;
    build.finished_at.is_none().then(|| build.id.clone())
}
