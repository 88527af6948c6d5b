//! Second step of the loop: project and observed state in, one step out. The first matching row of a table wins; after
//! its write the loop observes again. Pure: no client, no clock, no shapes of children.

mod builds;
mod cleanup;
mod exposure;
mod init;
pub mod lost_images;
mod memory;
pub mod poll;
mod requests;
mod rollout;
mod verdicts;

use crate::crd::annotations::RequestKind;
use crate::memory::ledger::{Attempts, Ledger, Lookup, VersionState};
use crate::memory::record::{Facts, ImageFact, SourceFact, Trigger, TriggerKind};
use crate::project::Project;

use super::observed::{Child, LostMetadata, Observed};
use super::target::{Target, forbidden, initialized, open_lookup, rebuildable, target, target_with};
use crate::protocol::build_target::BuildTarget;

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Write the whole ledger by compare-and-swap.
    WriteLedger(Box<Ledger>),
    /// Take over the ledger that a deleted project of this name left behind.
    AdoptLedger(Box<Ledger>),
    /// Create a record; its pod template is rendered from the project's `run`.
    CreateRecord {
        /// Version, 64 hex digits.
        version: String,
        /// Build key.
        key: Option<String>,
        /// What the version is made from.
        source: SourceFact,
        /// What caused this version.
        trigger: Trigger,
        /// The image, if it already exists.
        image: Option<ImageFact>,
    },
    /// Write the image of a version into its record.
    WriteImage {
        /// Version of the record.
        version: String,
        /// The image.
        image: ImageFact,
    },
    /// Create a build Job. It starts at once if the queue has a free slot, else it waits, suspended.
    CreateBuildJob {
        /// What to build.
        of: BuildTarget,
        /// Number of the attempt.
        attempt: u32,
        /// Digest of the source, if known.
        digest: Option<String>,
        /// Why it is built, for people.
        reason: &'static str,
    },
    /// Create the Job that runs an init command.
    CreateInitJob {
        /// The version.
        version: String,
        /// Number of the run.
        number: u64,
    },
    /// Delete a build Job that is no longer needed.
    DeleteBuildJob {
        /// Name of the Job.
        job: String,
    },
    /// Create, suspended, the Job that deletes the image of a record that is about to be deleted.
    CreateCleanupJob {
        /// Version of the record.
        version: String,
    },
    /// Create, suspended, the Job that retries a failed cleanup Job.
    RecreateCleanupJob {
        /// Name of the Job that failed.
        job: String,
    },
    /// Delete a cleanup Job that must not start.
    DeleteCleanupJob {
        /// Name of the Job.
        job: String,
    },
    /// Create or change the Deployment.
    ApplyDeployment(DesiredDeployment),
    /// Create or change the Service.
    ApplyService {
        /// The port to request; `None`: its former port or the first free one, starting at the project's candidate, or
        /// none if the spec says so.
        port: Option<u16>,
    },
    /// Create or change the NetworkPolicy.
    ApplyNetworkPolicy,
    /// Delete the NetworkPolicy: the spec no longer says who may connect.
    DeleteNetworkPolicy,
    /// Delete a ReplicaSet without pods.
    DeleteReplicaSet {
        /// Its name.
        name: String,
    },
    /// Restore labels and owner of a child.
    RepairMetadata(LostMetadata),
    /// Delete a record.
    DeleteRecord {
        /// Its version.
        version: String,
    },
}

/// Desired content of the Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredDeployment {
    /// Version whose recorded template is used; `None`: the template does not change.
    pub version: Option<String>,
    /// Restart stamp of the template.
    pub stamp: Option<String>,
    /// Number of pods.
    pub replicas: i32,
    /// The version is on trial: never live, it must survive the guard.
    pub trial: bool,
    /// Where startup budget and extras of the template come from.
    pub template: TemplateOrigin,
}

/// Where the parts of a pod template come from that are not recorded with the version: startup budget and extras. They
/// are part of what a `ReplicaSet` is matched by, so a rollback without new pods' templates must repeat them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateOrigin {
    /// The Deployment has this version and stamp: they stay, and so do its rollout timings.
    InPlace,
    /// The newest `ReplicaSet` of this version and stamp, by name.
    ReplicaSet(String),
    /// The project as it is now.
    Project,
}

