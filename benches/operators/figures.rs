//! The figures of one scenario in one session.

use std::time::Duration;

use super::settings::Scenario;
use super::subject::Subject;

#[derive(Clone)]
struct Figure {
    name: String,
    unit: &'static str,
    value: f64,
}

/// Named values, in the order in which they were added.
#[derive(Clone, Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    pub(crate) fn add(&mut self, name: &str, unit: &'static str, value: f64) {
        self.0.push(Figure { name: name.to_owned(), unit, value });
    }

    /// Adds the 50th and the 99th percentile of durations.
    pub(crate) fn times(&mut self, name: &str, mut durations: Vec<Duration>) {
        durations.sort();
        for percent in [50, 99] {
            let value = percentile(&durations, percent).as_secs_f64() * 1000.0;
            self.add(&format!("{name}, p{percent}"), "ms", value);
        }
    }

    /// Names and units, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.0.iter().map(|figure| (figure.name.as_str(), figure.unit))
    }

    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }

    /// Prints the figures of one round, so that a reader of the output sees the spread between rounds.
    pub(crate) fn print_progress(&self, scenario: Scenario, subject: Subject, round: usize) {
        let values = self.0.iter().map(|Figure { name, unit, value }| format!("{name} {value:.1} {unit}"));
        let values: Vec<String> = values.map(|value| value.trim_end().to_owned()).collect();
        eprintln!("round {}, {}, {}: {}", round + 1, scenario.name(), subject.title(), values.join("; "));
    }
}

/// The smallest duration that at least `percent` of all do not exceed. `sorted` must not be empty.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

/// The median. `values` must not be empty.
pub(crate) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

/// A count, for arithmetic. No count of a run comes near the limit.
pub(crate) fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
