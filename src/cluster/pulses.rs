//! Whether the watches work, for `/readyz`. A watch without changes delivers nothing, so the answer to its restart counts too:
//! the API server ends each watch after `WATCH_SECONDS`. Nothing here talks to the API server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::runtime::watcher::{Event, Result};
use tokio::time::Instant;

use super::streamed::WATCH_SECONDS;

/// A watch from which nothing came for so long is broken: it should have restarted twice.
pub const SILENCE: Duration = Duration::from_secs(2 * WATCH_SECONDS as u64);

/// The pulse of each watch that the loop needs.
#[derive(Debug, Default)]
pub struct Pulses {
    of: Mutex<Vec<Arc<Pulse>>>,
}

/// What came from one watch.
#[derive(Debug)]
pub(super) struct Pulse {
    /// Plural of the kind, for people.
    what: &'static str,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Its first list is complete.
    listed: bool,
    /// When the last event or answer came.
    last: Instant,
    /// The error that followed.
    failed: Option<String>,
}

impl Pulses {
    /// Adds the pulse of a watch that is about to begin.
    pub(super) fn begin(&self, what: &'static str) -> Arc<Pulse> {
        let pulse = Arc::new(Pulse::new(what));
        self.of.lock().unwrap_or_else(PoisonError::into_inner).push(pulse.clone());
        pulse
    }

    /// The first watch that does not work, as text for people; `None` if all do.
    pub fn trouble(&self) -> Option<String> {
        let of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if of.is_empty() {
            return Some("the watches have not begun".to_owned());
        }
        of.iter().find_map(|pulse| pulse.trouble())
    }
}

impl Pulse {
    /// The pulse of a watch that has not begun.
    pub(super) fn new(what: &'static str) -> Self {
        let state = State { listed: false, last: Instant::now(), failed: None };
        Self { what, state: Mutex::new(state) }
    }

    /// Notes an event or an error of the watch. The events of a list that is not complete say nothing: the list may begin again
    /// and again.
    pub(super) fn heard<K>(&self, event: &Result<Event<K>>) {
        match event {
            Ok(Event::InitDone) => {
                self.lock().listed = true;
                self.beat();
            }
            Ok(Event::Apply(_) | Event::Delete(_)) => self.beat(),
            Ok(Event::Init | Event::InitApply(_)) => {}
            Err(error) => self.lock().failed = Some(error.to_string()),
        }
    }

    /// Notes that the API server restarted the watch, or that it delivered something.
    pub(super) fn beat(&self) {
        let mut state = self.lock();
        (state.last, state.failed) = (Instant::now(), None);
    }

    fn trouble(&self) -> Option<String> {
        let (state, what) = (self.lock(), self.what);
        let why = state.failed.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
        let silent = state.last.elapsed();
        match () {
            () if !state.listed => Some(format!(
                "the first list of {what} is not complete{why}: is the CRD installed, and may the operator list and watch every kind?"
            )),
            () if silent > SILENCE => Some(format!(
                "the watch of {what} has been silent for {} s{why}: does the API server answer, and may the operator list and watch \
                 them?",
                silent.as_secs()
            )),
            () => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Error;
    use tokio::time::advance;

    use super::*;

    fn heard(pulse: &Pulse, event: Event<()>) {
        pulse.heard(&Ok(event));
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_works_from_its_first_list_until_it_is_silent_for_two_of_its_periods() {
        let pulses = Pulses::default();
        assert_eq!(pulses.trouble().as_deref(), Some("the watches have not begun"));
        let (projects, pods) = (pulses.begin("ProjectDeployments"), pulses.begin("Pods"));
        heard(&pods, Event::InitDone);
        heard(&projects, Event::Init);
        heard(&projects, Event::InitApply(()));
        projects.beat(); // The API server answered the first watch, and nothing followed.
        let said = pulses.trouble().unwrap();
        assert!(said.starts_with("the first list of ProjectDeployments is not complete: "), "{said}");
        heard(&projects, Event::InitDone);
        assert_eq!(pulses.trouble(), None);

        advance(SILENCE).await;
        heard(&pods, Event::Apply(()));
        assert_eq!(pulses.trouble(), None, "both could have restarted in this moment");
        advance(Duration::from_secs(1)).await;
        projects.heard::<()>(&Err(Error::NoResourceVersion));
        let said = pulses.trouble().unwrap();
        assert!(
            said.starts_with(
                "the watch of ProjectDeployments has been silent for 121 s (no metadata.resourceVersion"
            ),
            "{said}"
        );
        heard(&projects, Event::Init);
        assert!(pulses.trouble().is_some(), "it only tries again");
        projects.beat();
        assert_eq!(pulses.trouble(), None);
    }
}