/// Everything that a row may read.
struct Situation<'a> {
    project: &'a Project,
    observed: &'a Observed,
    ledger: &'a Ledger,
    target: Target,
}

/// One row: returns a step if it matches.
type Row = fn(&Situation<'_>) -> Option<Step>;

/// The rows, top down: the first that matches decides. The table in docs/design.md has the same names in the same order,
/// which gives each row its number.
const ROWS: [(&str, Row); 27] = [
    ("the spec names another branch or tag than the last lookup", memory::lookup_changed),
    ("the version of the pin or the spec has no record", memory::record),
    ("a new cancel", requests::cancel),
    ("a new retry", requests::retry),
    ("a new rollback", requests::rollback),
    ("a new restart", requests::restart),
    ("a new deploy", requests::deploy),
    ("a build Job finished", verdicts::job_finished),
    ("a lost image was replaced", lost_images::back),
    ("an image is gone from its registry", lost_images::gone),
    ("an init command ended", init::ended),
    ("the interval of the source is over", poll::due),
    ("the version in place is Available", verdicts::live),
    ("a restart does not become Available", verdicts::restart_failed),
    ("a version on trial failed", verdicts::trial_failed),
    ("an init command that failed because of a fault is retried", init::retry_after_fault),
    ("a version that failed because of a fault is retried", verdicts::retry_after_fault),
    ("a build Job is no longer needed", builds::unneeded),
    ("a build is due", builds::due),
    ("an init command is due", init::due),
    ("the Deployment, the Service or the NetworkPolicy differs from its desired shape", rollout::children),
    ("a child lost a label or its owner", memory::repair_metadata),
    ("a ReplicaSet is not kept", rollout::delete_replica_set),
    ("a cleanup Job deletes an image that must stay", cleanup::unneeded),
    ("a cleanup Job failed", cleanup::again),
    ("there are more records than the limit: the image of the oldest", cleanup::due),
    ("there are more records than the limit", memory::delete_record),
];

/// Names of the rows, top down.
pub fn rows() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|(name, _)| *name)
}

/// The next step. `None` if the project is settled, waits for a watch event or a timer, or a rejected write blocks it.
pub fn decide(project: &Project, observed: &Observed) -> Option<Step> {
    if project.deleting || !observed.predecessors.is_empty() {
        return None;
    }
    let Some(ledger) = &observed.ledger else {
        return (!observed.refused(Child::Ledger)).then(|| memory::first_ledger(project, observed));
    };
    if observed.orphaned_ledger {
        return (!observed.refused(Child::Ledger)).then(|| memory::adopt_orphaned_ledger(project, ledger));
    }
    let situation = Situation { project, observed, ledger, target: target(project, observed) };
    let (row, name, step) =
        (1..).zip(&ROWS).find_map(|(row, (name, of))| Some((row, *name, of(&situation)?)))?;
    tracing::debug!(namespace = project.namespace, name = project.name, row, situation = name, "row matches");
    Some(step)
}

/// A second write that neither needs the result of `step` nor could make it wrong, in whatever order the two arrive and
/// if only one of them does. Both are sent at the same time: a first deploy is ready two round trips earlier.
#[must_use]
pub fn alongside(project: &Project, observed: &Observed, step: &Step) -> Option<Step> {
    match (step, &observed.ledger) {
        // A record without a ledger is what remains when someone deletes the ledger.
        (Step::WriteLedger(ledger), None) => {
            let target = target_with(project, observed, ledger);
            memory::record(&Situation { project, observed, ledger, target })
        }
        (Step::ApplyDeployment(_), Some(ledger)) => {
            exposure::service(&Situation { project, observed, ledger, target: target(project, observed) })
        }
        _ => None,
    }
}

