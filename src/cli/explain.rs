//! `explain`: why a project does not run.

use super::arguments::One;
use super::door::Door;
use super::failure::Failure;
use super::output;
use super::screen::{Screen, Tone, toned};
use crate::text::printable::printable;
use crate::view::cause::{Around, Cause, cause};

/// Says the first cause, the evidence and the next command.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &One) -> Result<(), Failure> {
    let object = door.project(&verb.name).await?;
    let (pods, events) = tokio::join!(door.pods(&verb.name), door.events(&verb.name));
    let pods = pods.unwrap_or_default(); // Without the right to read pods, status alone explains.
    let found = cause(&object, Around { pods: &pods, events: &events, flags: Some(&door.flags) });
    let format = &verb.printed.output;
    if !format.is_for_people() {
        return output::print(screen, format, &found, std::slice::from_ref(&verb.name));
    }
    screen.print(&text(&found));
    Ok(())
}

/// A cause as text.
pub(super) fn text(found: &Cause) -> String {
    let tone = if found.well { Tone::Good } else { Tone::Bad };
    let mut lines = vec![
        format!("{}  {}", toned(Tone::Strong, &found.project), toned(tone, &printable(&found.reason))),
        format!("  {}", printable(&found.message)),
    ];
    for more in &found.also {
        lines.push(format!("  {}", printable(more)));
    }
    if !found.evidence.is_empty() {
        lines.push(toned(Tone::Strong, "Evidence"));
    }
    for evidence in &found.evidence {
        lines.push(format!("  {}:", printable(&evidence.from)));
        lines.extend(
            evidence.says.lines().map(|line| format!("    {}", toned(Tone::Quiet, &printable(line)))),
        );
    }
    if !found.next.is_empty() {
        lines.push(toned(Tone::Strong, "Next"));
    }
    for next in &found.next {
        lines.push(format!("  {}:", next.to));
        lines.push(format!("    {}", printable(&next.command)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::cause::Evidence;

    #[test]
    fn texts_of_others_cannot_move_the_cursor_or_colour_the_screen() {
        let evil = "a\u{1b}[2J\u{1b}[32mb\u{202e}c";
        let evidence = vec![Evidence { from: evil.to_owned(), says: format!("{evil}\n{evil}") }];
        let found =
            Cause { message: evil.to_owned(), also: vec![evil.to_owned()], evidence, ..Cause::default() };
        let shown = text(&found);
        assert!(!shown.contains("\u{1b}[2J") && !shown.contains("\u{1b}[32m") && !shown.contains('\u{202e}'));
        assert_eq!(shown.matches("abc").count(), 5, "{shown}");
    }
}
