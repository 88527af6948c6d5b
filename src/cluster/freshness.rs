//! Detects that the watched project may be outdated: it lost an object that we did not delete, or its Deployment or a Job was
//! written for a later generation. Then the operator reads the project before it decides: a deleted project must not
//! get its children back, a started one must not be stopped again, and a build that it needs must not be ended.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Api, ResourceExt as _};

use super::{Cluster, Error};
use crate::crd::ProjectDeployment;
use crate::desired::names;
use crate::project::Key;
use crate::project::Project;

impl Cluster {
    /// The project to act on; `None` if it is deleted or being deleted.
    pub async fn confirmed(
        &self,
        known: Arc<ProjectDeployment>,
    ) -> Result<Option<Arc<ProjectDeployment>>, Error> {
        let key = (known.namespace().unwrap_or_default(), known.name_any());
        let uid = known.uid().unwrap_or_default();
        if !self.caches.projects.has(&uid) {
            return Ok(None);
        }
        if !self.lost_a_child_since(&key) && !self.is_behind(&key, &known) {
            return Ok(Some(known));
        }
        let api: Api<ProjectDeployment> = self.api(&key.0);
        let read = api.get_opt(&key.1).await;
        let read = read.map_err(|error| {
            self.caches.revisions.doubt(key.clone());
            Error::sort(&format!("read ProjectDeployment {}", key.1), error)
        })?;
        let alive = |read: &ProjectDeployment| {
            read.metadata.uid == known.metadata.uid && read.metadata.deletion_timestamp.is_none()
        };
        let Some(read) = read.filter(alive) else {
            self.caches.projects.gone(&uid);
            return Ok(None);
        };
        self.remember(read);
        Ok(self.project(&key).filter(|newest| newest.uid().as_ref() == Some(&uid)))
    }

    /// Whether the project was deleted, or lost an object, since it was last read or checked. A pass in progress must
    /// then create nothing, because the next pass may find that the project is gone.
    #[must_use]
    pub fn may_be_deleted(&self, project: &Project) -> bool {
        let key = (project.namespace.clone(), project.name.clone());
        !self.caches.projects.has(&project.uid)
            || self.caches.missed().iter().any(|cache| cache.lost_child(&key))
    }

    /// Checks that the project is not being deleted, before a child without owner gets one. `--cascade=orphan` removes
    /// the owners while the project still exists, and Kubernetes collects a child whose owner is gone.
    pub async fn require_alive(&self, project: &Project) -> Result<(), Error> {
        let what = format!("read ProjectDeployment {}", project.name);
        let api: Api<ProjectDeployment> = self.api(&project.namespace);
        let read = api.get_opt(&project.name).await.map_err(|error| Error::sort(&what, error))?;
        let lives = read.is_some_and(|read| {
            read.metadata.uid.as_ref() == Some(&project.uid) && read.metadata.deletion_timestamp.is_none()
        });
        if lives { Ok(()) } else { Err(Error::Conflict { what: format!("continue with {}", project.name) }) }
    }

    fn lost_a_child_since(&self, key: &Key) -> bool {
        // Ask every cache: `take_lost_child` clears its mark.
        self.caches.missed().map(|cache| cache.take_lost_child(key)).contains(&true)
    }

    fn is_behind(&self, key: &Key, known: &ProjectDeployment) -> bool {
        let of_this = |uid: Option<&String>| uid == known.metadata.uid.as_ref();
        let generation = |meta: &ObjectMeta| {
            let generation = meta.annotations.as_ref()?.get(names::GENERATION)?.parse::<i64>().ok()?;
            of_this(meta.labels.as_ref()?.get(names::UID)).then_some(generation)
        };
        let (deployments, jobs) = (self.caches().deployments.of(key), self.caches().jobs.of(key));
        let deployments = deployments.iter().filter_map(|deployment| generation(&deployment.metadata));
        deployments.chain(jobs.iter().filter_map(|job| generation(&job.metadata))).max()
            > known.metadata.generation
    }
}
