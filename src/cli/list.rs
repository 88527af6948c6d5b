//! `list`: the projects of a namespace.

use kube::ResourceExt as _;

use super::arguments::List;
use super::door::Door;
use super::failure::Failure;
use super::follow::address;
use super::output::{self, Format};
use super::screen::{Screen, Tone};
use super::table::{Rows, age, cut};
use crate::crd::ProjectDeployment;
use crate::view::progress::{Goal, Standing, condition, is_true, progress};

/// Longest message in a table, in characters.
const MESSAGE: usize = 100;

/// Lists the projects.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &List) -> Result<(), Failure> {
    let projects = door.projects(verb.all_namespaces, verb.selector.as_deref()).await?;
    let format = &verb.printed.output;
    if !format.is_for_people() {
        let names: Vec<String> = projects.iter().map(kube::ResourceExt::name_any).collect();
        return output::print(screen, format, &output::list(&projects), &names);
    }
    if projects.is_empty() {
        let place = if verb.all_namespaces {
            "any namespace".to_owned()
        } else {
            format!("namespace {}", door.namespace)
        };
        screen.note(&format!("No projects in {place}. Deploy one: kubectl doce deploy . {}", door.flags));
        return Ok(());
    }
    let wide = *format == Format::Wide;
    let mut headings = if verb.all_namespaces { vec!["NAMESPACE"] } else { vec![] };
    headings.extend(["NAME", "READY", "REASON", "VERSION", "URL", "AGE"]);
    if wide {
        headings.extend(["SOURCE", "PREVIOUS", "MESSAGE"]);
    }
    let mut rows = Rows::new(&headings);
    for object in &projects {
        let ready = condition(object, "Ready");
        let reason = ready.map_or("Unseen", |ready| ready.reason.as_str());
        let status = object.status.clone().unwrap_or_default();
        let created = object.creation_timestamp().map(|time| time.0);
        let mut row = if verb.all_namespaces { vec![object.namespace().unwrap_or_default()] } else { vec![] };
        row.extend([
            object.name_any(),
            ready.map_or("Unknown", |ready| ready.status.as_str()).to_owned(),
            reason.to_owned(),
            status.version.clone().unwrap_or_default(),
            address(object).unwrap_or_default(),
            created
                .map(|time| age(jiff::Timestamp::now().as_second() - time.as_second()))
                .unwrap_or_default(),
        ]);
        if wide {
            let source = status.source.as_ref().and_then(|source| source.reference.clone());
            let message = ready.map(|ready| cut(&ready.message, MESSAGE)).unwrap_or_default();
            row.extend([
                source.unwrap_or_default(),
                status.previous_version.clone().unwrap_or_default(),
                message,
            ]);
        }
        rows.push(row, reason, tone(object));
    }
    rows.print(screen);
    Ok(())
}

/// How the state of a project looks.
pub(super) fn tone(object: &ProjectDeployment) -> Tone {
    match progress(object, Goal::Live).standing {
        Standing::Reached => Tone::Good,
        Standing::Working => Tone::Busy,
        Standing::Stuck if is_true(object, "Ready") => Tone::Quiet,
        Standing::Stuck => Tone::Bad,
    }
}
