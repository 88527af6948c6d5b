//! All plans: every fault at every request where it can happen, learned from the life without faults, except
//! repetitions (docs/chaos.md lists them). A sample is drawn from these.

use std::collections::BTreeMap;

use crate::call::Call;
use crate::fault::Fault;
use crate::life::Whole;
use crate::plan::Plan;
use crate::workloads::Workload;

/// Faults of every write.
const WRITE: [Fault; 7] = [
    Fault::DieBefore,
    Fault::DieAfter,
    Fault::Conflict,
    Fault::Invalid,
    Fault::Internal,
    Fault::TimeoutAfter,
    Fault::CutAfter,
];
/// Faults of only the first write of each kind. The client's own retries hide the one from the operator, and the other
/// looks like an answer of 500.
const FIRST_WRITE: [Fault; 2] = [Fault::TooMany, Fault::CutBefore];
/// Faults of Events, on which nothing depends.
const EVENT: [Fault; 3] = [Fault::DieBefore, Fault::Internal, Fault::CutAfter];
/// Faults of reads of one object.
const GET: [Fault; 5] = [Fault::DieBefore, Fault::TooMany, Fault::Internal, Fault::CutAfter, Fault::StaleGet];
/// Faults of an operator's initial lists, which it sends if the API server cannot stream the first objects.
const LIST: [Fault; 6] =
    [Fault::DieBefore, Fault::DieAfter, Fault::TooMany, Fault::Internal, Fault::CutAfter, Fault::Expired];
/// Faults of the opening of a watch.
const WATCH: [Fault; 5] =
    [Fault::DieBefore, Fault::TooMany, Fault::Internal, Fault::CutBefore, Fault::Expired];

/// Workloads that disturb the start of operators: one starts with nothing, one with objects. All operators start alike.
const BEGINNINGS: [&str; 2] = ["first-deploy", "rollback"];

/// Watches that fall silent, each after its first event in the life without faults.
const SILENT: [(&str, &str); 8] = [
    ("first-deploy", "jobs"),
    ("first-deploy", "pods"),
    ("new-version", "deployments"),
    ("never-ready", "deployments"),
    ("rollback", "projectdeployments"),
    ("rollback", "replicasets"),
    ("restart", "controllerrevisions"),
    ("recreate", "services"),
];

/// Exception that ends differently on purpose: the operator does not retry a rejected cleanup Job, and its image stays
/// (`control_plane/cleanups.rs`).
const OTHERWISE: [&str; 1] = ["image-goes:POST jobs:2:422"];

/// All plans of a workload.
pub(crate) fn of(workload: &Workload, whole: &Whole) -> Vec<Plan> {
    let mut plans = all(workload.name, whole);
    plans.retain(|plan| !OTHERWISE.contains(&plan.to_string().as_str()));
    plans
}

fn all(name: &str, whole: &Whole) -> Vec<Plan> {
    let mut plans = vec![];
    for (call, count) in &whole.calls {
        let each = |faults: &[Fault], numbers: std::ops::RangeInclusive<usize>| -> Vec<Plan> {
            numbers
                .flat_map(|number| faults.iter().map(move |fault| (number, *fault)))
                .map(|(number, fault)| Plan::new(name, call, number, fault))
                .collect()
        };
        match call.verb.as_str() {
            _ if call.is_event() => plans.extend(each(&EVENT, 1..=1)),
            "GET" => plans.extend(each(&GET, 1..=*count)),
            "WATCH" => {
                if BEGINNINGS.contains(&name) {
                    plans.extend(each(&WATCH, 1..=1));
                    let list = Call { verb: "LIST".to_owned(), resource: call.resource.clone() };
                    plans.extend(LIST.iter().map(|fault| Plan::new(name, &list, 1, *fault)));
                }
                let events = whole.events.get(call).copied().unwrap_or(0);
                plans.extend(streams(name, call, events));
            }
            "LIST" => {}
            _ => {
                plans.extend(each(&WRITE, 1..=*count));
                plans.extend(each(&FIRST_WRITE, 1..=1));
                plans.extend((1..=*count).flat_map(|number| successors(name, call, number)));
            }
        }
    }
    plans
}

/// A stream is cut, or says 410, at its beginning, in its middle and before its end.
fn streams(name: &str, call: &Call, events: usize) -> Vec<Plan> {
    let mut places = vec![0, events / 2, events.saturating_sub(1)];
    places.dedup();
    places.retain(|_| events > 0);
    let silent = SILENT.contains(&(name, call.resource.as_str())) && events > 0;
    let silent = silent.then(|| Plan::new(name, call, 1, Fault::SilentAt(1)));
    let broken = places.into_iter().flat_map(|at| [Fault::CutAt(at), Fault::ExpiredAt(at)]);
    broken.map(|fault| Plan::new(name, call, 1, fault)).chain(silent).collect()
}

/// A death after a write, and a fault of the next operator. Either it dies too, or it gets lists from the start of its
/// predecessor: of the written kind or of all kinds. With these lists, its reads of single objects are stale too.
fn successors(name: &str, call: &Call, number: usize) -> Vec<Plan> {
    let died = || Plan::new(name, call, number, Fault::DieAfter);
    let kind = call.resource.split('/').next().unwrap_or_default();
    vec![
        died().then("WRITE *", 1, Fault::DieAfter),
        died().then(&format!("LIST {kind}"), 1, Fault::StaleList),
        died().then("LIST *", 1, Fault::StaleList).then("GET *", 1, Fault::StaleGet),
    ]
}

/// `number` plans, drawn by `seed`. Each fault gets its turn, so that rare ones are included.
pub(crate) fn sample(plans: Vec<Plan>, number: usize, seed: u64) -> Vec<Plan> {
    let mut dice = seed;
    let mut heaps: BTreeMap<String, Vec<(u64, Plan)>> = BTreeMap::new();
    for plan in plans {
        let heap = heaps.entry(family(&plan)).or_default();
        heap.push((thrown(&mut dice), plan));
    }
    for heap in heaps.values_mut() {
        heap.sort_by_key(|(throw, _)| *throw);
    }
    let mut drawn = vec![];
    while drawn.len() < number && heaps.values().any(|heap| !heap.is_empty()) {
        drawn.extend(heaps.values_mut().filter_map(Vec::pop).map(|(_, plan)| plan));
    }
    drawn.truncate(number);
    drawn
}

/// The faults of a plan, as the table counts them.
pub(crate) fn family(plan: &Plan) -> String {
    plan.steps.iter().map(|step| step.fault.family()).collect::<Vec<_>>().join(", then ")
}

/// The next random number (splitmix64).
fn thrown(dice: &mut u64) -> u64 {
    *dice = dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *dice;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans() -> Vec<Plan> {
        let call = |text: &str| text.parse::<Call>().unwrap();
        let many = (1..50).map(|number| Plan::new("a", &call("PATCH deployments"), number, Fault::Conflict));
        many.chain([Plan::new("a", &call("WATCH jobs"), 1, Fault::SilentAt(2))]).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_plans_and_another_seed_draws_others() {
        assert_eq!(sample(plans(), 10, 7), sample(plans(), 10, 7));
        assert_ne!(sample(plans(), 10, 7), sample(plans(), 10, 8));
    }

    #[test]
    fn a_sample_contains_rare_faults_and_no_plan_twice() {
        let drawn = sample(plans(), 10, 7);
        assert!(drawn.iter().any(Plan::is_silent));
        assert!(drawn.iter().enumerate().all(|(place, plan)| !drawn[..place].contains(plan)));
        assert_eq!(sample(plans(), 1000, 7).len(), plans().len());
    }
}
