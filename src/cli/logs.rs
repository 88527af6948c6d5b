//! `logs`: builds, init commands and the app in one stream. With `-f`, new pods join by themselves, so the stream goes on from
//! a build to the app and from one version to the next.

mod container;
mod kept;

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::json;
use tokio::sync::mpsc;

use super::arguments::{Lines, Logs};
use super::door::Door;
use super::failure::Failure;
use super::screen::{Screen, Tone, toned};
use crate::desired::names;
use crate::text::printable::coloured;
use container::{ReadError, read, stream};

/// Lines that wait for the terminal.
const WAITING: usize = 256;

/// Longest line in bytes. A longer one is printed in parts.
pub(super) const LONGEST: usize = 64 << 10;

/// A line of a log, with where it is from.
#[derive(Debug)]
struct Line {
    from: Arc<Origin>,
    /// When it was written; empty if the log does not say.
    time: String,
    text: Vec<u8>,
}

/// A container whose log is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    role: String,
    pod: String,
    container: String,
    version: Option<String>,
}

/// Prints the logs.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &Logs) -> Result<(), Failure> {
    let object = door.project(&verb.name).await?;
    if let (true, Some(version)) = (verb.build, &verb.version) {
        if verb.follow || verb.since.is_some() {
            return Err(Failure::usage(
                "-f and --since do not go with --build --version: that log is complete, and its lines have no times",
            ));
        }
        return kept::of_version(door, screen, verb, &object, version).await;
    }
    if verb.follow {
        return follow(door, screen, verb).await;
    }
    let origins: Vec<Origin> =
        door.pods(&verb.name).await?.iter().filter_map(|pod| origin(pod, verb)).collect();
    let has_builds = origins.iter().any(|origin| origin.role == names::ROLE_BUILD);
    let mut lines = 0;
    for origin in origins {
        let origin = Arc::new(origin);
        match stream(door, &origin, verb, screen).await {
            Ok(printed) => lines += printed,
            Err(error) => screen.note(&why_not(&origin, &error, &door.flags)),
        }
    }
    // The Job of a build is gone after an hour, and its pod with it.
    if !has_builds && !verb.app && verb.version.is_none() && (verb.build || lines == 0) {
        match kept::of_last_build(door, screen, verb, &object).await {
            Ok(printed) => lines += printed,
            Err(failure) if verb.build => return Err(failure),
            Err(_) => {} // This log was not requested.
        }
    }
    if lines == 0 {
        let (name, flags) = (&verb.name, &door.flags);
        screen.note(&format!(
            "{name} has no pod with a log. See what it does: kubectl doce status {name} {flags}"
        ));
    }
    Ok(())
}

/// Why the log of a container cannot be read.
fn why_not(origin: &Origin, error: &ReadError, flags: &str) -> String {
    match error {
        ReadError::Api(error) => {
            let refused = matches!(&**error, kube::Error::Api(status) if matches!(status.code, 401 | 403));
            if refused {
                return Failure::api(&format!("read the log of pod {}", origin.pod), error, flags).message;
            }
            format!("{}: no log: {}", origin.pod, first_line(&error.to_string()))
        }
        ReadError::Broken(error) => format!("{}: the log broke off: {error}", origin.pod),
    }
}

/// The container of a pod whose log the user wants, if any.
fn origin(pod: &Pod, verb: &Logs) -> Option<Origin> {
    let role = pod.labels().get(names::ROLE)?.clone();
    let container = match role.as_str() {
        names::ROLE_BUILD if !verb.app => names::BUILD,
        names::ROLE_APP if !verb.build => names::APP,
        names::ROLE_INIT if !verb.build => names::INIT,
        _ => return None,
    };
    let version = pod.labels().get(names::VERSION).cloned();
    if let Some(wanted) = &verb.version {
        let wanted = wanted.trim_start_matches('v');
        let is_it =
            version.as_deref().is_some_and(|version| version.trim_start_matches('v').starts_with(wanted));
        if !is_it {
            return None;
        }
    }
    Some(Origin { role, pod: pod.name_any(), container: container.to_owned(), version })
}

