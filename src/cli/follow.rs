//! Waits for a project: until a goal is reached, until nothing more happens, until the time is over, or until the person
//! detaches. A wait never changes anything, so a command can be repeated or left.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use kube::ResourceExt as _;

use super::door::Door;
use super::failure::Failure;
use super::picture::{Picture, REQUESTED};
use super::screen::{Screen, Tone, toned};
use crate::crd::ProjectDeployment;
use crate::request::Request;
use crate::view::progress::{Goal, Progress, Standing, condition, is_seen, progress};

/// Time after which a silent operator is worth a remark.
const SILENCE: Duration = Duration::from_secs(20);

/// Waits until the goal is reached. Returns the project then.
pub(super) async fn until(
    door: &Door,
    screen: &Screen,
    name: &str,
    limit: Duration,
    goal: Goal,
) -> Result<ProjectDeployment, Failure> {
    until_judged(door, screen, name, limit, |object| progress(object, goal)).await
}

/// Waits until `judge` says that the project is there. Returns the project then.
pub(super) async fn until_judged(
    door: &Door,
    screen: &Screen,
    name: &str,
    limit: Duration,
    mut judge: impl FnMut(&ProjectDeployment) -> Progress,
) -> Result<ProjectDeployment, Failure> {
    let mut picture = Picture::new(screen);
    let mut changes = pin!(door.watch(name));
    let mut over = pin!(sleep(limit));
    let mut silence = pin!(tokio::time::sleep(SILENCE));
    let mut detached = pin!(tokio::signal::ctrl_c());
    let (mut last, mut remarked) = (None::<Progress>, false);
    let back = |verb: &str| format!("kubectl doce {verb} {name} -n {}", door.namespace);
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(Ok(Some(object))) => {
                    let found = judge(&object);
                    picture.show(&found, &object);
                    match found.standing {
                        Standing::Reached => return Ok(object),
                        Standing::Stuck => {
                            return Err(Failure::not_ready(format!("{}. See why: {}", found.message.trim_end_matches('.'), back("explain"))));
                        }
                        Standing::Working => last = Some(found),
                    }
                }
                Some(Ok(None)) => {
                    return Err(Failure::error(format!("project {name} does not exist in namespace {}", door.namespace)));
                }
                Some(Err(error)) => picture.note(&format!("the connection to the API server broke ({error}); trying again")),
                None => return Err(Failure::error(format!("the watch of project {name} ended. Come back: {} --watch", back("status")))),
            },
            () = &mut silence, if !remarked => {
                remarked = true;
                if last.as_ref().is_none_or(|last| last.reason == "Unseen") {
                    picture.note(&format!("The operator has not answered for {} s. Check it: kubectl doce doctor -n {}", SILENCE.as_secs(), door.namespace));
                }
            }
            () = &mut over => {
                let said = last.map(|last| format!(": {}", last.message)).unwrap_or_default();
                return Err(Failure::not_ready(format!(
                    "timed out after {} s{said}. It goes on without you. Come back: {} --watch. See why: {}",
                    limit.as_secs(), back("status"), back("explain")
                )));
            }
            _ = &mut detached => {
                return Err(Failure::not_ready(format!(
                    "detached. {name} goes on without you. Come back: {} --watch. Cancel a build: {}",
                    back("status"), back("cancel")
                )));
            }
        }
    }
}

async fn sleep(limit: Duration) {
    if limit.is_zero() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(limit).await;
}

/// Makes requests in one write and waits until the operator has answered the last one. Returns the project and the answer.
pub(super) async fn ask(
    door: &Door,
    screen: &Screen,
    name: &str,
    requests: &[Request],
    limit: Duration,
) -> Result<(ProjectDeployment, String), Failure> {
    let token = jiff::Timestamp::now().to_string();
    door.request(name, requests, &token).await?;
    let Some(request) = requests.last() else { return Err(Failure::error("there is nothing to request")) };
    let (word, value) = (request.kind().word(), request.value(&token));
    let answer = |object: &ProjectDeployment| {
        let handled = object.status.as_ref()?.handled.get(word)?;
        (handled.value == value).then(|| handled.outcome.clone())
    };
    let judge = |object: &ProjectDeployment| Progress {
        standing: if answer(object).is_some() { Standing::Reached } else { Standing::Working },
        reason: if answer(object).is_some() { REQUESTED } else { "Unseen" }.to_owned(),
        message: answer(object)
            .unwrap_or_else(|| format!("The operator has not answered doce.dev/{word} yet")),
    };
    let object = until_judged(door, screen, name, limit, judge).await?;
    let outcome = answer(&object).unwrap_or_default();
    let refused = outcome.starts_with("rejected") || outcome.starts_with("no current build");
    if refused { Err(Failure::error(outcome)) } else { Ok((object, outcome)) }
}

/// Prints what a project says of itself and where it answers.
pub(super) fn tell(screen: &Screen, object: &ProjectDeployment) {
    let name = object.name_any();
    let ready = condition(object, "Ready").filter(|_| is_seen(object));
    let message = ready.map_or("The operator has not processed the project yet", |ready| &ready.message);
    screen.print(&format!("{name}: {message}"));
    if let Some(address) = address(object) {
        screen.print(&format!("{name}: {}", toned(Tone::Strong, &address)));
    }
}

/// Where a project answers: its URL, else its port on every node.
pub(super) fn address(object: &ProjectDeployment) -> Option<String> {
    let status = object.status.as_ref()?;
    let port = || status.node_port.map(|port| format!("node port {port} on every node"));
    status.url.clone().or_else(port)
}
