//! `status`: one project, and the wait for it. The exit code is 3 while the project is not ready.

use kube::ResourceExt as _;

use super::arguments::{For, Status};
use super::deadline::Deadline;
use super::door::Door;
use super::failure::Failure;
use super::follow::{address, tell, until, until_judged};
use super::list::tone;
use super::output;
use super::screen::{Screen, Tone, toned};
use super::table::duration;
use crate::crd::ProjectDeployment;
use crate::crd::conditions::Reason;
use crate::crd::status::SourceStatus;
use crate::view::progress::{Goal, Progress, Standing, UNSEEN, condition, is_seen, is_true, progress};

/// Shows one project, or waits for it.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &Status) -> Result<(), Failure> {
    let deadline = Deadline::of(&verb.limit);
    let object = match (verb.goal, verb.watch) {
        (Some(goal), _) => {
            door.project(&verb.name).await?;
            until(door, screen, &verb.name, deadline, goal.goal()).await?
        }
        (None, true) => {
            door.project(&verb.name).await?;
            until_judged(door, screen, &verb.name, deadline, settled).await?
        }
        (None, false) => door.project(&verb.name).await?,
    };
    let format = &verb.printed.output;
    if !format.is_for_people() {
        output::print(screen, format, &object, &[object.name_any()])?;
    } else if verb.watch || verb.goal.is_some() {
        tell(screen, &object);
    } else {
        describe(screen, &object);
    }
    let ready = is_true(&object, "Ready") && is_seen(&object);
    if ready || verb.goal.is_some() {
        return Ok(());
    }
    Err(Failure::not_ready(format!(
        "{} is not ready. See why: kubectl doce explain {} {}",
        verb.name, verb.name, door.flags
    )))
}

impl For {
    fn goal(self) -> Goal {
        match self {
            Self::Live => Goal::Live,
            Self::Built => Goal::Built,
            Self::Held => Goal::Held,
        }
    }
}

/// Ready for any reason, or nothing more happens without a person.
fn settled(object: &ProjectDeployment) -> Progress {
    let found = progress(object, Goal::Live);
    let busy = is_true(object, "Reconciling");
    let ready = is_true(object, "Ready");
    let standing = if ready && !busy && is_seen(object) { Standing::Reached } else { found.standing };
    Progress { standing, ..found }
}

fn describe(screen: &Screen, object: &ProjectDeployment) {
    let status = object.status.clone().unwrap_or_default();
    let reason = condition(object, "Ready").map_or(Reason::Unseen.name(), |ready| ready.reason.as_str());
    screen.print(&format!("{}  {}", toned(Tone::Strong, &object.name_any()), toned(tone(object), reason)));
    let message = condition(object, "Ready").map_or(UNSEEN, |ready| &ready.message);
    screen.print(&format!("  {message}"));
    let row = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            screen.print(&format!("  {key:<9} {value}"));
        }
    };
    row("URL", address(object));
    row("Version", status.version.clone());
    row("Desired", status.desired_version.clone().filter(|desired| Some(desired) != status.version.as_ref()));
    row("Previous", status.previous_version.clone());
    row("Source", status.source.as_ref().map(source));
    row("Pods", condition(object, "Available").map(|available| available.message.clone()));
    row("Build", status.build.as_ref().map(build));
    if let Some(failure) = status.failure.as_ref().filter(|failure| !failure.log.is_empty()) {
        screen.print(&format!("  {:<9} {}: {}", "Failure", failure.stage, failure.reason));
        for line in failure.log.lines() {
            screen.print(&format!("    {}", toned(Tone::Quiet, line)));
        }
    }
}

fn source(source: &SourceStatus) -> String {
    let digest = source.digest.strip_prefix("sha256:").unwrap_or(&source.digest);
    let parts = [
        source.reference.clone(),
        Some(digest.get(..12).unwrap_or(digest).to_owned()),
        source.message.clone(),
        source.author.clone(),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

fn build(build: &crate::crd::status::BuildStatus) -> String {
    let state = match (&build.started_at, &build.finished_at, build.position) {
        (_, _, Some(position)) => format!("number {position} in the queue"),
        (Some(from), Some(to), _) => format!("took {}", duration(to.0.as_second() - from.0.as_second())),
        (Some(from), None, _) => {
            format!("runs for {}", duration(jiff::Timestamp::now().as_second() - from.0.as_second()))
        }
        _ => "waits".to_owned(),
    };
    format!("{}  {}  {state}", build.id, build.reason)
}
