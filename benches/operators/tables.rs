//! All figures of a run as Markdown tables: medians of the rounds, and their ratios to the lean operator.

use super::figures::{Figures, middle};
use super::settings::{Scenario, Settings};
use super::subject::Subject;

/// The figures of all sessions.
#[derive(Default)]
pub(crate) struct Results(Vec<(Scenario, Subject, Figures)>);

impl Results {
    pub(crate) fn add(&mut self, scenario: Scenario, subject: Subject, figures: Figures) {
        self.0.push((scenario, subject, figures));
    }

    /// Prints the table of one scenario.
    pub(crate) fn print(&self, scenario: Scenario, settings: &Settings) {
        println!("\n## {}\n", title(scenario, settings.scale));
        let subjects = || settings.subjects.iter().copied();
        let heads: Vec<_> = subjects().map(Subject::title).collect();
        println!("| | {} |", heads.join(" | "));
        println!("|---|{}", "---:|".repeat(heads.len()));
        for (name, unit) in self.rows(scenario) {
            let cells: Vec<_> = subjects().map(|subject| self.cell(scenario, subject, name)).collect();
            let unit = if unit.is_empty() { String::new() } else { format!(", {unit}") };
            println!("| {name}{unit} | {} |", cells.join(" | "));
        }
    }

    /// Names and units of the rows. A row that only some sessions have follows its neighbour in those.
    fn rows(&self, scenario: Scenario) -> Vec<(&str, &'static str)> {
        let mut rows: Vec<(&str, &'static str)> = vec![];
        for (_, _, figures) in self.0.iter().filter(|(of, ..)| *of == scenario) {
            let mut place = 0;
            for row in figures.names() {
                let known = rows.iter().position(|known| *known == row);
                if known.is_none() {
                    rows.insert(place, row);
                }
                place = known.unwrap_or(place) + 1;
            }
        }
        rows
    }

    /// The median, and its ratio to that of the lean operator.
    fn cell(&self, scenario: Scenario, subject: Subject, name: &str) -> String {
        let Some(value) = self.median(scenario, subject, name) else { return "–".to_owned() };
        let lean = self.median(scenario, Subject::Lean, name);
        match lean.filter(|lean| subject != Subject::Lean && *lean > 0.0) {
            Some(lean) => format!("{} (× {:.2})", shown(value), value / lean),
            None => shown(value),
        }
    }

    /// The median of the rounds. A row that only some of the rounds have counts as 0 in the others.
    fn median(&self, scenario: Scenario, subject: Subject, name: &str) -> Option<f64> {
        let rounds = self.0.iter().filter(|(of, by, _)| *of == scenario && *by == subject);
        let values: Vec<Option<f64>> = rounds.map(|(.., figures)| figures.value(name)).collect();
        values
            .iter()
            .any(Option::is_some)
            .then(|| middle(values.iter().map(|value| value.unwrap_or(0.0)).collect()))
    }
}

fn title(scenario: Scenario, scale: usize) -> String {
    match scenario {
        Scenario::Deploys => "First deploys, one at a time".to_owned(),
        Scenario::Changes => "Image changes and rollbacks, one at a time".to_owned(),
        Scenario::Burst => "300 first deploys from 16 workers".to_owned(),
        Scenario::Fill => format!("{scale} projects"),
        Scenario::Idle => format!("One minute without requests, {scale} projects"),
        Scenario::Restart => format!("`kill -9` and restart, {scale} projects"),
    }
}

/// Two decimals at most: the figures are no more exact than that.
fn shown(value: f64) -> String {
    let decimals = if value >= 100.0 || value == 0.0 { 0 } else { 1 + usize::from(value < 10.0) };
    format!("{value:.decimals$}")
}
