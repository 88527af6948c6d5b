//! When what the watch told of a project may be old: something of it vanished that nobody here deleted, or its Deployment
//! was written for a later generation. It is read then, before anything is decided: a project that is gone must not get
//! its children back, and one that was started must not be stopped again.

use std::sync::Arc;

use kube::{Api, ResourceExt as _};

use super::cache::{Key, Losses};
use super::{Cluster, Error};
use crate::crd::ProjectDeployment;
use crate::desired::names;
use crate::project::Project;

impl Cluster {
    /// The project as it is to be acted on; none where it is gone or going.
    pub async fn sure_of(
        &self,
        told: Arc<ProjectDeployment>,
    ) -> Result<Option<Arc<ProjectDeployment>>, Error> {
        let key = (told.namespace().unwrap_or_default(), told.name_any());
        let uid = told.uid().unwrap_or_default();
        if !self.caches.projects.has(&uid) {
            return Ok(None);
        }
        if !self.became_bereft(&key) && !self.is_behind(&key, &told) {
            return Ok(Some(told));
        }
        let api: Api<ProjectDeployment> = self.api(&key.0);
        let read = api.get_opt(&key.1).await;
        let read = read.map_err(|error| {
            self.caches.revisions.doubt(key.clone());
            Error::sort(&format!("read ProjectDeployment {}", key.1), error)
        })?;
        let alive = |read: &ProjectDeployment| {
            read.metadata.uid == told.metadata.uid && read.metadata.deletion_timestamp.is_none()
        };
        let Some(read) = read.filter(alive) else {
            self.caches.projects.gone(&uid);
            return Ok(None);
        };
        self.remember(read);
        Ok(Some(self.newest(&told)))
    }

    /// Whether the project was deleted, or something of it vanished, since it was last made sure of: a pass that is under
    /// way then must not make anything anew, because the next one may read that the project is gone.
    #[must_use]
    pub fn is_in_doubt(&self, project: &Project) -> bool {
        let key = (project.namespace.clone(), project.name.clone());
        !self.caches.projects.has(&project.uid) || self.missed().iter().any(|cache| cache.is_bereft(&key))
    }

    /// Makes sure that the project is not being deleted, before a child without owner gets one: `--cascade=orphan` takes
    /// the owners away while the project is still there, and what names an owner that is gone is garbage.
    pub async fn make_sure_of(&self, project: &Project) -> Result<(), Error> {
        let what = format!("read ProjectDeployment {}", project.name);
        let api: Api<ProjectDeployment> = self.api(&project.namespace);
        let read = api.get_opt(&project.name).await.map_err(|error| Error::sort(&what, error))?;
        let lives = read.is_some_and(|read| {
            read.metadata.uid.as_ref() == Some(&project.uid) && read.metadata.deletion_timestamp.is_none()
        });
        if lives { Ok(()) } else { Err(Error::Conflict { what: format!("go on with {}", project.name) }) }
    }

    fn became_bereft(&self, key: &Key) -> bool {
        // Each of them is asked, for each says it once.
        self.missed().map(|cache| cache.bereft(key)).contains(&true)
    }

    /// Caches of the kinds that are made anew where they are missing.
    fn missed(&self) -> [&dyn Losses; 4] {
        let caches = self.caches();
        [&caches.revisions, &caches.deployments, &caches.services, &caches.jobs]
    }

    fn is_behind(&self, key: &Key, told: &ProjectDeployment) -> bool {
        let of_this = |uid: Option<&String>| uid == told.metadata.uid.as_ref();
        let written_for = self.caches().deployments.of(key).into_iter().filter_map(|deployment| {
            let generation = deployment.annotations().get(names::GENERATION)?.parse::<i64>().ok()?;
            of_this(deployment.labels().get(names::UID)).then_some(generation)
        });
        written_for.max() > told.metadata.generation
    }
}
