//! A project that is deleted and made again under its name: what the first one leaves is a ghost, until the garbage
//! collector comes.

use doce_operator::crd::ProjectDeployment;
use doce_operator::project::Project;
use doce_operator::reconcile::observed::{Child, LostMetadata};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::cluster::{Cluster, timestamp};

/// Name of the project, its Deployment, its Service and its ledger.
pub(crate) const NAME: &str = "shop";

impl Cluster {
    /// Somebody deletes the object. With foreground deletion it stays until the children are gone; else a new one of
    /// its name is there at once, and the children are ghosts.
    pub(crate) fn recreate(&mut self, foreground: bool) {
        if foreground {
            self.object.metadata.deletion_timestamp = Some(Time(timestamp(self.clock)));
        } else {
            self.bury();
            self.born_again();
        }
    }

    /// Somebody deletes the object and has its children left, and makes a new one of its name.
    pub(crate) fn orphan(&mut self) {
        if self.project.deleting {
            return; // Its children are being deleted with it.
        }
        let name = || NAME.to_owned();
        let mut left = vec![];
        left.extend(self.ledger.as_ref().map(|_| (Child::Ledger, name())));
        left.extend(self.records.keys().map(|version| (Child::Record, version.clone())));
        left.extend(self.jobs.keys().chain(self.inits.keys()).map(|job| (Child::Job, job.clone())));
        left.extend(self.deployment.as_ref().map(|_| (Child::Deployment, name())));
        let forgotten = self.forgotten;
        self.born_again();
        self.unmarked = left.into_iter().map(|(child, name)| LostMetadata { child, name }).collect();
        self.inherits = self.ledger.is_some();
        self.deployment.iter_mut().for_each(|deployment| deployment.unowned = true);
        self.service.iter_mut().for_each(|service| service.edited = true);
        (self.heir, self.forgotten) = (true, forgotten);
    }

    /// What this state is to somebody who knows the project of `uid`: children of another one are ghosts.
    pub(crate) fn seen_by(&self, uid: &str) -> Self {
        let mut seen = self.clone();
        if seen.project.uid != uid {
            seen.ghosts.clear(); // Some of them may be its own; they go anyway.
            seen.bury();
        }
        seen
    }

    /// Takes over what `from` knows of one kind of child.
    pub(crate) fn take(&mut self, child: Child, from: &Self) {
        match child {
            Child::Ledger => {
                self.ledger.clone_from(&from.ledger);
                self.inherits = from.inherits;
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
            // Told by the watch of Jobs; the model's images are in the platform's own registry.
            Child::Init | Child::Cleanup => {}
            Child::Service => self.service = from.service,
        }
        self.ghosts.retain(|(kind, _)| *kind != child);
        self.ghosts.extend(from.ghosts.iter().filter(|(kind, _)| *kind == child).cloned());
        self.unmarked.retain(|unmarked| unmarked.child != child);
        self.unmarked.extend(from.unmarked.iter().filter(|unmarked| unmarked.child == child).cloned());
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
        self.unmarked.clear();
        self.ghosts.extend(ghosts);
    }

    fn lose_one(&mut self) -> bool {
        if self.deployment.take().is_some() {
            self.sets.clear();
            return true;
        }
        self.nature.initialized.clear(); // The next one of this name is another project.
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
        self.unmarked.clear();
        (self.inherits, self.heir) = (false, false);
        self.forgotten = false;
        self.reparse();
    }

    /// Reads the object again, as the API server gives it.
    pub(crate) fn reparse(&mut self) {
        self.touch();
        let metadata = &mut self.object.metadata;
        metadata.generation = metadata.generation.map(|generation| generation + 1);
        metadata.resource_version = Some(self.changes.to_string());
        self.project = Project::parse(&self.object).expect("the model's object is complete");
    }
}
