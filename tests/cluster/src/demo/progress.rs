//! Prints progress while the sample is built and started, from the status of the resource.
//! It only watches.

use std::{
    io::BufReader,
    process::{Child, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::{NAMESPACE, PROJECT, Target};
use crate::{Attempt, Error, progress::say};

const WITHIN: Duration = Duration::from_mins(15);
const GLANCE: Duration = Duration::from_millis(200);

/// The result of a deployment.
pub(super) enum Outcome {
    /// A good version serves.
    Serves {
        /// Why the target does not serve, if an older version serves.
        failure: Option<String>,
    },
}

#[derive(Deserialize)]
struct Resource {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    generation: i64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    version: Option<String>,
    failure: Option<Failure>,
    conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Failure {
    message: String,
    log: String,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
    message: String,
}

/// Prints progress until the sample serves or has failed.
pub(super) fn follow(target: &Target, interrupted: &AtomicBool) -> Result<Outcome, Error> {
    let deadline = Instant::now() + WITHIN;
    let mut story = Story::default();
    say(format_args!("deploying {PROJECT}"));
    while Instant::now() < deadline {
        // The API server ends every watch after some time. The loop then starts a new one.
        let mut watch = Watch::begin(target)?;
        while let Some(resource) = watch.next(deadline, interrupted)? {
            if let Some(outcome) = story.hear(&resource)? {
                return Ok(outcome);
            }
        }
    }
    Err(Error::Deadline {
        what: format!("{PROJECT} to be ready"),
        within: WITHIN,
        last: story.now,
        tail: String::new(),
    })
}

/// A running `kubectl get --watch`. Dropping it ends the process.
struct Watch {
    child: Child,
    seen: Receiver<Resource>,
}

impl Watch {
    fn begin(target: &Target) -> Result<Self, Error> {
        let mut command = target.command("kubectl");
        command.args([
            "get",
            "projectdeployment",
            PROJECT,
            "--namespace",
            NAMESPACE,
            "--watch",
            "--output=json",
        ]);
        let mut child =
            command.stdout(Stdio::piped()).spawn().attempt(|| format!("watch {PROJECT} (start kubectl)"))?;
        let (sender, seen) = channel();
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || {
                let resources =
                    serde_json::Deserializer::from_reader(BufReader::new(output)).into_iter::<Resource>();
                for resource in resources.map_while(Result::ok) {
                    if sender.send(resource).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { child, seen })
    }

    fn next(&mut self, deadline: Instant, interrupted: &AtomicBool) -> Result<Option<Resource>, Error> {
        while Instant::now() < deadline {
            if interrupted.load(Ordering::Relaxed) {
                return Err(Error::Interrupted { what: format!("{PROJECT} to be ready") });
            }
            match self.seen.recv_timeout(GLANCE) {
                Ok(resource) => return Ok(Some(resource)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Ok(None)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The process may have exited already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// What was printed so far.
struct Story {
    began: Instant,
    stage: Option<(String, Instant)>,
    now: String,
}

impl Default for Story {
    fn default() -> Self {
        Self { began: Instant::now(), stage: None, now: "its status is empty".to_owned() }
    }
}

impl Story {
    fn hear(&mut self, resource: &Resource) -> Result<Option<Outcome>, Error> {
        let status = &resource.status;
        let condition = |kind: &str| status.conditions.iter().find(|condition| condition.kind == kind);
        if status.observed_generation != resource.metadata.generation {
            return Ok(None);
        }
        let Some(ready) = condition("Ready") else { return Ok(None) };
        let done = ready.status == "True";
        self.enter(&ready.reason, &ready.message, done);
        if done {
            let version = status.version.as_deref().unwrap_or("?");
            say(format_args!("  {version} is ready after {:.1} s", self.began.elapsed().as_secs_f64()));
            return Ok(Some(Outcome::Serves { failure: None }));
        }
        let Some(stalled) = condition("Stalled").filter(|stalled| stalled.status == "True") else {
            return Ok(None);
        };
        let log = status.failure.as_ref().map(|failure| failure.log.as_str()).unwrap_or_default();
        if condition("Available").is_some_and(|available| available.status == "True") {
            return Ok(Some(Outcome::Serves { failure: Some(stalled.message.clone()) }));
        }
        let detail =
            status.failure.as_ref().map_or(stalled.message.as_str(), |failure| failure.message.as_str());
        Err(Error::failed(format!("deploy {PROJECT}"), format!("{detail}\n{log}")))
    }

    /// Prints one line when a stage begins, and how long it took when it ends.
    fn enter(&mut self, reason: &str, message: &str, done: bool) {
        message.clone_into(&mut self.now);
        if self.stage.as_ref().is_some_and(|(stage, _)| stage == reason) {
            return;
        }
        if let Some((_, since)) = &self.stage {
            say(format_args!("    took {:.1} s", since.elapsed().as_secs_f64()));
        }
        if !done {
            say(format_args!("  {:>5.1} s  {reason:<10} {message}", self.began.elapsed().as_secs_f64()));
        }
        self.stage = Some((reason.to_owned(), Instant::now()));
    }
}
