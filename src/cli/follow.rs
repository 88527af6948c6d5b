//! Waits for a project: until a goal is reached, until nothing more happens, until the time is over, or until the person
//! detaches. A wait never changes anything, so a command can be repeated or left.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use kube::ResourceExt as _;
use kube::runtime::watcher;
use serde_json::{Value, json};

use super::build_log::BuildLog;
use super::deadline::Deadline;
use super::door::Door;
use super::failure::Failure;
use super::picture::{Picture, REQUESTED};
use super::screen::{Screen, Tone, toned};
use crate::crd::ProjectDeployment;
use crate::crd::conditions::Reason;
use crate::request::Request;
use crate::view::progress::{Goal, Progress, Standing, condition, is_seen, progress};

/// Time after which a silent operator is worth a remark.
const SILENCE: Duration = Duration::from_secs(20);

/// Longest wait for the operator's answer to a request of a command that does not wait for its effect.
const BRIEFLY: Duration = Duration::from_secs(5);

/// Longest argument of a request, in bytes: with its token, the operator does not cut it.
const LONGEST_ARGUMENT: usize = 128;

/// Waits until the goal is reached. Returns the project then.
pub(super) async fn until(
    door: &Door,
    screen: &Screen,
    name: &str,
    deadline: Deadline,
    goal: Goal,
) -> Result<ProjectDeployment, Failure> {
    until_judged(door, screen, name, deadline, |object| progress(object, goal)).await
}

