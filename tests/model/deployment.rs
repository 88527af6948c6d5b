//! The Deployment controller and the pods, as detailed as the operator can observe them: `maxSurge` 1, `maxUnavailable`
//! 0, and an earlier template gets its existing `ReplicaSet` back.

use std::collections::BTreeSet;

use super::cluster::{Cluster, Deployment, Pod, Set, TICK, Template};
use super::nature::Health;

impl Cluster {
    /// Pods become ready or fail.
    pub(crate) fn tick_pods(&mut self) {
        let mut moved = false;
        let lacking: BTreeSet<String> =
            self.records.keys().filter(|version| self.lacks_image(version)).cloned().collect();
        for (template, set) in &mut self.sets {
            let version = template.version.as_deref().unwrap_or_default();
            let health = self.nature.health(version);
            let mut ready_ones = set.pods.iter().filter(|pod| pod.ready.is_some()).count();
            for pod in &mut set.pods {
                let health = pod.sick.unwrap_or(health);
                let old_enough = pod.born + TICK <= self.clock;
                let pulled = pod.ready.is_some() || pod.exits > 0 || !lacking.contains(version);
                let well = match health {
                    Health::Good => true,
                    Health::Bad | Health::Hopeless | Health::Away => false,
                    Health::Crashing => pod.ready.is_none() && pod.exits < 3, // Then the backoff is long.
                    Health::Partial => pod.ready.is_some() || ready_ones == 0,
                };
                match (pod.ready.is_some(), well && old_enough && pulled) {
                    (false, true) => {
                        pod.ready = Some(self.clock);
                        ready_ones += 1;
                        moved = true;
                    }
                    (true, false) => {
                        pod.ready = None;
                        pod.born = self.clock;
                        pod.exits += 1;
                        ready_ones -= 1;
                        moved = true;
                    }
                    _ => {}
                }
            }
        }
        if moved {
            self.touch();
        }
    }

    /// One pass of the Deployment controller.
    pub(crate) fn tick_deployment(&mut self) {
        let Some(mut deployment) = self.deployment.take() else {
            if !self.sets.is_empty() {
                self.sets.clear(); // The garbage collector follows the owner.
                self.touch();
            }
            return;
        };
        if deployment.observed == deployment.generation {
            self.scale(&deployment);
        } else {
            self.notice(&mut deployment);
        }
        self.deployment = Some(deployment);
        self.follow_progress();
    }

    fn notice(&mut self, deployment: &mut Deployment) {
        deployment.observed = deployment.generation;
        let newest = self.sets.values().map(|set| set.revision).max().unwrap_or(0);
        let set = self.sets.entry(deployment.template.clone()).or_default();
        if set.revision == 0 || set.revision < newest {
            set.revision = newest + 1;
        }
        if deployment.rolling.as_ref() != Some(&deployment.template) {
            deployment.rolling = Some(deployment.template.clone());
            let (version, stamp) = (deployment.template.version.clone(), deployment.template.stamp.clone());
            self.nature.tries.entry(version.unwrap_or_default()).or_default().insert(stamp);
            deployment.complete = false;
            deployment.timed_out = false;
            deployment.progressed = self.clock;
            deployment.counts = (0, 0, 0);
        }
        self.touch();
    }

    fn scale(&mut self, deployment: &Deployment) {
        let before: Vec<usize> = self.sets.values().map(|set| set.pods.len()).collect();
        let wish = deployment.replicas;
        let total: usize = before.iter().sum();
        let template = &deployment.template;
        let newborn = |clock| {
            let sick =
                template.version.as_ref().and_then(|version| self.nature.sick_newborn.get(version)).copied();
            Pod { born: clock, ready: None, sick, exits: 0 }
        };
        let newborn = newborn(self.clock);
        if deployment.replaces && self.end_the_old(template) {
            self.touch();
            return;
        }
        let new = self.sets.entry(template.clone()).or_default();
        let room = (wish + usize::from(wish > 0)).saturating_sub(total);
        let grow = wish.saturating_sub(new.pods.len()).min(room);
        new.pods.extend(std::iter::repeat_n(newborn, grow));
        shrink(new, new.pods.len().saturating_sub(wish));
        let (available, sick) = (new.available(deployment.guard, self.clock), new.pods.len());
        let new_unavailable = sick - available;
        let total: usize = self.sets.values().map(|set| set.pods.len()).sum();
        let mut spare = total.saturating_sub(wish + if wish == 0 { 0 } else { new_unavailable });
        for (_, set) in self.sets.iter_mut().filter(|(of, _)| *of != template) {
            let unready = set.pods.iter().filter(|pod| pod.ready.is_none()).count();
            let goes = if wish == 0 { set.pods.len() } else { spare.min(unready) };
            shrink(set, goes);
            spare -= goes.min(spare);
        }
        let all_available: usize =
            self.sets.values().map(|set| set.available(deployment.guard, self.clock)).sum();
        let mut spare = all_available.saturating_sub(wish);
        for (_, set) in self.sets.iter_mut().filter(|(of, _)| *of != template) {
            let goes = spare.min(set.pods.len());
            shrink(set, goes);
            spare -= goes;
        }
        let after: Vec<usize> = self.sets.values().map(|set| set.pods.len()).collect();
        for set in self.sets.values_mut() {
            set.desired = set.pods.len();
        }
        if before != after {
            self.touch();
        }
    }

    /// Strategy Recreate: no new pod starts while an old one exists.
    fn end_the_old(&mut self, template: &Template) -> bool {
        let old = self.sets.iter_mut().filter(|(of, set)| *of != template && !set.pods.is_empty());
        let mut any = false;
        for (_, set) in old {
            set.pods.clear();
            set.desired = 0;
            any = true;
        }
        any
    }

    /// A pod that becomes available changes the status of the Deployment, even without a rollout.
    fn show_available(&mut self) {
        let Some(deployment) = &self.deployment else { return };
        let sets = self.sets.values();
        let available = sets.map(|set| set.available(deployment.guard, self.clock)).sum();
        if deployment.available != available {
            self.deployment.iter_mut().for_each(|deployment| deployment.available = available);
            self.touch();
        }
    }

    /// Condition Progressing: once complete, it stays complete until the template changes. Scaling starts no deadline.
    fn follow_progress(&mut self) {
        self.show_available();
        let complete = self.complete();
        let clock = self.clock;
        let Some(deployment) = &mut self.deployment else { return };
        if deployment.observed != deployment.generation || deployment.complete {
            return;
        }
        let set = self.sets.get(&deployment.template).cloned().unwrap_or_default();
        let ready = set.pods.iter().filter(|pod| pod.ready.is_some()).count();
        let counts = (set.pods.len(), ready, set.available(deployment.guard, clock));
        let before = deployment.counts;
        if counts.0 > before.0 || counts.1 > before.1 || counts.2 > before.2 {
            deployment.progressed = clock;
            deployment.timed_out = false;
        }
        deployment.counts = counts;
        if complete {
            deployment.complete = true;
            deployment.timed_out = false;
            self.touch();
        } else if !deployment.timed_out && deployment.progressed + deployment.deadline < clock {
            deployment.timed_out = true;
            self.touch();
        }
    }
}

/// Removes pods, unready ones first.
fn shrink(set: &mut Set, by: usize) {
    set.pods.sort_by_key(|pod| (pod.ready.is_none(), pod.ready, pod.born));
    set.pods.truncate(set.pods.len().saturating_sub(by));
}
