//! The table, for a terminal and as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::outcome::{Outcome, Verdict};

/// One example.
pub fn line(outcome: &Outcome) -> String {
    let [name, framework, built, ran, why] = cells(outcome);
    format!("{name:32} {framework:12} {built:6} {ran:10} {why}")
}

/// All examples, and the totals.
pub fn text(outcomes: &[Outcome]) -> String {
    let mut text = format!("{:32} {:12} {:6} {:10} why not\n", "example", "plan", "built", "as expected");
    for outcome in outcomes {
        let _ = writeln!(text, "{}", line(outcome));
    }
    for (family, totals) in totals(outcomes) {
        let Totals { all, planned, built, right, needs, other, nothing, wrong } = totals;
        let _ = writeln!(
            text,
            "{family:12} plan {planned} of {all}, built {built}, right {right}, wrong {wrong}, needs something {needs}, \
             another default {other}, nothing to compare {nothing}"
        );
    }
    text
}

/// The same as Markdown, the totals first.
pub fn markdown(outcomes: &[Outcome]) -> String {
    let mut text = "| family | plan | built | as expected | wrong | needs what there is none of here | another default version | nothing to compare |\n\
                    |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for (family, totals) in totals(outcomes) {
        let Totals { all, planned, built, right, needs, other, nothing, wrong } = totals;
        let _ = writeln!(
            text,
            "| {family} | {planned} of {all} | {built} | {right} | {wrong} | {needs} | {other} | {nothing} |"
        );
    }
    text.push_str("\n| example | plan | built | as expected | why not |\n|---|---|---|---|---|\n");
    for outcome in outcomes {
        let _ = writeln!(text, "| {} |", cells(outcome).map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    text
}

fn cells(outcome: &Outcome) -> [String; 5] {
    let built = match outcome.built {
        None => "",
        Some(true) => "yes",
        Some(false) => "no",
    };
    let ran =
        if outcome.tried == 0 { String::new() } else { format!("{} of {}", outcome.right, outcome.tried) };
    let needs = outcome.needs.iter().map(|needs| format!("needs {needs}"));
    let why: Vec<String> = needs.chain(outcome.why.iter().cloned()).collect();
    let framework = outcome.plan.clone().unwrap_or_else(|| "no".to_owned());
    [outcome.name.clone(), framework, built.to_owned(), ran, why.join("; ").replace('\n', " ")]
}

/// Number of examples of a family that meet a condition.
#[derive(Default)]
struct Totals {
    all: usize,
    planned: usize,
    built: usize,
    right: usize,
    needs: usize,
    other: usize,
    nothing: usize,
    wrong: usize,
}

impl Totals {
    fn count(&mut self, outcome: &Outcome) {
        self.all += 1;
        self.planned += usize::from(outcome.plan.is_some());
        self.built += usize::from(outcome.built == Some(true));
        match outcome.verdict() {
            Verdict::Right => self.right += 1,
            Verdict::Needs => self.needs += 1,
            Verdict::AnotherDefault => self.other += 1,
            Verdict::NothingToCompare => self.nothing += 1,
            Verdict::Wrong => self.wrong += 1,
            Verdict::Untried => {}
        }
    }
}

/// Totals of each family and of all.
fn totals(outcomes: &[Outcome]) -> BTreeMap<&str, Totals> {
    let mut totals = BTreeMap::<&str, Totals>::new();
    for outcome in outcomes {
        for family in [outcome.family(), "total"] {
            totals.entry(family).or_default().count(outcome);
        }
    }
    totals
}
