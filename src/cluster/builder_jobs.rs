//! The Jobs of builder pods, as far as the operator needs them. They are in the namespace of builds and belong to no
//! project, so the other caches do not have them. Nothing here talks to the API server.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use kube::runtime::watcher::Event;

use crate::desired::names;

/// The Job of a builder pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuilderJob {
    /// Its namespace, that of builds.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Namespace and name of the build Job that it works for.
    pub build: (String, String),
    /// Uid of that Job.
    pub build_uid: String,
    /// It has ended, or is being deleted.
    pub ended: bool,
}

impl From<&Job> for BuilderJob {
    fn from(job: &Job) -> Self {
        let label = |name: &str| job.labels().get(name).cloned().unwrap_or_default();
        let build = job.annotations().get(names::BUILD_JOB).cloned().unwrap_or_default();
        let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let ended = |condition: &str| matches!(condition, "Complete" | "Failed");
        let ended = conditions.into_iter().any(|there| ended(&there.type_) && there.status == "True");
        Self {
            namespace: job.namespace().unwrap_or_default(),
            name: job.name_any(),
            uid: job.uid().unwrap_or_default(),
            build: (label(names::BUILD_NAMESPACE), build),
            build_uid: label(names::BUILD_UID),
            ended: ended || job.metadata.deletion_timestamp.is_some(),
        }
    }
}

/// The Jobs that the watch reported or that this operator created.
#[derive(Debug, Default)]
pub struct BuilderJobs {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    jobs: HashMap<String, BuilderJob>,
    /// Jobs of a list in progress.
    listed: Option<HashMap<String, BuilderJob>>,
    synced: bool,
}

impl BuilderJobs {
    /// The first list is complete.
    pub fn synced(&self) -> bool {
        self.lock().synced
    }

    /// All of them.
    pub fn all(&self) -> Vec<BuilderJob> {
        self.lock().jobs.values().cloned().collect()
    }

    /// Applies a watch event.
    pub fn heard(&self, event: &Event<Job>) {
        let mut inner = self.lock();
        match event {
            Event::Init => inner.listed = Some(HashMap::new()),
            Event::InitApply(job) => {
                if let Some(listed) = inner.listed.as_mut() {
                    listed.insert(job.name_any(), job.into());
                }
            }
            Event::InitDone => {
                inner.jobs = inner.listed.take().unwrap_or_default();
                inner.synced = true;
            }
            Event::Apply(job) => {
                inner.jobs.insert(job.name_any(), job.into());
            }
            Event::Delete(job) => {
                inner.jobs.remove(&job.name_any());
            }
        }
    }

    /// Stores a Job that this operator created, before the watch reports it.
    pub(super) fn wrote(&self, job: &Job) {
        let mut inner = self.lock();
        inner.jobs.entry(job.name_any()).or_insert_with(|| job.into());
        if let Some(listed) = inner.listed.as_mut() {
            listed.insert(job.name_any(), job.into());
        }
    }

    /// Notes that this operator deletes it.
    pub(super) fn deleted(&self, name: &str) {
        if let Some(job) = self.lock().jobs.get_mut(name) {
            job.ended = true;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
