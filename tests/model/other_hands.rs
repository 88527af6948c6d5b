//! What nature and other actors do to the model: versions become unhealthy and recover, users delete and edit children,
//! the API server rejects writes. Nothing here is done by the operator.

use std::collections::BTreeMap;

use doce_operator::reconcile::observed::init::InitState;
use doce_operator::reconcile::observed::{Child, LostMetadata};

use doce_operator::memory::record::Record;

use super::cluster::{Cluster, Pod};
use super::event::Event;
use super::namesake::NAME;
use super::nature::Health;

impl Cluster {
    /// Applies an event of nature or of another actor.
    pub(crate) fn suffer(&mut self, event: Event) {
        let in_place = self.in_place().map(str::to_owned);
        match event {
            Event::Break(illness) => self.nature.changed.extend(in_place.map(|version| (version, illness))),
            Event::BreakNewborn => {
                self.nature.sick_newborn.extend(in_place.map(|version| (version, Health::Bad)));
            }
            Event::HealAll => {
                let known = self.nature.origins.keys().cloned();
                self.nature.changed = known.map(|version| (version, Health::Good)).collect();
                self.nature.sick_newborn.clear();
                self.sets.values_mut().flat_map(|set| &mut set.pods).for_each(|pod| pod.sick = None);
            }
            Event::LoseImage => self.lose_image(),
            Event::FaultsAgain => self.nature.faults.clear(),
            Event::Load(load) => self.nature.load = load,
            Event::Refuse(child, cause) => self.server.refuses.push((child, cause)),
            Event::Admit => {
                self.server.refuses.clear();
                self.server.taken.clear();
            }
            Event::Recreate(foreground) => self.recreate(foreground),
            Event::Orphan => self.orphan(),
            _ => self.suffer_in_children(event),
        }
    }

    fn lose_image(&mut self) {
        let built = |record: &Record| record.facts.key.as_ref().and(record.image.clone());
        let image = self.in_place().and_then(|version| self.records.get(version)).and_then(built);
        let Some(image) = image else { return };
        self.nature.gone.insert(image.reference);
        self.nature.lossy = true;
        let clock = self.clock;
        let set = self.deployment.as_ref().and_then(|deployment| self.sets.get_mut(&deployment.template));
        if let Some(pod) = set.and_then(|set| set.pods.last_mut()) {
            *pod = Pod { born: clock, ready: None, sick: None, exits: 0 };
        }
    }

    fn suffer_in_children(&mut self, event: Event) {
        match event {
            Event::LoseLedger => {
                self.ledger = None;
                self.forgotten = true;
            }
            Event::LoseDeployment => {
                self.deployment = None;
                self.sets.clear();
            }
            Event::LoseService(taken) => {
                let lost = self.service.take().and_then(|service| service.port);
                self.server.taken.extend(lost.filter(|_| taken));
            }
            Event::LoseSet(nth) => lose(&mut self.sets, nth),
            Event::LoseRecord(nth) => lose(&mut self.records, nth),
            Event::LoseJob(nth) => self.lose_job(usize::from(nth)),
            Event::SweepJobs => {
                self.jobs.retain(|_, job| job.state.is_active());
                self.inits.retain(|_, job| job.state == InitState::Running);
                self.nature.swept = true;
            }
            Event::EditService => self.service.iter_mut().for_each(|service| service.edited = true),
            Event::StripMarks(nth) => self.strip_marks(usize::from(nth)),
            _ => self.suffer_in_deployment(event),
        }
        let (ledger, records, deployment) = (&self.ledger, &self.records, &self.deployment);
        let (jobs, inits) = (&self.jobs, &self.inits);
        self.orphaned_ledger &= ledger.is_some();
        self.lost_metadata.retain(|lost_metadata| match lost_metadata.child {
            Child::Ledger => ledger.is_some(),
            Child::Record => records.contains_key(&lost_metadata.name),
            Child::Deployment => deployment.is_some(),
            _ => jobs.contains_key(&lost_metadata.name) || inits.contains_key(&lost_metadata.name),
        });
    }

    fn lose_job(&mut self, nth: usize) {
        let name = self.jobs.keys().chain(self.inits.keys()).nth(nth).cloned();
        if let Some(name) = name {
            self.jobs.remove(&name);
            self.inits.remove(&name);
            self.nature.swept = true;
        }
    }

    fn strip_marks(&mut self, nth: usize) {
        let ledger = self.ledger.iter().map(|_| (Child::Ledger, NAME.to_owned()));
        let records = self.records.keys().map(|version| (Child::Record, version.clone()));
        let jobs = self.jobs.keys().chain(self.inits.keys()).map(|job| (Child::Job, job.clone()));
        let stripped = ledger.chain(records).chain(jobs).nth(nth);
        self.lost_metadata.extend(stripped.map(|(child, name)| LostMetadata { child, name }));
    }

    fn suffer_in_deployment(&mut self, event: Event) {
        let Some(deployment) = &mut self.deployment else { return };
        match event {
            Event::EditTemplate => deployment.template.edit += 1,
            Event::RolloutRestart => deployment.template.kubectl += 1,
            Event::EditReplicas(replicas) => deployment.replicas = usize::from(replicas),
            Event::StripVersion => deployment.template.version = None,
            _ => return,
        }
        deployment.generation += 1;
    }
}

fn lose<K: Clone + Ord, V>(children: &mut BTreeMap<K, V>, nth: u8) {
    if let Some(name) = children.keys().nth(usize::from(nth)).cloned() {
        children.remove(&name);
    }
}