/// Prints the logs of pods as they come, until the person ends it. Pods that have ended come first, the oldest first.
async fn follow(door: &Door, screen: &Screen, verb: &Logs) -> Result<(), Failure> {
    let mut opened = BTreeSet::new();
    for pod in door.pods(&verb.name).await? {
        let Some(origin) = origin(&pod, verb).filter(|_| has_ended(&pod)) else { continue };
        opened.extend(start(&pod, &origin.container));
        let origin = Arc::new(origin);
        if let Err(error) = stream(door, &origin, verb, screen).await {
            screen.note(&why_not(&origin, &error, &door.flags));
        }
    }
    let (send, mut receive) = mpsc::channel::<Line>(WAITING);
    let mut pods = pin!(door.watch_pods(&verb.name));
    let mut readers = futures::stream::FuturesUnordered::new();
    let mut left = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            // Lines come first, so that a slow terminal slows the logs and does not fill the memory.
            biased;
            Some(line) = receive.recv() => show(screen, verb.output, &line),
            _ = &mut left => return Ok(()),
            Some(broken) = readers.next(), if !readers.is_empty() => {
                let broken: Option<String> = broken;
                if let Some(broken) = broken {
                    screen.note(&broken);
                }
            }
            change = pods.next() => match change {
                Some(Ok(pod)) => {
                    let Some(origin) = origin(&pod, verb) else { continue };
                    let begins = start(&pod, &origin.container).filter(|start| !opened.contains(start));
                    if let Some(start) = begins {
                        opened.insert(start.clone());
                        readers.push(read(door, Arc::new(origin), verb, send.clone(), start.1));
                    }
                }
                Some(Err(error)) => {
                    screen.note(&format!("the connection to the API server broke ({error}); trying again"));
                }
                None => return Err(Failure::error("the watch of the pods ended. Repeat the command")),
            },
        }
    }
}

/// One start of a container: the uid of its pod and the number of restarts before. None before its first start: until then,
/// the API server rejects the request for its log.
fn start(pod: &Pod, container: &str) -> Option<(String, i32)> {
    let mut statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let status = statuses.find(|status| status.name == container)?;
    let state = status.state.as_ref();
    let runs = state.is_some_and(|state| state.running.is_some() || state.terminated.is_some());
    (runs || status.restart_count > 0).then(|| (pod.uid().unwrap_or_default(), status.restart_count))
}

/// Whether all containers of a pod have ended for good.
fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn show(screen: &Screen, format: Lines, line: &Line) {
    match format {
        Lines::Raw => screen.print_bytes(&line.text),
        Lines::Table => {
            let from = format!("{} {}", line.from.role, line.from.pod);
            let text = coloured(&String::from_utf8_lossy(&line.text));
            screen.print(&format!("{} {text}", toned(Tone::Quiet, &format!("{from} |"))));
        }
        Lines::Json => {
            let object = json!({
                "time": line.time, "role": line.from.role, "pod": line.from.pod, "container": line.from.container,
                "version": line.from.version, "line": String::from_utf8_lossy(&line.text),
            });
            screen.print(&object.to_string());
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::arguments::{Arguments, Verb};

    fn pod(role: &str, version: &str) -> Pod {
        serde_json::from_value(json!({ "metadata": { "name": format!("shop-{role}"), "labels": {
            "doce.dev/role": role, "doce.dev/version": version,
        }}}))
        .unwrap()
    }

    #[test]
    fn each_start_of_a_container_has_a_log_of_its_own() {
        let at = |state: serde_json::Value, restarts: i32| -> Option<(String, i32)> {
            let pod = json!({ "metadata": { "name": "p", "uid": "u" }, "status": { "containerStatuses": [{
                "name": "app", "image": "", "imageID": "", "ready": false, "restartCount": restarts, "state": state,
            }]}});
            start(&serde_json::from_value(pod).unwrap(), "app")
        };
        assert_eq!(at(json!({ "waiting": {} }), 0), None);
        assert_eq!(at(json!({ "running": {} }), 0), Some(("u".to_owned(), 0)));
        assert_eq!(at(json!({ "waiting": {} }), 1), Some(("u".to_owned(), 1)));
        assert_eq!(start(&Pod::default(), "app"), None);
    }

    #[test]
    fn the_flags_choose_the_pods() {
        let all = [
            pod("build", ""),
            pod("init", "vaaaaaaaa"),
            pod("app", "vaaaaaaaa"),
            pod("app", "vbbbbbbbb"),
            pod("cleanup", ""),
        ];
        for (flags, expected) in [
            ("", vec!["build", "init", "app", "app"]),
            ("--build", vec!["build"]),
            ("--app", vec!["init", "app", "app"]),
            ("--version vbb", vec!["app"]),
            ("--version aaaa", vec!["init", "app"]),
        ] {
            let line = format!("kubectl-doce logs shop {flags}");
            let Verb::Logs(verb) = Arguments::try_parse_from(line.split_whitespace()).unwrap().verb else {
                panic!()
            };
            let roles: Vec<String> =
                all.iter().filter_map(|pod| origin(pod, &verb)).map(|origin| origin.role).collect();
            assert_eq!(roles, expected, "{flags}");
        }
    }
}
