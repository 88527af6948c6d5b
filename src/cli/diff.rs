//! `diff`: what differs between two versions.

use serde_json::Value;

use super::arguments::Diff;
use super::door::Door;
use super::failure::Failure;
use super::output;
use super::screen::{Screen, Tone, toned};
use crate::text::printable::printable;
use crate::version::short;
use crate::view::diff::{Change, Difference, difference, difference_with_values};
use crate::view::versions::Source;

/// Shows what differs.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &Diff) -> Result<(), Failure> {
    let object = door.project(&verb.name).await?;
    let remembered = door.remembered(&object).await?;
    let unknown = |error: crate::view::remembered::Unknown| Failure::error(error.to_string());
    let serves = object.status.as_ref().and_then(|status| status.version.clone());
    let to = verb.to.clone().or(serves).ok_or_else(|| {
        Failure::usage(format!(
            "no version of {} serves. Name the second version too: kubectl doce diff {} {} VERSION {}",
            verb.name, verb.name, verb.from, door.flags
        ))
    })?;
    let (before, after) =
        (remembered.find(&verb.from).map_err(unknown)?, remembered.find(&to).map_err(unknown)?);
    let compare = if verb.show_values { difference_with_values } else { difference };
    let found = compare(before, after);
    let format = &verb.printed.output;
    if !format.is_for_people() {
        return output::print(screen, format, &found, std::slice::from_ref(&verb.name));
    }
    show(screen, &found);
    Ok(())
}

/// Prints a difference for people.
pub(super) fn show(screen: &Screen, found: &Difference) {
    let headline = format!("{} → {}", found.from, found.to);
    screen.print(&toned(Tone::Strong, &headline));
    if found.is_empty() {
        screen.print("  nothing differs");
        return;
    }
    if let Some(source) = &found.source {
        screen.print("  source");
        minus(screen, &named(&source.from));
        plus(screen, &named(&source.to));
    }
    if found.build_settings_differ {
        screen.print("  the same source, built with other settings (spec.build)");
    }
    if let Some(image) = &found.image {
        change(screen, image);
    }
    for field in &found.run {
        change(screen, field);
    }
}

fn named(source: &Source) -> String {
    let reference = source.reference.as_deref();
    let says_digest = reference.is_some_and(|reference| reference.contains(&source.digest));
    let digest = (!says_digest).then(|| source.short_digest());
    let parts = [reference, digest, source.message.as_deref(), source.author.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

fn change(screen: &Screen, change: &Change) {
    screen.print(&format!("  {}", printable(&change.field)));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(from) = &change.from {
        minus(screen, &text(from));
    }
    if let Some(to) = &change.to {
        plus(screen, &text(to));
    }
}

fn minus(screen: &Screen, text: &str) {
    screen.print(&format!("    {}", toned(Tone::Bad, &format!("- {}", printable(text)))));
}

fn plus(screen: &Screen, text: &str) {
    screen.print(&format!("    {}", toned(Tone::Good, &format!("+ {}", printable(text)))));
}

/// The short names of two versions are the same.
pub(super) fn is_same(hash: &str, name: Option<&str>) -> bool {
    name == Some(short(hash).as_str())
}
