//! A minute in which no user sends anything.

use std::time::Duration;

use super::audit::{Request, tally};
use super::figures::{Figures, number};
use super::program::Program;
use super::session::Session;
use super::usage::cpu_seconds;

const MINUTE: Duration = Duration::from_mins(1);

pub(crate) async fn run(session: &mut Session<'_>) -> Figures {
    session.quiet(Duration::from_secs(5)).await;
    session.requests();
    let operator = session.program.as_ref().map(Program::cpu_seconds);
    let api_server = cpu_seconds(session.cluster.api_server);
    tokio::time::sleep(MINUTE).await;
    let mut figures = Figures::default();
    let requests = session.requests();
    if let Some((program, before)) = session.program.as_ref().zip(operator) {
        let own: Vec<&Request> = requests.iter().filter(|request| session.is_by_operator(request)).collect();
        let writes = own.iter().filter(|request| request.is_write()).count();
        figures.add("CPU of the operator", "s", program.cpu_seconds() - before);
        let memory = program.memory();
        figures.add("resident memory at the end", "MiB", f64::from(memory.resident) / 1024.0);
        figures.add("of it anonymous", "MiB", f64::from(memory.anonymous) / 1024.0);
        figures.add("requests of the operator", "", number(own.len()));
        figures.add("writes of the operator", "", number(writes));
        for (what, count) in tally(own) {
            figures.add(&format!("— {what}"), "", number(count));
        }
    }
    figures.add("CPU of the API server", "s", cpu_seconds(session.cluster.api_server) - api_server);
    figures
}
