//! The loop of builder pods (I/O).

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;

use super::plan::plan;
use crate::build_queue::admit::{asks, owned};
use crate::build_queue::schedule::Limits;
use crate::cluster::packed::Pack as _;
use crate::cluster::{Cluster, Error};
use crate::desired::builder_job;
use crate::platform::{Isolated, Platform};
use crate::project::Key;
use crate::protocol::builder_key::BuilderKey;

/// Pause before the next try after an error, and before another look for a build that no cache has.
const AGAIN: Duration = Duration::from_secs(5);

/// Inputs of the loop.
pub struct BuilderPods<'a> {
    /// Access to the API server.
    pub cluster: &'a Cluster,
    /// Settings of builder pods.
    pub platform: &'a Platform,
    /// How many builds may run at a time.
    pub limits: Limits,
}

/// Starts and ends builder pods whenever a build changes. Does nothing if builds have none.
pub async fn run(pods: &BuilderPods<'_>) {
    let Some(isolated) = &pods.platform.isolated else { return };
    let caches = pods.cluster.caches();
    let mut open = true; // An earlier lead may have missed the last change.
    loop {
        let changed = caches.builders_changed.notified();
        if open {
            let _ = tokio::time::timeout(AGAIN, changed).await;
        } else {
            changed.await;
        }
        if caches.jobs.synced() && caches.builder_jobs.synced() {
            open = pods.pass(isolated).await;
        }
    }
}

impl BuilderPods<'_> {
    /// Returns true if something is left to do that no event reports.
    async fn pass(&self, isolated: &Isolated) -> bool {
        let caches = self.cluster.caches();
        let builds = owned(self.cluster);
        let plan = plan(&builds, &caches.builder_jobs.all(), self.limits, |build| asks(self.cluster, build));
        let mut open = false;
        for (build, key) in &plan.create {
            let made = self.create(build, key, isolated).await;
            open |= failed(made, &key.name(), "cannot start a builder pod");
        }
        if !plan.create.is_empty() {
            caches.jobs_changed.notify_one(); // A poll that builds leaves its place to another poll.
        }
        for builder in &plan.delete {
            let ended = self.cluster.delete_builder(builder).await;
            open |= failed(ended, &builder.name, "cannot end a builder pod");
        }
        for builder in &plan.check {
            let (namespace, name) = &builder.build;
            let ended = match self.cluster.has_job(namespace, name, &builder.build_uid).await {
                Ok(true) => {
                    open = true;
                    Ok(())
                }
                Ok(false) => self.cluster.delete_builder(builder).await,
                Err(error) => Err(error),
            };
            open |= failed(ended, &builder.name, "cannot end a builder pod");
        }
        open
    }

    async fn create(&self, build: &Job, key: &BuilderKey, isolated: &Isolated) -> Result<(), Error> {
        let project = self.cluster.project(&key_of(build));
        let wish = project.as_ref().and_then(|project| project.spec.build.resources.as_ref());
        let job = builder_job::create(build, key, wish, self.platform, isolated)
            .map_err(|error| Error::malformed("Job of a builder pod", &error))?;
        self.cluster.create_builder(&job).await
    }
}

/// Logs an error. Returns whether there was one.
fn failed(done: Result<(), Error>, builder: &str, what: &str) -> bool {
    done.inspect_err(|error| tracing::warn!(%error, builder, what, "retrying")).is_err()
}

/// The project of a build Job.
fn key_of(build: &Job) -> Key {
    build.project().unwrap_or_default()
}
