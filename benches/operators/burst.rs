//! Many first deploys at once: how long they take, and what they cost.

use std::time::Duration;

use super::audit::{Request, tally};
use super::cluster::CLIENT;
use super::crowd;
use super::figures::{Figures, number};
use super::program::Program;
use super::session::Session;
use super::usage::cpu_seconds;

/// Number of projects.
const PROJECTS: usize = 300;

pub(crate) async fn run(session: &mut Session<'_>) -> Figures {
    session.requests();
    let operator = session.program.as_ref().map(Program::cpu_seconds);
    let api_server = cpu_seconds(session.cluster.api_server);
    let times = crowd::deploy(session, PROJECTS).await;
    let requests = session.quiet(Duration::from_secs(3)).await;
    let mut figures = Figures::default();
    figures.add("all Deployments and Services seen", "s", times.exist.as_secs_f64());
    figures.add("all Ready", "s", times.ready.as_secs_f64());
    if let Some((program, before)) = session.program.as_ref().zip(operator) {
        figures.add("CPU of the operator", "s", program.cpu_seconds() - before);
    }
    figures.add("CPU of the API server", "s", cpu_seconds(session.cluster.api_server) - api_server);
    count(&mut figures, session, &requests);
    figures
}

/// Writes per project: of the users, of the operator by verb and resource, and of Kubernetes itself.
fn count(figures: &mut Figures, session: &Session<'_>, requests: &[Request]) {
    let writes = || requests.iter().filter(|request| request.is_write());
    let total = |of: &dyn Fn(&Request) -> bool| number(writes().filter(|request| of(request)).count());
    let per_project = |count: f64| count / number(PROJECTS);
    let by_user = |request: &Request| request.user == CLIENT;
    let by_operator = |request: &Request| session.is_by_operator(request);
    figures.add("writes of the users", "per project", per_project(total(&by_user)));
    figures.add("writes of the operator", "per project", per_project(total(&by_operator)));
    for (what, count) in tally(writes().filter(|request| by_operator(request))) {
        figures.add(&format!("— {what}"), "per project", per_project(number(count)));
    }
    let by_others = |request: &Request| !by_user(request) && !by_operator(request);
    figures.add("writes of Kubernetes itself", "per project", per_project(total(&by_others)));
}
