//! A life: where the source is at first and what happens then; and the search for one that an oracle objects to.
//! Nothing here knows what is right.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use super::event::{Event, Gap, Source, calm_gap, event, hasty_gap, source};
use super::play::{Decide, Fate, Play, Violation};

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) source: Source,
    pub(crate) events: Vec<(Event, Gap)>,
    /// Says when things happen between the events.
    pub(crate) dice: u64,
}

/// Whether the project comes to rest between the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It does, and is then compared with the rest of a smooth play of the same life.
    Calm,
    /// Events come at any point.
    Hasty,
}

/// A life that an oracle objects to.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) oracle: &'static str,
    pub(crate) story: String,
}

fn life(pace: Pace, fate: Fate) -> impl Strategy<Value = Life> {
    let gap = match pace {
        Pace::Calm => calm_gap().boxed(),
        Pace::Hasty => hasty_gap().boxed(),
    };
    let events = prop::collection::vec((event(), gap), 1..14);
    (source(), events, any::<u64>().no_shrink()).prop_map(move |(source, events, dice)| {
        let events = if pace == Pace::Calm { apart(events, fate) } else { events };
        Life { source, events, dice }
    })
}

/// Anything but a plain wish comes alone: whether it comes before or after another event would be chance.
/// A stale read may see the one without the other.
fn apart(mut events: Vec<(Event, Gap)>, fate: Fate) -> Vec<(Event, Gap)> {
    for at in 0..events.len() {
        let plain = |at: usize| events.get(at).is_some_and(|(event, _)| event.is_plain_wish());
        if !plain(at) || !plain(at + 1) || fate == Fate::StaleReads {
            events[at].1 = Gap::Settle;
        }
    }
    events
}

/// Plays as many lives as are asked for.
pub(crate) fn check(pace: Pace, fate: Fate, decide: Decide) {
    let number =
        |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (sequences, seed) = (number("MODEL_SEQUENCES", 300), number("MODEL_SEED", 1));
    println!("{sequences} lives, {pace:?}, {fate:?}, MODEL_SEED={seed}");
    if let Err(found) = search(pace, fate, decide, sequences, seed, 4000) {
        panic!("{} (MODEL_SEED={seed} MODEL_SEQUENCES={sequences})\n{}", found.oracle, found.story);
    }
}

/// Looks for a life that an oracle objects to, and shortens it.
pub(crate) fn search(
    pace: Pace,
    fate: Fate,
    decide: Decide,
    sequences: u64,
    seed: u64,
    shrink: u32,
) -> Result<(), Found> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let cases = u32::try_from(sequences).unwrap_or(u32::MAX);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: shrink, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let outcome = runner.run(&life(pace, fate), |life| {
        play(&life, pace, fate, decide).map_err(|violation| TestCaseError::fail(violation.oracle))
    });
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(_, life)) => Err(tell(&life, pace, fate, decide)),
        Err(TestError::Abort(why)) => panic!("the search was given up: {why}"),
    }
}

fn play(life: &Life, pace: Pace, fate: Fate, decide: Decide) -> Result<(), Violation> {
    let ends = Play::new(life, fate, fate, decide, false).run(&life.events)?;
    if pace == Pace::Hasty {
        return Ok(());
    }
    let smooth = Play::new(life, Fate::Smooth, fate, decide, false).run(&life.events)?;
    match ends.iter().zip(&smooth).position(|(end, smooth)| end != smooth) {
        Some(at) => {
            let (this, that) = (ends[at].differs_from(&smooth[at]), smooth[at].differs_from(&ends[at]));
            let what = format!("at rest {at}:\n{this}\n--- where nothing goes wrong:\n{that}");
            Err(Violation { oracle: "the_end_is_the_same", what })
        }
        None => Ok(()),
    }
}

fn tell(life: &Life, pace: Pace, fate: Fate, decide: Decide) -> Found {
    let Err(violation) = play(life, pace, fate, decide) else {
        return Found { oracle: "a_life_plays_the_same_twice", story: format!("{life:?}") };
    };
    let mut story = format!("{}\n{life:?}\n", violation.what);
    for played in if pace == Pace::Calm { vec![Fate::Smooth, fate] } else { vec![fate] } {
        let mut play = Play::new(life, played, fate, decide, true);
        let result = play.run(&life.events);
        let _ = write!(story, "--- {played:?}\n{}\n", play.story.unwrap_or_default().join("\n"));
        if result.is_err() {
            break;
        }
    }
    Found { oracle: violation.oracle, story }
}
