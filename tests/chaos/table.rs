//! The figures of a campaign: plans, faults, checks, violations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::evidence::Evidence;
use crate::fault::Fault;
use crate::invariants::ALL;
use crate::plan::Plan;

/// See the module.
#[derive(Default)]
pub(crate) struct Table {
    lives: usize,
    plans: usize,
    never_struck: usize,
    /// Plans without time left to run.
    pub not_begun: usize,
    planned: BTreeSet<&'static str>,
    struck: BTreeMap<&'static str, usize>,
    checks: BTreeMap<u8, usize>,
    breaches: BTreeMap<u8, usize>,
    /// Duration of the campaign.
    pub took: Duration,
}

impl Table {
    /// Counts a life: the sentences of its violations, and whether its plan struck at all.
    pub(crate) fn count(
        &mut self,
        plan: Option<&Plan>,
        struck: &[Fault],
        evidence: &Evidence,
    ) -> Vec<String> {
        match plan {
            Some(_) if struck.is_empty() => self.never_struck += 1,
            Some(_) => self.plans += 1,
            None => self.lives += 1,
        }
        self.planned.extend(plan.into_iter().flat_map(|plan| &plan.steps).map(|step| step.fault.family()));
        for fault in struck {
            *self.struck.entry(fault.family()).or_default() += 1;
        }
        let mut sentences = vec![];
        for invariant in ALL {
            let finding = (invariant.look)(evidence);
            *self.checks.entry(invariant.number).or_default() += finding.checks;
            *self.breaches.entry(invariant.number).or_default() += finding.breaches.len();
            if let Some(first) = finding.breaches.first() {
                let more = finding.breaches.len() - 1;
                let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
                sentences.push(format!("  {}. {}: {first}{more}", invariant.number, invariant.sentence));
            }
        }
        sentences
    }

    /// Kinds of faults that plans contain and that never occurred.
    pub(crate) fn absent(&self) -> Vec<&'static str> {
        self.planned.iter().filter(|fault| !self.struck.contains_key(*fault)).copied().collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: usize = self.struck.values().sum();
        let checks: usize = self.checks.values().sum();
        let breaches: usize = self.breaches.values().sum();
        writeln!(out, "| | |\n|---|---:|")?;
        writeln!(out, "| plans run | {} |", self.plans)?;
        writeln!(out, "| plans whose fault never occurred, not counted above | {} |", self.never_struck)?;
        if self.not_begun > 0 {
            writeln!(out, "| plans not started, out of time | {} |", self.not_begun)?;
        }
        writeln!(out, "| lives without faults, the reference | {} |", self.lives)?;
        writeln!(out, "| faults injected | {faults} |")?;
        for (fault, number) in &self.struck {
            writeln!(out, "| … {fault} | {number} |")?;
        }
        writeln!(out, "| invariants | {} |", ALL.len())?;
        writeln!(out, "| checks | {checks} |")?;
        writeln!(out, "| violations | {breaches} |")?;
        writeln!(out, "| minutes | {:.1} |\n", self.took.as_secs_f64() / 60.0)?;
        writeln!(out, "| invariant | checks | violations |\n|---|---:|---:|")?;
        for invariant in ALL {
            let of = |counts: &BTreeMap<u8, usize>| counts.get(&invariant.number).copied().unwrap_or(0);
            let (checks, breaches) = (of(&self.checks), of(&self.breaches));
            writeln!(out, "| {}. {} | {checks} | {breaches} |", invariant.number, invariant.sentence)?;
        }
        Ok(())
    }
}
