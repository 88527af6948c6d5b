//! What the current build does, from the log of its pod, while a command waits. Without the right to read logs, the wait shows the
//! status alone.

use std::pin::Pin;
use std::time::Duration;

use futures::stream::{LocalBoxStream, unfold};
use futures::{AsyncBufRead, StreamExt as _};
use kube::ResourceExt as _;
use kube::api::LogParams;

use super::door::Door;
use super::logs::LONGEST;
use crate::crd::ProjectDeployment;
use crate::crd::conditions::Reason;
use crate::desired::names;
use crate::text::lines::{Read, next};
use crate::view::build_steps::{BuildSteps, Doing};
use crate::view::progress::Progress;

/// Pause before the next look for the pod of a build that has no log yet, and most looks.
const PAUSE: Duration = Duration::from_secs(1);
const LOOKS: usize = 120;

/// The steps of the build that a project waits for.
#[derive(Default)]
pub(super) struct BuildLog<'a> {
    build: Option<String>,
    steps: Option<LocalBoxStream<'a, Doing>>,
}

impl<'a> BuildLog<'a> {
    /// Follows the build that the status names now, if the project waits for one. Returns whether it is another one than
    /// before.
    pub(super) fn follow(&mut self, door: &'a Door, object: &ProjectDeployment, progress: &Progress) -> bool {
        let status = object.status.as_ref();
        let build = status.and_then(|status| status.build.as_ref()).map(|build| build.id.clone());
        let build = build.filter(|_| progress.reason == Reason::Building.name());
        if build == self.build {
            return false;
        }
        self.steps = build.clone().map(|build| steps(door, object.name_any(), build));
        self.build = build;
        true
    }

    /// What the build does next; never returns without a build.
    pub(super) async fn next(&mut self) -> Doing {
        if let Some(steps) = &mut self.steps
            && let Some(step) = steps.next().await
        {
            return step;
        }
        self.steps = None;
        std::future::pending().await
    }
}

struct Following<'a> {
    door: &'a Door,
    project: String,
    build: String,
    steps: BuildSteps,
    reader: Option<Pin<Box<dyn AsyncBufRead + 'a>>>,
}

fn steps(door: &Door, project: String, build: String) -> LocalBoxStream<'_, Doing> {
    let begin = Following { door, project, build, steps: BuildSteps::default(), reader: None };
    unfold(begin, |mut following| async move {
        if following.reader.is_none() {
            following.reader = following.open().await;
        }
        let reader = following.reader.as_mut()?;
        let mut line = vec![];
        while !matches!(next(reader, &mut line, LONGEST).await.ok()?, Read::End) {
            if let Some(step) = following.steps.line(&String::from_utf8_lossy(&line)) {
                return Some((step, following));
            }
        }
        None
    })
    .boxed_local()
}

impl<'a> Following<'a> {
    /// The log of the build, once it has one.
    async fn open(&self) -> Option<Pin<Box<dyn AsyncBufRead + 'a>>> {
        let params =
            LogParams { container: Some(names::BUILD.to_owned()), follow: true, ..LogParams::default() };
        for _ in 0..LOOKS {
            let pods = self.door.pods(&self.project).await.ok()?;
            let is_of_build = |labels: &std::collections::BTreeMap<String, String>| {
                labels.get("batch.kubernetes.io/job-name") == Some(&self.build)
            };
            if let Some(pod) = pods.iter().rev().find(|pod| is_of_build(pod.labels())) {
                match self.door.log(&pod.name_any(), &params).await {
                    Ok(reader) => return Some(Box::pin(reader)),
                    Err(kube::Error::Api(status)) if status.code == 403 => return None,
                    Err(_) => {} // It does not run yet.
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }
}
