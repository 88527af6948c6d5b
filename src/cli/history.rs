//! `history`: the versions of a project.

use super::arguments::One;
use super::door::Door;
use super::failure::Failure;
use super::output::{self, Format};
use super::screen::{Screen, Tone};
use super::table::{Rows, age, cut, duration};
use crate::view::versions::{Rollback, State, Version, versions};

/// Longest message of a commit in a table, in characters.
const MESSAGE: usize = 40;

/// Lists the versions.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &One) -> Result<(), Failure> {
    let object = door.project(&verb.name).await?;
    let versions = versions(&object, &door.remembered(&object).await?);
    let format = &verb.printed.output;
    if !format.is_for_people() {
        let names: Vec<String> = versions.iter().map(|version| version.version.clone()).collect();
        if *format == Format::Name {
            for name in &names {
                screen.print(name);
            }
            return Ok(());
        }
        return output::print(screen, format, &output::list(&versions), &names);
    }
    if versions.is_empty() {
        screen.note(&format!(
            "{} has no version yet. See what it does: kubectl doce status {} {}",
            verb.name, verb.name, door.flags
        ));
        return Ok(());
    }
    table(&versions, *format == Format::Wide).print(screen);
    Ok(())
}

/// The versions as a table.
pub(super) fn table(versions: &[Version], wide: bool) -> Rows {
    let mut headings = vec!["VERSION", "STATE", "COMMIT", "MESSAGE", "BY", "HOW", "TOOK", "AGE", "ROLLBACK"];
    if wide {
        headings.extend(["AUTHOR", "COMMITTED", "REF", "IMAGE"]);
    }
    let mut rows = Rows::new(&headings);
    for version in versions {
        let state = match &version.reason {
            Some(reason) => format!("{} ({reason})", version.state.word()),
            None => version.state.word().to_owned(),
        };
        let created = version.created_at;
        let mut row = vec![
            version.version.clone(),
            state,
            version.source.short_digest().to_owned(),
            cut(version.source.message.as_deref().unwrap_or_default(), MESSAGE),
            version.by.clone().unwrap_or_default(),
            version.trigger.map(|trigger| format!("{trigger:?}")).unwrap_or_default(),
            version.duration_seconds.map(duration).unwrap_or_default(),
            created
                .map(|time| age(jiff::Timestamp::now().as_second() - time.as_second()))
                .unwrap_or_default(),
            usable(&version.rollback),
        ];
        if wide {
            row.extend([
                version.source.author.clone().unwrap_or_default(),
                version.source.committed_at.map(|time| time.to_string()).unwrap_or_default(),
                version.source.reference.clone().unwrap_or_default(),
                version.image.clone().unwrap_or_default(),
            ]);
        }
        rows.push(row, version.state.word(), tone(version.state));
    }
    rows
}

fn usable(rollback: &Rollback) -> String {
    let why = rollback.why.as_deref();
    match (rollback.possible, why) {
        (true, None) => "yes".to_owned(),
        (true, Some(why)) => format!("yes: {why}"),
        (false, _) if rollback.needs_retry => format!("with --retry: {}", why.unwrap_or_default()),
        (false, why) => format!("no: {}", why.unwrap_or_default()),
    }
}

fn tone(state: State) -> Tone {
    match state {
        State::Serving => Tone::Good,
        State::Building => Tone::Busy,
        State::Failed | State::Cancelled => Tone::Bad,
        State::Built | State::Live => Tone::Quiet,
    }
}