/// Waits until `judge` says that the project is there. Returns the project then.
pub(super) async fn until_judged(
    door: &Door,
    screen: &Screen,
    name: &str,
    deadline: Deadline,
    mut judge: impl FnMut(&ProjectDeployment) -> Progress,
) -> Result<ProjectDeployment, Failure> {
    let mut picture = Picture::new(screen);
    let mut changes = pin!(door.watch(name));
    let mut over = pin!(deadline.over());
    let mut silence = pin!(tokio::time::sleep(SILENCE));
    let mut detached = pin!(tokio::signal::ctrl_c());
    let (mut last, mut remarked) = (None::<Progress>, false);
    let mut build = BuildLog::default();
    let back = |verb: &str| format!("kubectl doce {verb} {name} {}", door.flags);
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(Ok(Some(object))) => {
                    let found = judge(&object);
                    picture.show(&found, &object);
                    if build.follow(door, &object, &found) {
                        picture.step(None);
                    }
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
                Some(Err(error)) => if let Some(failure) = refused(&error, &door.namespace, &door.flags, name) {
                    return Err(failure);
                } else {
                    picture.note(&format!("the connection to the API server broke ({error}); trying again"));
                },
                None => return Err(Failure::error(format!("the watch of project {name} ended. Come back: {} --watch", back("status")))),
            },
            step = build.next() => picture.step(Some(step)),
            () = &mut silence, if !remarked => {
                remarked = true;
                if last.as_ref().is_none_or(|last| last.reason == Reason::Unseen.name()) {
                    picture.note(&format!("The operator has not answered for {} s. Check it: kubectl doce doctor {}", SILENCE.as_secs(), door.flags));
                }
            }
            () = &mut over => {
                let said = last.map(|last| format!(": {}", last.message)).unwrap_or_default();
                return Err(Failure::not_ready(format!(
                    "timed out after {} s{said}. It goes on without you. Come back: {} --watch. See why: {}",
                    deadline.seconds(), back("status"), back("explain")
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

/// The failure if the API server refuses the watch. The same credentials get the same answer again.
fn refused(error: &watcher::Error, namespace: &str, flags: &str, name: &str) -> Option<Failure> {
    let doing = format!("watch project {name} in namespace {namespace}");
    let error = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => error,
        watcher::Error::WatchError(status) => &kube::Error::Api(status.clone()),
        watcher::Error::NoResourceVersion => return None,
    };
    let is_final = match error {
        kube::Error::Api(status) => matches!(status.code, 401 | 403 | 404),
        kube::Error::Auth(_) => true,
        _ => false,
    };
    is_final.then(|| Failure::api(&doing, error, flags))
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    /// The project after the request.
    pub(super) object: ProjectDeployment,
    /// Value of the annotation.
    pub(super) value: String,
    /// The operator's answer, or that it has not answered yet.
    pub(super) outcome: String,
}

/// Makes requests in one write and waits until the operator has answered the last one. A command that does not wait for the
/// effect waits only briefly for the answer.
pub(super) async fn ask(
    door: &Door,
    screen: &Screen,
    name: &str,
    requests: &[Request],
    deadline: Deadline,
) -> Result<Asked, Failure> {
    ask_beside(door, screen, name, json!({}), requests, deadline).await
}

/// The same, in one write with another change of the project.
pub(super) async fn ask_beside(
    door: &Door,
    screen: &Screen,
    name: &str,
    change: Value,
    requests: &[Request],
    deadline: Deadline,
) -> Result<Asked, Failure> {
    for request in requests {
        check(request)?;
    }
    let Some(request) = requests.last() else { return Err(Failure::error("there is nothing to request")) };
    let token = jiff::Timestamp::now().to_string();
    let written = door.request(name, change, requests, &token).await?;
    let value = request.value(&token);
    let judge = |object: &ProjectDeployment| {
        let found = answer(object, request, &value);
        let word = request.kind().word();
        Progress {
            standing: if found == Answer::None { Standing::Working } else { Standing::Reached },
            reason: if found == Answer::None { Reason::Unseen.name() } else { REQUESTED }.to_owned(),
            message: match found {
                Answer::Given(outcome) => outcome,
                Answer::None => format!("The operator has not answered doce.dev/{word} yet"),
                Answer::Replaced => format!("Another doce.dev/{word} replaced this one"),
            },
        }
    };
    let answered = until_judged(door, screen, name, deadline, judge);
    let object = if deadline.no_wait {
        let Ok(answered) = tokio::time::timeout(BRIEFLY, answered).await else {
            let outcome = format!(
                "requested. The operator has not answered within {} s. See what it does: kubectl doce status {name} {}",
                BRIEFLY.as_secs(),
                door.flags
            );
            return Ok(Asked { object: written, value, outcome });
        };
        answered?
    } else {
        answered.await?
    };
    match answer(&object, request, &value) {
        Answer::Given(outcome) if is_refusal(&outcome) => Err(Failure::error(outcome)),
        Answer::Given(outcome) => Ok(Asked { object, value, outcome }),
        Answer::None | Answer::Replaced => Err(Failure::error(format!(
            "another request doce.dev/{} replaced this one, so its answer is not known. See what {name} does, and repeat the command if \
             need be: kubectl doce status {name} {}",
            request.kind().word(),
            door.flags
        ))),
    }
}

/// The operator's answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Given(String),
    None,
    /// The annotation has another value, so no answer will come.
    Replaced,
}

fn answer(object: &ProjectDeployment, request: &Request, value: &str) -> Answer {
    let kind = request.kind();
    let handled = object.status.as_ref().and_then(|status| status.handled.get(kind.word()));
    match handled.filter(|handled| handled.value == value) {
        Some(handled) => Answer::Given(handled.outcome.clone()),
        None if object.annotations().get(kind.annotation()).is_some_and(|there| there == value) => {
            Answer::None
        }
        None => Answer::Replaced,
    }
}

/// Whether this answer says that the request has no effect.
fn is_refusal(outcome: &str) -> bool {
    ["rejected", "ignored", "no current build"].iter().any(|word| outcome.starts_with(word))
}

/// Rejects a request that the operator would store in another form, so that its answer would never be found.
fn check(request: &Request) -> Result<(), Failure> {
    let value = request.value("");
    let argument = value.strip_suffix('@').unwrap_or(&value);
    if argument.len() > LONGEST_ARGUMENT || argument.chars().any(char::is_control) {
        return Err(Failure::usage(format!(
            "the argument of {} must have at most {LONGEST_ARGUMENT} bytes and no control characters. Name a version as in: kubectl \
             doce history NAME, or a build as in: kubectl doce status NAME",
            request.kind().word()
        )));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::Exit;

    #[test]
    fn a_request_has_an_answer_or_waits_or_was_replaced() {
        let object = |annotation: &str, handled: &str| -> ProjectDeployment {
            serde_json::from_value(json!({
                "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
                "metadata": { "name": "shop", "annotations": { "doce.dev/retry": annotation } },
                "spec": { "source": { "git": { "url": "https://git.test/shop.git" } } },
                "status": { "observedGeneration": 1, "handled": { "retry": { "value": handled, "outcome": "retrying" } } },
            }))
            .unwrap()
        };
        for (annotation, handled, expected) in [
            ("@1", "@0", Answer::None),
            ("@1", "@1", Answer::Given("retrying".to_owned())),
            ("@2", "@1", Answer::Given("retrying".to_owned())),
            ("@2", "@0", Answer::Replaced),
            ("@2", "@2", Answer::Replaced),
        ] {
            let found = answer(&object(annotation, handled), &Request::retry(), "@1");
            assert_eq!(found, expected, "{annotation} {handled}");
        }
    }

    #[test]
    fn an_answer_without_an_effect_is_a_refusal() {
        for (outcome, expected) in [
            ("rejected: no live version is running", true),
            ("ignored: it was already set when the operator first saw the project", true),
            ("no current build \"x\" is queued or running", true),
            ("rolling back to v9f2c41d7", false),
            ("nothing to retry: nothing has failed", false),
        ] {
            assert_eq!(is_refusal(outcome), expected, "{outcome}");
        }
    }

    #[test]
    fn an_argument_that_the_operator_would_change_is_wrong_usage() {
        assert_eq!(check(&Request::rollback("previous")), Ok(()));
        assert_eq!(check(&Request::cancel(&"a".repeat(LONGEST_ARGUMENT))), Ok(()));
        for argument in ["v1\n".to_owned(), "a".repeat(LONGEST_ARGUMENT + 1)] {
            assert_eq!(check(&Request::rollback(&argument)).unwrap_err().exit, Exit::Usage);
        }
    }

    #[test]
    fn a_watch_without_the_right_fails_at_once_and_a_broken_one_is_tried_again() {
        let of = |code: u16| -> watcher::Error {
            let status = json!({ "status": "Failure", "code": code, "message": "no", "reason": "x" });
            watcher::Error::InitialListFailed(kube::Error::Api(serde_json::from_value(status).unwrap()))
        };
        for (code, expected) in
            [(401, true), (403, true), (404, true), (410, false), (429, false), (500, false)]
        {
            assert_eq!(refused(&of(code), "team", "-n team", "shop").is_some(), expected, "{code}");
        }
    }
}
