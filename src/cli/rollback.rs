//! `rollback`: back to a version, and the wait until it serves.

use std::io::BufRead as _;

use super::arguments::Rollback;
use super::diff::{is_same, show};
use super::door::Door;
use super::failure::Failure;
use super::follow::{ask, tell, until_judged};
use super::history::table;
use super::screen::Screen;
use crate::crd::ProjectDeployment;
use crate::memory::record::Record;
use crate::request::Request;
use crate::version::short;
use crate::view::diff::difference;
use crate::view::progress::{Goal, Progress, Standing, condition, progress};
use crate::view::remembered::Remembered;
use crate::view::versions::{Version, previous_version, version, versions};

/// Rolls back.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &Rollback) -> Result<(), Failure> {
    let object = door.project(&verb.name).await?;
    let remembered = door.remembered(&object).await?;
    let wanted = match &verb.version {
        Some(version) => version.clone(),
        None => choose(door, screen, &verb.name, &versions(&object, &remembered))?,
    };
    if verb.dry_run {
        return preview(screen, &object, &remembered, verb, &wanted);
    }
    let rollback = Request::rollback(&wanted);
    let requests = if verb.retry { vec![Request::retry(), rollback] } else { vec![rollback] };
    let limit = verb.waiting.limit.timeout;
    let (object, outcome) = ask(door, screen, &verb.name, &requests, limit)
        .await
        .map_err(|failure| with_flag(failure, &verb.name, &wanted))?;
    screen.print(&format!("{}: {outcome}", verb.name));
    let target = outcome.split_whitespace().find(|word| word.len() == 9 && word.starts_with('v'));
    let target = target.map(str::to_owned);
    if verb.waiting.no_wait {
        return Ok(());
    }
    drop(object);
    let judge = |object: &ProjectDeployment| {
        let found = progress(object, Goal::Live);
        let there =
            target.is_none() || object.status.as_ref().and_then(|status| status.version.clone()) == target;
        let standing =
            if found.standing == Standing::Reached && !there { Standing::Working } else { found.standing };
        Progress { standing, ..found }
    };
    let object = until_judged(door, screen, &verb.name, limit, judge).await?;
    tell(screen, &object);
    if condition(&object, "Ready").is_some_and(|ready| ready.reason == "Held") {
        screen.note("Git and the spec are unchanged. The next commit or manifest that yields another version ends the hold");
    }
    Ok(())
}

/// The operator names annotations; a person at this program has a flag.
fn with_flag(failure: Failure, name: &str, wanted: &str) -> Failure {
    if !failure.message.contains("failed before") {
        return failure;
    }
    Failure {
        message: format!("{}, or: kubectl doce rollback {name} {wanted} --retry", failure.message),
        ..failure
    }
}

/// Lets a person choose from a list.
fn choose(door: &Door, screen: &Screen, name: &str, versions: &[Version]) -> Result<String, Failure> {
    let usable: Vec<&Version> = versions.iter().filter(|version| version.rollback.possible).collect();
    if !screen.asks {
        let names: Vec<&str> = usable.iter().map(|version| version.version.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(Failure::usage(format!(
            "name a version: kubectl doce rollback {name} previous -n {}. Versions to go back to: {names}",
            door.namespace
        )));
    }
    table(versions, false).print(screen);
    if usable.is_empty() {
        return Err(Failure::error(format!("{name} has no version to roll back to")));
    }
    screen.note(&format!(
        "Roll back to which version? Type the beginning of its name, or Enter for {}:",
        usable[0].version
    ));
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::file("standard input", &error))?;
    let typed = line.trim();
    Ok(if typed.is_empty() { usable[0].version.clone() } else { typed.to_owned() })
}

/// Shows what a rollback would change.
fn preview(
    screen: &Screen,
    object: &ProjectDeployment,
    remembered: &Remembered,
    verb: &Rollback,
    wanted: &str,
) -> Result<(), Failure> {
    let to = target(object, remembered, wanted)?;
    let found = version(object, remembered, to);
    let serves = object.status.as_ref().and_then(|status| status.version.as_deref());
    let from = remembered.records.values().find(|record| is_same(&record.facts.version, serves));
    if let Some(from) = from {
        show(screen, &difference(from, to));
    }
    let allowed = found.rollback.possible || found.rollback.needs_retry && verb.retry;
    let why = found.rollback.why.unwrap_or_default();
    if !allowed {
        let flag = if found.rollback.needs_retry { ". To try it anyway, add --retry" } else { "" };
        return Err(Failure::error(format!("a rollback to {} is not possible: {why}{flag}", found.version)));
    }
    let build = if found.rollback.needs_build { format!(" ({why})") } else { " without a build".to_owned() };
    screen.print(&format!("{} would roll back to {}{build}", verb.name, found.version));
    let desired = object.status.as_ref().and_then(|status| status.desired_version.clone());
    match desired.filter(|desired| *desired != found.version) {
        Some(desired) => screen.print(&format!(
            "The rollback would hold: {desired}, which the spec yields, is not deployed until a newer version appears"
        )),
        None => screen.print("No hold would be left: the spec yields this version"),
    }
    Ok(())
}

fn target<'a>(
    object: &ProjectDeployment,
    remembered: &'a Remembered,
    wanted: &str,
) -> Result<&'a Record, Failure> {
    if wanted == "previous" {
        let previous = previous_version(object, remembered);
        let record = previous.and_then(|version| remembered.records.get(&version));
        return record.ok_or_else(|| Failure::error("there is no other version that was live"));
    }
    remembered.find(wanted).map_err(|error| Failure::error(error.to_string()))
}

/// Names of versions for the completion of a command line.
pub(super) fn names(remembered: &Remembered) -> Vec<String> {
    remembered.newest_first().into_iter().map(|record| short(&record.facts.version)).collect()
}
