//! The operator is killed and starts again while all projects run. A user changes an image at the moment of the start.

use std::time::{Duration, Instant};

use super::audit::{Request, tally};
use super::crowd;
use super::figures::{Figures, middle, number};
use super::program::Program;
use super::session::{PATIENCE, Session, image};

/// Restarts of one session. Each figure is the median of them.
const RESTARTS: usize = 3;

pub(crate) async fn run(session: &mut Session<'_>) -> Figures {
    if session.program.is_none() {
        return Figures::default();
    }
    let mut restarts = vec![];
    for n in 0..RESTARTS {
        restarts.push(restart(session, &crowd::name(n)).await);
    }
    median(&restarts)
}

/// The name of each figure with one value from each restart. A request that a restart did not send counts as 0.
fn median(restarts: &[Figures]) -> Figures {
    let mut figures = Figures::default();
    for (name, unit) in restarts.iter().flat_map(Figures::names) {
        if figures.value(name).is_none() {
            let values = restarts.iter().map(|restart| restart.value(name).unwrap_or(0.0)).collect();
            figures.add(name, unit, middle(values));
        }
    }
    figures
}

async fn restart(session: &mut Session<'_>, name: &str) -> Figures {
    session.quiet(Duration::from_secs(3)).await;
    session.program.take().unwrap().kill().await;
    tokio::time::sleep(Duration::from_secs(1)).await; // Its connections end.
    session.requests();
    let effects = session.effects(name, &image(3));
    let program = Program::start(session.cluster, session.subject, "bench-restarts").unwrap();
    let (started, sent) = (program.started, Instant::now());
    session.program = Some(program);
    session.patch(name, &session.subject.change(&image(3))).await;
    let patched = effects.deployment.by(sent + PATIENCE).await;
    effects.ready.by(sent + PATIENCE).await;
    effects.complete.by(sent + PATIENCE).await;
    let requests = session.quiet(Duration::from_secs(5)).await;
    let program = session.program.as_ref().unwrap();
    let mut figures = Figures::default();
    figures.add(
        "start of the process → Deployment patched",
        "ms",
        (patched - started).as_secs_f64() * 1000.0,
    );
    figures.add("CPU of the operator until it is at rest", "s", program.cpu_seconds());
    let memory = program.memory();
    figures.add("resident memory at rest", "MiB", f64::from(memory.resident) / 1024.0);
    figures.add("peak memory", "MiB", f64::from(memory.peak) / 1024.0);
    let own: Vec<&Request> = requests.iter().filter(|request| session.is_by_operator(request)).collect();
    figures.add("writes", "", number(own.iter().filter(|request| request.is_write()).count()));
    let reads = || own.iter().filter(|request| request.is_read());
    figures.add("lists and gets", "", number(reads().count()));
    for (what, count) in tally(reads().copied()) {
        figures.add(&format!("— {what}"), "", number(count));
    }
    figures
}
