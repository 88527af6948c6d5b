//! Measures the operator next to two yardsticks in one run: a client that creates the same objects itself, and a small
//! operator written with controller-runtime. It prints Markdown tables and fails on no figure. Run it with `make bench`;
//! docs/performance.md explains the figures.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot continue panics")]

#[path = "operators/audit.rs"]
mod audit;
#[path = "../tests/harness/audit_log.rs"]
mod audit_log;
#[path = "operators/burst.rs"]
mod burst;
#[path = "operators/changes.rs"]
mod changes;
#[path = "operators/cluster.rs"]
mod cluster;
#[path = "operators/crowd.rs"]
mod crowd;
#[path = "operators/deploys.rs"]
mod deploys;
#[path = "operators/figures.rs"]
mod figures;
#[path = "operators/fill.rs"]
mod fill;
#[path = "operators/idle.rs"]
mod idle;
#[path = "operators/machine.rs"]
mod machine;
#[path = "operators/program.rs"]
mod program;
#[path = "operators/restart.rs"]
mod restart;
#[path = "operators/session.rs"]
mod session;
#[path = "operators/settings.rs"]
mod settings;
#[path = "operators/sight.rs"]
mod sight;
#[path = "operators/subject.rs"]
mod subject;
#[path = "operators/tables.rs"]
mod tables;
#[path = "operators/usage.rs"]
mod usage;

use cluster::Cluster;
use figures::Figures;
use session::Session;
use settings::{Scenario, Settings};
use subject::Subject;
use tables::Results;

/// Scenarios that share a session, because the later ones need the objects of the first.
const SESSIONS: [&[Scenario]; 4] = [
    &[Scenario::Deploys],
    &[Scenario::Changes],
    &[Scenario::Burst],
    &[Scenario::Fill, Scenario::Idle, Scenario::Restart],
];

#[tokio::main]
async fn main() {
    let settings = Settings::from_environment();
    let cluster = Cluster::prepare(&settings.subjects).await;
    machine::print(&cluster, &settings).await;
    let mut results = Results::default();
    for round in 0..settings.rounds {
        for scenarios in SESSIONS {
            let wanted = |scenario: &&Scenario| settings.scenarios.contains(scenario);
            let Some(last) = scenarios.iter().rposition(|scenario| wanted(&scenario)) else { continue };
            for subject in settings.order(round) {
                for (scenario, figures) in run(&cluster, &settings, &scenarios[..=last], subject, round).await
                {
                    figures.print_progress(scenario, subject, round);
                    results.add(scenario, subject, figures);
                }
            }
        }
    }
    for scenario in Scenario::ALL.iter().filter(|scenario| settings.scenarios.contains(scenario)) {
        results.print(*scenario, &settings);
    }
}

/// One session: a namespace and an operator process for the scenarios, which run one after the other.
async fn run(
    cluster: &Cluster,
    settings: &Settings,
    scenarios: &[Scenario],
    subject: Subject,
    round: usize,
) -> Vec<(Scenario, Figures)> {
    let mut session = Session::open(cluster, subject, scenarios[0], round).await;
    let mut measured = vec![];
    for scenario in scenarios {
        let figures = match scenario {
            Scenario::Deploys => deploys::run(&session).await,
            Scenario::Changes => changes::run(&mut session).await,
            Scenario::Burst => burst::run(&mut session).await,
            Scenario::Fill => fill::run(&mut session, settings.scale).await,
            Scenario::Idle => idle::run(&mut session).await,
            Scenario::Restart => restart::run(&mut session).await,
        };
        if settings.scenarios.contains(scenario) {
            measured.push((*scenario, figures));
        }
    }
    session.close().await;
    measured
}
