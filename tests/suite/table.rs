//! The table, for a terminal and as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::outcome::Outcome;

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
    for (family, [planned, built, right, all]) in totals(outcomes) {
        let _ = writeln!(text, "{family:12} plan {planned} of {all}, built {built}, as expected {right}");
    }
    text
}

/// The same as Markdown, the totals first.
pub fn markdown(outcomes: &[Outcome]) -> String {
    let mut text = "| family | plan | built | as expected |\n|---|---|---|---|\n".to_owned();
    for (family, [planned, built, right, all]) in totals(outcomes) {
        let _ = writeln!(text, "| {family} | {planned} of {all} | {built} | {right} |");
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

/// How many of a family have a plan, were built, did everything that they should, and are there.
fn totals(outcomes: &[Outcome]) -> BTreeMap<&str, [usize; 4]> {
    let mut totals = BTreeMap::<&str, [usize; 4]>::new();
    for outcome in outcomes {
        let right = outcome.tried > 0 && outcome.right == outcome.tried;
        let counted = [outcome.plan.is_some(), outcome.built == Some(true), right, true];
        for family in [outcome.family(), "total"] {
            let there = totals.entry(family).or_default();
            there.iter_mut().zip(counted).for_each(|(sum, one)| *sum += usize::from(one));
        }
    }
    totals
}
