//! What a run does: the scenarios, the subjects, how often and how large. Environment variables set it.

use std::env;

use super::subject::Subject;

/// Fewest projects: the scenario `restart` changes one in each of its three restarts.
const LEAST: usize = 3;
/// Most projects with the default ranges of node ports: the operator's has 2,568 ports, and the tries for a free one take
/// longer as it fills.
const MOST: usize = 2_500;
/// Most projects with the wider ranges of `make bench`, 20000 to 45000.
const MOST_WITH_WIDE_RANGES: usize = 20_000;

/// The range of node ports of the API server, such as 20000-45000, if it is not the default.
pub(crate) fn node_ports() -> Option<(u16, u16)> {
    let text = text("DOCE_NODE_PORT_RANGE")?;
    let (first, last) = text.split_once('-').expect("DOCE_NODE_PORT_RANGE: use first-last");
    Some((first.trim().parse().unwrap(), last.trim().parse().unwrap()))
}

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    Deploys,
    Changes,
    Burst,
    Fill,
    Idle,
    Restart,
}

impl Scenario {
    pub(crate) const ALL: [Self; 6] =
        [Self::Deploys, Self::Changes, Self::Burst, Self::Fill, Self::Idle, Self::Restart];

    /// Its name in `BENCH_ONLY`, and in the names of namespaces.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Deploys => "deploys",
            Self::Changes => "changes",
            Self::Burst => "burst",
            Self::Fill => "fill",
            Self::Idle => "idle",
            Self::Restart => "restart",
        }
    }
}

/// What a run does.
pub(crate) struct Settings {
    /// How often each subject runs each scenario.
    pub(crate) rounds: usize,
    /// Number of projects for the scenarios `fill`, `idle` and `restart`.
    pub(crate) scale: usize,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) subjects: Vec<Subject>,
}

impl Settings {
    /// Reads `BENCH_ROUNDS`, `BENCH_SCALE`, `BENCH_ONLY` and `BENCH_SUBJECTS`. A variable that is empty counts as unset.
    pub(crate) fn from_environment() -> Self {
        let scale = number("BENCH_SCALE", 1_000);
        let range = LEAST..=node_ports().map_or(MOST, |_| MOST_WITH_WIDE_RANGES);
        assert!(
            range.contains(&scale),
            "BENCH_SCALE={scale} is out of range: use {LEAST} to {}",
            range.end()
        );
        Self {
            rounds: number("BENCH_ROUNDS", 3),
            scale,
            scenarios: chosen("BENCH_ONLY", &Scenario::ALL, Scenario::name),
            subjects: chosen("BENCH_SUBJECTS", &Subject::ALL, Subject::name),
        }
    }

    /// The subjects in the order of this round. Every other round runs backwards, so no subject is always the first.
    pub(crate) fn order(&self, round: usize) -> Vec<Subject> {
        let mut order = self.subjects.clone();
        if round % 2 == 1 {
            order.reverse();
        }
        order
    }
}

fn text(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|text| !text.trim().is_empty())
}

fn number(variable: &str, otherwise: usize) -> usize {
    let Some(text) = text(variable) else { return otherwise };
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.unwrap_or_else(|| panic!("{variable}={text} is not a number above 0"))
}

/// The items that a comma list names, in the order of `all`. All of them if the variable is unset.
fn chosen<T: Copy + PartialEq>(variable: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Vec<T> {
    let Some(text) = text(variable) else { return all.to_vec() };
    let find = |word: &str| {
        let known = || all.iter().map(|item| name(*item)).collect::<Vec<_>>().join(", ");
        let found = all.iter().copied().find(|item| name(*item) == word);
        found.unwrap_or_else(|| panic!("{variable}: {word:?} is unknown: use {}", known()))
    };
    let named: Vec<T> = text.split(',').map(|word| find(word.trim())).collect();
    all.iter().copied().filter(|item| named.contains(item)).collect()
}
