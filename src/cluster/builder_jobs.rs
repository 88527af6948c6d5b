//! The Jobs of builder pods and these pods, as far as the operator needs them. They are in the namespace of builds and belong to
//! no project, so the other caches do not have them. Nothing here talks to the API server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt as _};

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

/// The Jobs that the watch reported or that this operator created, and their pods.
#[derive(Debug, Default)]
pub struct BuilderJobs {
    jobs: Mutex<Reported<(BuilderJob, Arc<Job>)>>,
    pods: Mutex<Reported<Arc<Pod>>>,
}

/// Objects of one kind, by name.
#[derive(Debug)]
struct Reported<T> {
    there: HashMap<String, T>,
    /// Objects of a list in progress.
    listed: Option<HashMap<String, T>>,
    synced: bool,
}

impl<T> Default for Reported<T> {
    fn default() -> Self {
        Self { there: HashMap::new(), listed: None, synced: false }
    }
}

impl<T> Reported<T> {
    /// Applies a watch event.
    fn heard<K: Resource + Clone>(&mut self, event: &Event<K>, read: impl Fn(&K) -> T) {
        match event {
            Event::Init => self.listed = Some(HashMap::new()),
            Event::InitApply(object) => {
                if let Some(listed) = self.listed.as_mut() {
                    listed.insert(object.name_any(), read(object));
                }
            }
            Event::InitDone => {
                self.there = self.listed.take().unwrap_or_default();
                self.synced = true;
            }
            Event::Apply(object) => {
                self.there.insert(object.name_any(), read(object));
            }
            Event::Delete(object) => {
                self.there.remove(&object.name_any());
            }
        }
    }
}

impl BuilderJobs {
    /// The first list of Jobs is complete.
    pub fn synced(&self) -> bool {
        self.jobs().synced
    }

    /// All of them.
    pub fn all(&self) -> Vec<BuilderJob> {
        self.jobs().there.values().map(|(job, _)| job.clone()).collect()
    }

    /// The Job that works for the build Job with this uid, and its pods.
    pub fn of_build(&self, uid: &str) -> Option<(Arc<Job>, Vec<Arc<Pod>>)> {
        let jobs = self.jobs();
        let (_, job) = jobs.there.values().find(|(job, _)| job.build_uid == uid && !job.ended)?;
        let job = job.clone();
        drop(jobs);
        let pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        let works = |pod: &&Arc<Pod>| build_of(pod.as_ref()).is_some_and(|there| there == uid);
        Some((job, pods.there.values().filter(works).cloned().collect()))
    }

    /// Applies a watch event. Returns the uid of the build Job that is concerned.
    pub fn heard(&self, event: &Event<Job>) -> Option<String> {
        self.jobs().heard(event, |job| (job.into(), Arc::new(job.clone())));
        concerned(event)
    }

    /// Applies a watch event. Returns the uid of the build Job that is concerned.
    pub fn pod_heard(&self, event: &Event<Pod>) -> Option<String> {
        let mut pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        pods.heard(event, |pod| Arc::new(pod.clone()));
        concerned(event)
    }

    /// Stores a Job that this operator created, before the watch reports it.
    pub(super) fn wrote(&self, job: &Job) {
        let mut jobs = self.jobs();
        let read = || (job.into(), Arc::new(job.clone()));
        jobs.there.entry(job.name_any()).or_insert_with(read);
        if let Some(listed) = jobs.listed.as_mut() {
            listed.insert(job.name_any(), read());
        }
    }

    /// Notes that this operator deletes it.
    pub(super) fn deleted(&self, name: &str) {
        if let Some((job, _)) = self.jobs().there.get_mut(name) {
            job.ended = true;
        }
    }

    fn jobs(&self) -> MutexGuard<'_, Reported<(BuilderJob, Arc<Job>)>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn build_of<K: Resource>(object: &K) -> Option<&String> {
    object.meta().labels.as_ref()?.get(names::BUILD_UID)
}

fn concerned<K: Resource>(event: &Event<K>) -> Option<String> {
    match event {
        Event::Apply(object) | Event::Delete(object) => build_of(object).cloned(),
        Event::Init | Event::InitApply(_) | Event::InitDone => None,
    }
}