impl Situation<'_> {
    /// A step that writes `ledger`, adds facts learned meanwhile, and drops entries that nothing needs. `None` once a
    /// write of the ledger was rejected: the operator does not act on what it cannot remember.
    fn note(&self, mut ledger: Ledger) -> Option<Step> {
        if self.observed.refused(Child::Ledger) {
            return None;
        }
        ledger.object = ledger.object.max(self.project.resource_version);
        let there = self.observed.service.as_ref().and_then(|service| service.port);
        if let Some(port) = there.filter(|_| self.project.has_node_port && ledger.port.is_none()) {
            ledger = ledger.with_port(port, self.project.fixed_port.is_some());
        }
        let from_spec = self.target.from_spec.as_ref();
        let records = &self.observed.records;
        let known =
            |version: &String| records.contains_key(version) || self.target.desired.as_ref() == Some(version);
        ledger.versions.retain(|version, _| known(version));
        let key_of = |facts: &Facts| facts.key.clone();
        let keys: Vec<String> = records.values().filter_map(|record| key_of(&record.facts)).collect();
        let asked_key = from_spec.and_then(|from_spec| from_spec.key.as_ref());
        let job_of =
            |key: &String| self.observed.jobs.iter().any(|job| job.of == BuildTarget::Key(key.clone()));
        let news = |key: &String, attempts: &Attempts| self.ledger.builds.get(key) != Some(attempts);
        ledger.builds.retain(|key, attempts| {
            keys.contains(key) || asked_key == Some(key) || job_of(key) || news(key, attempts)
        });
        let others = ledger
            .builds
            .iter_mut()
            .filter(|(key, attempts)| asked_key != Some(*key) && !news(key, attempts));
        others.for_each(|(_, attempts)| attempts.forget_logs());
        // Only the desired version keeps the log of its app: the ledger must stay small.
        let told = |version: &String, life: &VersionState| self.ledger.versions.get(version) == Some(life);
        let others = ledger
            .versions
            .iter_mut()
            .filter(|(version, life)| self.target.desired.as_ref() != Some(*version) && told(version, life));
        others.filter_map(|(_, life)| life.failed.as_mut()).for_each(|failure| failure.log.clear());
        Some(Step::WriteLedger(Box::new(ledger)))
    }

    /// A request that is not handled yet. An object older than the ledger makes no requests: its annotations have been
    /// replaced since.
    fn request(&self, verb: RequestKind) -> Option<&str> {
        let older = |now: u64| self.ledger.object.is_some_and(|newest| now < newest);
        if self.project.resource_version.is_some_and(older) {
            return None;
        }
        let value = self.project.requests.get(&verb)?;
        self.ledger.is_new(verb, value).then_some(value.as_str())
    }

    /// The trigger that a request is recorded as.
    fn trigger(&self, verb: RequestKind, cause: TriggerKind) -> Trigger {
        Trigger { cause, by: self.project.field_managers.requests.get(&verb).cloned() }
    }

    fn key_of(&self, version: &str) -> Option<&str> {
        self.observed.records.get(version).and_then(|record| record.facts.key.as_deref())
    }

    /// It has an image, or had one that is gone from its registry. Nodes may still have that: its pods are left alone.
    fn built(&self, version: &str) -> bool {
        self.observed.records.get(version).is_some_and(|record| record.named_image().is_some())
    }

    /// It has an image that every node can pull.
    fn intact(&self, version: &str) -> bool {
        self.observed.records.get(version).is_some_and(|record| record.image.is_some())
    }

    /// The version's `security` forbids the user of its image.
    fn forbidden(&self, version: &str) -> bool {
        forbidden(self.observed, version).is_some()
    }

    /// It has an image that may start.
    fn startable(&self, version: &str) -> bool {
        self.intact(version) && !self.forbidden(version)
    }

    /// No init command has to run before its pods.
    fn initialized(&self, version: &str) -> bool {
        initialized(self.ledger, self.observed, version)
    }

    /// Its image is gone from the registry, and it can be built again.
    fn rebuildable(&self, version: &str) -> bool {
        self.observed
            .records
            .get(version)
            .is_some_and(|record| rebuildable(self.project, self.observed, record))
    }

    /// A verdict is in force against the version.
    fn failed(&self, version: &str) -> bool {
        self.ledger.state(version).failed.is_some()
    }

    /// The lookup that has no answer yet.
    fn pending(&self) -> Option<&Lookup> {
        open_lookup(self.project, self.ledger, &self.target)
    }
}
