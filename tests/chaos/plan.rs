//! A plan: which fault hits which request of which life. Its text repeats it.

use std::fmt;
use std::str::FromStr;

use crate::call::Call;
use crate::fault::Fault;

/// One fault and its position.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Step {
    /// The requests to count.
    pub call: Call,
    /// The number of the request among them, from 1.
    pub number: usize,
    /// What befalls it.
    pub fault: Fault,
}

/// One life with its faults.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Plan {
    /// Name of the workload.
    pub workload: String,
    /// The faults. Those after a death hit the next operator.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Creates a plan with one fault.
    pub(crate) fn new(workload: &str, call: &Call, number: usize, fault: Fault) -> Self {
        let step = Step { call: call.clone(), number, fault };
        Self { workload: workload.to_owned(), steps: vec![step] }
    }

    /// Adds a fault.
    pub(crate) fn then(mut self, call: &str, number: usize, fault: Fault) -> Self {
        let call = call.parse().expect("a request");
        self.steps.push(Step { call, number, fault });
        self
    }

    /// The faults that hit the n-th operator of the life (from 0), each with its position in the plan.
    pub(crate) fn of_operator(&self, number: usize) -> Vec<(usize, Step)> {
        let mut operator = 0;
        let mut found = vec![];
        for (place, step) in self.steps.iter().enumerate() {
            if operator == number {
                found.push((place, step.clone()));
            }
            operator += usize::from(step.fault.kills());
        }
        found
    }

    /// True if a fault hits a list: the operators of this life list instead of reading the first objects from a watch.
    pub(crate) fn lists(&self) -> bool {
        self.steps.iter().any(|step| step.call.verb == "LIST")
    }

    /// True if it waits until the operator gives up a watch.
    pub(crate) fn is_silent(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.fault, Fault::SilentAt(_)))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> =
            self.steps.iter().map(|step| format!("{}:{}:{}", step.call, step.number, step.fault)).collect();
        write!(out, "{}:{}", self.workload, steps.join("+"))
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (workload, rest) = text
            .split_once(':')
            .ok_or_else(|| format!("{text:?} is no plan: workload:VERB resource:number:fault[+…]"))?;
        let steps = rest.split('+').map(step).collect::<Result<_, String>>()?;
        Ok(Self { workload: workload.to_owned(), steps })
    }
}

fn step(text: &str) -> Result<Step, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [call, number, fault] = parts[..] else {
        return Err(format!("{text:?} is no fault at a place: VERB resource:number:fault"));
    };
    let number = number.parse().map_err(|_| format!("{number:?} is no number of a request"))?;
    Ok(Step { call: call.parse()?, number, fault: fault.parse()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_text_of_a_plan_parses_back() {
        for text in [
            "rollback:PATCH deployments:2:409",
            "first-deploy:PUT projectdeployments/status:1:die-after+LIST *:1:stale-list",
            "restart:WATCH deployments:1:silent@3",
        ] {
            assert_eq!(text.parse::<Plan>().unwrap().to_string(), text);
        }
        assert!("rollback:PATCH deployments:2:whim".parse::<Plan>().unwrap_err().contains("no fault"));
        assert!("rollback".parse::<Plan>().unwrap_err().contains("no plan"));
    }

    #[test]
    fn faults_after_a_death_hit_the_next_operator() {
        let plan: Plan = "a:POST jobs:1:die-after+LIST *:1:stale-list+WRITE *:1:die-before+LIST jobs:1:500"
            .parse()
            .unwrap();
        let places = |number| plan.of_operator(number).iter().map(|(place, _)| *place).collect::<Vec<_>>();
        assert_eq!((places(0), places(1), places(2)), (vec![0], vec![1, 2], vec![3]));
    }
}
