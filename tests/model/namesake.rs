//! A project that is deleted and created again under its name: children of the first one are ghosts until the garbage
//! collector deletes them.

use doce_operator::crd::ProjectDeployment;
use doce_operator::project::Project;
use doce_operator::reconcile::observed::{Child, LostMetadata};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::cluster::{Cluster, timestamp};

/// The name of the project, its Deployment, its Service and its ledger.
pub(crate) const NAME: &str = "shop";

impl Cluster {
    /// A user deletes the object. With foreground deletion it stays until the children are deleted. Otherwise a new
    /// object with its name exists at once, and the children are ghosts.
    pub(crate) fn recreate(&mut self, foreground: bool) {
        if foreground {
            self.object.metadata.deletion_timestamp = Some(Time(timestamp(self.clock)));
        } else {
            self.bury();
            self.born_again();
        }
    }

    /// A user deletes the object but not its children, and creates a new one with its name.
    pub(crate) fn orphan(&mut self) {
        if self.project.deleting {
            return; // Kubernetes is already deleting its children.
        }
        let name = || NAME.to_owned();
        let mut left = vec![];
        left.extend(self.ledger.as_ref().map(|_| (Child::Ledger, name())));
        left.extend(self.records.keys().map(|version| (Child::Record, version.clone())));
        left.extend(self.jobs.keys().chain(self.inits.keys()).map(|job| (Child::Job, job.clone())));
        left.extend(self.deployment.as_ref().map(|_| (Child::Deployment, name())));
        let forgotten = self.forgotten;
        self.born_again();
        self.lost_metadata = left.into_iter().map(|(child, name)| LostMetadata { child, name }).collect();
        self.orphaned_ledger = self.ledger.is_some();
        self.deployment.iter_mut().for_each(|deployment| deployment.unowned = true);
        self.service.iter_mut().for_each(|service| service.edited = true);
        (self.heir, self.forgotten) = (true, forgotten);
    }

    /// This state as seen by an operator that knows the project with `uid`: children of another project are ghosts.
    pub(crate) fn seen_by(&self, uid: &str) -> Self {
        let mut seen = self.clone();
        if seen.project.uid != uid {
            seen.ghosts.clear(); // Some may belong to it; the collector deletes them anyway.
            seen.bury();
        }
        seen
    }

    /// Copies one kind of child from `from`.
    pub(crate) fn take(&mut self, child: Child, from: &Self) {
        match child {
            Child::Ledger => {
                self.ledger.clone_from(&from.ledger);
                self.orphaned_ledger = from.orphaned_ledger;
            }
            Child::Record => self.records.clone_from(&from.records),
            Child::Job => {
                self.jobs.clone_from(&from.jobs);
                self.inits.clone_from(&from.inits);
            }
            Child::Deployment => {
                self.deployment.clone_from(&from.deployment);
                self.sets.clone_from(&from.sets);
            }
            // The watch of Jobs covers them; the model's images are in the platform's own registry, and no project of it says
            // who may connect.
            Child::Init | Child::Cleanup | Child::NetworkPolicy => {}
            Child::Service => self.service = from.service,
        }
        self.ghosts.retain(|(kind, _)| *kind != child);
        self.ghosts.extend(from.ghosts.iter().filter(|(kind, _)| *kind == child).cloned());
        self.lost_metadata.retain(|lost_metadata| lost_metadata.child != child);
        self.lost_metadata
            .extend(from.lost_metadata.iter().filter(|lost_metadata| lost_metadata.child == child).cloned());
    }

    /// One pass of the garbage collector.
    pub(crate) fn tick_garbage(&mut self) {
        if self.project.deleting {
            if !self.lose_one() {
                self.born_again();
            }
            self.touch();
        } else if !self.ghosts.is_empty() {
            self.ghosts.remove(0);
            self.touch();
        }
    }

    /// Every child becomes a ghost.
    fn bury(&mut self) {
        let name = || NAME.to_owned();
        let mut ghosts = vec![];
        ghosts.extend(self.ledger.take().map(|_| (Child::Ledger, name())));
        ghosts.extend(self.records.keys().map(|version| (Child::Record, version.clone())));
        ghosts.extend(self.jobs.keys().chain(self.inits.keys()).map(|job| (Child::Job, job.clone())));
        ghosts.extend(self.deployment.take().map(|_| (Child::Deployment, name())));
        ghosts.extend(self.service.take().map(|_| (Child::Service, name())));
        self.records.clear();
        self.jobs.clear();
        self.inits.clear();
        self.nature.initialized.clear();
        self.sets.clear();
        self.lost_metadata.clear();
        self.ghosts.extend(ghosts);
    }

    fn lose_one(&mut self) -> bool {
        if self.deployment.take().is_some() {
            self.sets.clear();
            return true;
        }
        self.nature.initialized.clear(); // The next object with this name is a different project.
        self.jobs.pop_first().is_some()
            || self.inits.pop_first().is_some()
            || self.service.take().is_some()
            || self.records.pop_last().is_some()
            || self.ledger.take().is_some()
    }

    fn born_again(&mut self) {
        self.lives += 1;
        let mut object = ProjectDeployment::new(NAME, self.object.spec.clone());
        object.metadata.namespace.clone_from(&self.object.metadata.namespace);
        object.metadata.uid = Some(format!("uid-{}", self.lives));
        object.metadata.generation = Some(0);
        self.object = object;
        self.first_requests = None;
        self.lost_metadata.clear();
        (self.orphaned_ledger, self.heir) = (false, false);
        self.forgotten = false;
        self.reparse();
    }

    /// Parses the object again, as the API server returns it.
    pub(crate) fn reparse(&mut self) {
        self.touch();
        let metadata = &mut self.object.metadata;
        metadata.generation = metadata.generation.map(|generation| generation + 1);
        metadata.resource_version = Some(self.changes.to_string());
        self.project = Project::parse(&self.object).expect("the model's object is complete");
    }
}
