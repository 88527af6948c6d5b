//! `rollback`: back to a version, and the wait until it serves.

use std::io::BufRead as _;

use super::arguments::Rollback;
use super::deadline::Deadline;
use super::diff::{is_same, show};
use super::door::Door;
use super::failure::Failure;
use super::follow::{Asked, ask, tell, until_judged};
use super::history::table;
use super::screen::Screen;
use crate::crd::ProjectDeployment;
use crate::memory::record::Record;
use crate::request::Request;
use crate::version::short;
use crate::view::diff::difference;
use crate::view::progress::{Goal, Progress, Standing, condition, is_true, progress};
use crate::view::remembered::Remembered;
use crate::view::versions::{Version, offered, previous_version, version, versions};

/// Rolls back.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &Rollback) -> Result<(), Failure> {
    let object = door.project(&verb.name).await?;
    let remembered = door.remembered(&object).await?;
    let wanted = if let Some(version) = &verb.version {
        version.clone()
    } else {
        let offered = offered(&object, &remembered).map(|offered| offered.version);
        choose(door, screen, &verb.name, &versions(&object, &remembered), offered.as_deref())?
    };
    if verb.dry_run {
        return preview(screen, &object, &remembered, verb, &wanted);
    }
    let rollback = Request::rollback(&wanted);
    let requests = if verb.retry { vec![Request::retry(), rollback] } else { vec![rollback] };
    let deadline = Deadline::of_waiting(&verb.waiting);
    let Asked { outcome, .. } = ask(door, screen, &verb.name, &requests, deadline)
        .await
        .map_err(|failure| with_flag(failure, &verb.name, &wanted, &door.flags))?;
    screen.print(&format!("{}: {outcome}", verb.name));
    let target = outcome.split_whitespace().find(|word| word.len() == 9 && word.starts_with('v'));
    let target = target.map(str::to_owned);
    if verb.waiting.no_wait {
        return Ok(());
    }
    let judge = |object: &ProjectDeployment| judge(object, target.as_deref());
    let object = until_judged(door, screen, &verb.name, deadline, judge).await?;
    tell(screen, &object);
    if condition(&object, "Ready").is_some_and(|ready| ready.reason == "Held") {
        screen.note("Git and the spec are unchanged. The next commit or manifest that yields another version ends the hold");
    }
    Ok(())
}

/// How far a rollback to `target` is. A newer version may have ended the hold meanwhile: then another one serves.
fn judge(object: &ProjectDeployment, target: Option<&str>) -> Progress {
    let found = progress(object, Goal::Live);
    let serves = object.status.as_ref().and_then(|status| status.version.as_deref());
    let Some(target) = target.filter(|target| serves != Some(target)) else { return found };
    if found.standing != Standing::Reached {
        return found;
    }
    if is_true(object, "Reconciling") {
        return Progress { standing: Standing::Working, ..found };
    }
    let message = format!("{} serves instead of {target}", serves.unwrap_or("another version"));
    Progress { standing: Standing::Stuck, message, ..found }
}

/// The operator names annotations; a person at this program has a flag.
fn with_flag(failure: Failure, name: &str, wanted: &str, flags: &str) -> Failure {
    if !failure.message.contains("doce.dev/retry") {
        return failure;
    }
    Failure {
        message: format!("{}, or: kubectl doce rollback {name} {wanted} --retry {flags}", failure.message),
        ..failure
    }
}

/// Lets a person choose from a list.
fn choose(
    door: &Door,
    screen: &Screen,
    name: &str,
    versions: &[Version],
    offered: Option<&str>,
) -> Result<String, Failure> {
    let usable: Vec<&Version> = versions.iter().filter(|version| version.rollback.possible).collect();
    if !screen.asks {
        let names: Vec<&str> = usable.iter().map(|version| version.version.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(Failure::usage(format!(
            "name a version: kubectl doce rollback {name} previous {}. Versions to go back to: {names}",
            door.flags
        )));
    }
    table(versions, false).print(screen);
    if usable.is_empty() {
        return Err(Failure::error(format!("{name} has no version to roll back to")));
    }
    let enter = offered.map(|offered| format!(", or Enter for {offered}")).unwrap_or_default();
    screen.note(&format!("Roll back to which version? Type the beginning of its name{enter}:"));
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::file("standard input", &error))?;
    chosen(&line, offered).ok_or_else(|| {
        Failure::error("no version was chosen, so nothing was changed. Repeat the command to choose one")
    })
}

/// The version that a typed line names; none if it names none. The end of the input comes without a line break.
fn chosen(line: &str, offered: Option<&str>) -> Option<String> {
    match line.trim() {
        "" => offered.filter(|_| !line.is_empty()).map(str::to_owned),
        typed => Some(typed.to_owned()),
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn enter_chooses_only_what_is_offered_and_the_end_of_the_input_chooses_nothing() {
        for (line, offered, expected) in [
            ("v12\n", Some("v9"), Some("v12")),
            ("v12", None, Some("v12")),
            ("\n", Some("v9"), Some("v9")),
            (" \n", None, None),
            ("", Some("v9"), None),
        ] {
            assert_eq!(chosen(line, offered).as_deref(), expected, "{line:?} {offered:?}");
        }
    }

    #[test]
    fn a_rollback_ends_when_its_version_serves_or_when_another_one_serves_for_good() {
        let object = |version: &str, ready: bool, busy: bool| -> ProjectDeployment {
            let condition = |kind: &str, status: bool| {
                json!({
                    "type": kind, "status": if status { "True" } else { "False" }, "reason": "Serving",
                    "message": "It serves", "lastTransitionTime": "2026-11-30T12:00:00Z",
                })
            };
            serde_json::from_value(json!({
                "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "metadata": { "name": "shop" },
                "spec": { "source": { "git": { "url": "https://git.test/shop.git" } } },
                "status": {
                    "observedGeneration": 1, "version": version,
                    "conditions": [condition("Ready", ready), condition("Reconciling", busy)],
                },
            }))
            .unwrap()
        };
        for (version, ready, busy, standing, message) in [
            ("v1", true, false, Standing::Reached, "It serves"),
            ("v3", false, true, Standing::Working, "It serves"),
            ("v3", true, true, Standing::Working, "It serves"),
            ("v3", true, false, Standing::Stuck, "v3 serves instead of v1"),
        ] {
            let found = judge(&object(version, ready, busy), Some("v1"));
            assert_eq!(
                (found.standing, found.message.as_str()),
                (standing, message),
                "{version} {ready} {busy}"
            );
        }
        assert_eq!(judge(&object("v3", true, false), None).standing, Standing::Reached);
    }
}
