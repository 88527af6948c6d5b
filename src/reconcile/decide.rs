//! Second step of the loop: project and observed state in, one step out. The first matching row of a table wins; after
//! its write the loop observes again. Pure: no client, no clock, no shapes of children.

mod builds;
mod cleanup;
mod init;
mod memory;
pub mod poll;
mod requests;
mod rollout;
mod verdicts;

use crate::crd::annotations::Verb;
use crate::memory::ledger::{Attempts, Ledger, Lookup, VersionState};
use crate::memory::record::{Facts, ImageFact, SourceFact, Trigger, TriggerKind};
use crate::project::Project;

use super::observed::{Child, LostMetadata, Observed};
use super::target::{Target, forbidden, initialized, open_lookup, target};
use crate::protocol::target::BuildOf;

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
        of: BuildOf,
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
        /// The port to request; `None`: the first free one, starting at the project's candidate.
        port: Option<u16>,
    },
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

/// The rows, top down (docs/design.md: section 2 has the words, section 3 the table). Rows 7 and 8, and 13 and 14, share a function each.
const ROWS: [(&str, Row); 25] = [
    ("the spec names another branch or tag than the last lookup", memory::lookup_changed),
    ("1: the version of the pin or the spec has no record", memory::record),
    ("2: a new cancel", requests::cancel),
    ("3: a new retry", requests::retry),
    ("4: a new rollback", requests::rollback),
    ("5: a new restart", requests::restart),
    ("5: a new deploy", requests::deploy),
    ("6: a Job finished", verdicts::job_finished),
    ("6: an init command ended", init::ended),
    ("6: the interval of the source is over", poll::due),
    ("7, 8: the version in place is Available", verdicts::live),
    ("9: a restart does not become Available", verdicts::restart_failed),
    ("10: a version on trial failed", verdicts::trial_failed),
    ("10: the retry of an init command that failed for a cause outside of its version", init::tried_again),
    ("10: the retry of a version that failed for a cause outside of it", verdicts::tried_again),
    ("11: a build Job is no longer needed", builds::unneeded),
    ("12: a build is due", builds::due),
    ("12: an init command is due", init::due),
    (
        "13, 14: Deployment or Service differs, or a restart or the port must be noted first",
        rollout::deployment_and_service,
    ),
    ("a child lost a label or its owner", memory::repair_metadata),
    ("15: a ReplicaSet is not kept", rollout::delete_replica_set),
    ("a cleanup whose image must stay", cleanup::unneeded),
    ("a cleanup failed", cleanup::again),
    ("16: more records than the limit: the image of the oldest", cleanup::due),
    ("16: more records than the limit", memory::delete_record),
];

/// The next step. `None` if the project is settled, waits for a watch event or a timer, or a rejected write blocks it.
pub fn decide(project: &Project, observed: &Observed) -> Option<Step> {
    if project.deleting || !observed.predecessors.is_empty() {
        return None;
    }
    let Some(ledger) = &observed.ledger else {
        return (!observed.refused(Child::Ledger)).then(|| memory::first_ledger(project, observed));
    };
    if observed.inherits {
        return (!observed.refused(Child::Ledger)).then(|| memory::inherit(project, ledger));
    }
    let situation = Situation { project, observed, ledger, target: target(project, observed) };
    let (row, step) = ROWS.iter().find_map(|(row, of)| Some((row, of(&situation)?)))?;
    tracing::debug!(namespace = project.namespace, name = project.name, row, "row matches");
    Some(step)
}

impl Situation<'_> {
    /// A step that writes `ledger`, adds facts learned meanwhile, and drops entries that nothing needs. `None` once a
    /// write of the ledger was rejected: the operator does not act on what it cannot remember.
    fn note(&self, mut ledger: Ledger) -> Option<Step> {
        if self.observed.refused(Child::Ledger) {
            return None;
        }
        ledger.object = ledger.object.max(self.project.resource_version);
        ledger.port = ledger.port.or_else(|| self.observed.service.as_ref().and_then(|service| service.port));
        let from_spec = self.target.from_spec.as_ref();
        let records = &self.observed.records;
        let known =
            |version: &String| records.contains_key(version) || self.target.desired.as_ref() == Some(version);
        ledger.versions.retain(|version, _| known(version));
        let key_of = |facts: &Facts| facts.key.clone();
        let keys: Vec<String> = records.values().filter_map(|record| key_of(&record.facts)).collect();
        let asked_key = from_spec.and_then(|from_spec| from_spec.key.as_ref());
        let job_of = |key: &String| self.observed.jobs.iter().any(|job| job.of == BuildOf::Key(key.clone()));
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
    fn request(&self, verb: Verb) -> Option<&str> {
        let older = |now: u64| self.ledger.object.is_some_and(|newest| now < newest);
        if self.project.resource_version.is_some_and(older) {
            return None;
        }
        let value = self.project.requests.get(&verb)?;
        self.ledger.is_new(verb, value).then_some(value.as_str())
    }

    /// The trigger that a request is recorded as.
    fn trigger(&self, verb: Verb, cause: TriggerKind) -> Trigger {
        Trigger { cause, by: self.project.field_managers.requests.get(&verb).cloned() }
    }

    fn key_of(&self, version: &str) -> Option<&str> {
        self.observed.records.get(version).and_then(|record| record.facts.key.as_deref())
    }

    fn built(&self, version: &str) -> bool {
        self.observed.records.get(version).is_some_and(|record| record.image.is_some())
    }

    /// The version's `security` forbids the user of its image.
    fn forbidden(&self, version: &str) -> bool {
        forbidden(self.observed, version).is_some()
    }

    /// It has an image that may start.
    fn startable(&self, version: &str) -> bool {
        self.built(version) && !self.forbidden(version)
    }

    /// No init command has to run before its pods.
    fn initialized(&self, version: &str) -> bool {
        initialized(self.ledger, self.observed, version)
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
