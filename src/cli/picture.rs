//! The one moving picture while a command waits: a line that changes on a terminal, timed lines elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::screen::{Screen, Tone, toned};
use crate::crd::ProjectDeployment;
use crate::crd::conditions::Reason;
use crate::text::printable::coloured;
use crate::view::build_steps::Doing;
use crate::view::progress::{Progress, Standing, condition};

/// Time between two frames.
const FRAME: Duration = Duration::from_millis(120);

/// Reason of a request that the operator has answered.
pub(super) const REQUESTED: &str = "Requested";

/// What a person sees while a command waits.
pub(super) struct Picture<'a> {
    screen: &'a Screen,
    bar: Option<ProgressBar>,
    begun: Instant,
    last: String,
    /// What the bar says, and what the build does.
    said: String,
    step: Option<String>,
}

impl<'a> Picture<'a> {
    pub(super) fn new(screen: &'a Screen) -> Self {
        let bar = screen.moves.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {elapsed:>4.dim} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(FRAME);
            bar
        });
        Self { screen, bar, begun: Instant::now(), last: String::new(), said: String::new(), step: None }
    }

    /// Shows how far the project is.
    pub(super) fn show(&mut self, progress: &Progress, object: &ProjectDeployment) {
        let detail = detail(progress, object);
        let text = format!("{}: {}{detail}", progress.reason, progress.message);
        // The answer to a request is printed by its command.
        if text == self.last || progress.reason == REQUESTED {
            return;
        }
        let tone = match progress.standing {
            Standing::Working => Tone::Busy,
            Standing::Reached => Tone::Good,
            Standing::Stuck => Tone::Bad,
        };
        if self.bar.is_some() {
            self.said = format!("{} {}{detail}", toned(tone, &progress.reason), progress.message);
            self.draw();
        } else {
            // The first look comes before the operator has seen anything. A silence that lasts is remarked.
            if self.last.is_empty() && progress.reason == Reason::Unseen.name() {
                return;
            }
            let seconds = self.begun.elapsed().as_secs_f32();
            // The command prints the last sentence itself.
            let text = if progress.standing == Standing::Reached { &progress.reason } else { &text };
            self.screen.note(&format!("{seconds:>7.1}s  {text}"));
        }
        self.last = text;
    }

    /// Shows what the build does.
    pub(super) fn step(&mut self, doing: Option<Doing>) {
        if self.bar.is_none() {
            if let Some(doing) = doing.filter(|doing| !doing.is_brief) {
                let seconds = self.begun.elapsed().as_secs_f32();
                self.screen.note(&format!("{seconds:>7.1}s    {}", coloured(&doing.text)));
            }
            return;
        }
        // The end of one step says nothing about the one that runs.
        if doing.as_ref().is_none_or(|doing| !doing.is_over) {
            self.step = doing.map(|doing| coloured(&doing.text));
            self.draw();
        }
    }

    fn draw(&self) {
        let Some(bar) = &self.bar else { return };
        // The step comes first: the line ends at the edge of the terminal.
        bar.set_message(match &self.step {
            Some(step) => format!("{} {}", toned(Tone::Busy, "Building"), step),
            None => self.said.clone(),
        });
    }

    /// Prints a remark without damage to the picture.
    pub(super) fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.screen.note(line)),
            None => self.screen.note(line),
        }
    }
}

impl Drop for Picture<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The pods that serve, if the message of the condition does not count them.
fn detail(progress: &Progress, object: &ProjectDeployment) -> String {
    let known =
        matches!(progress.reason.as_str(), "Serving" | "Unseen") || progress.message.contains(" pods");
    let counts = condition(object, "Available").filter(|available| available.status == "True" && !known);
    counts.map(|available| format!(" ({})", available.message)).unwrap_or_default()
}
