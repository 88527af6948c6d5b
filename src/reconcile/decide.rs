//! The decision: project and world in, one step out. A table read from the top; the first row that matches wins, does
//! one thing, and then everything is looked at again. Pure: no client, no clock, no shapes of children.

mod builds;
mod cleanup;
mod init;
mod memory;
pub mod poll;
mod requests;
mod run;
mod verdicts;

use crate::crd::annotations::Verb;
use crate::memory::ledger::{Attempts, Ledger, VersionState};
use crate::memory::record::{Facts, ImageFact, SourceFact, Trigger, TriggerKind};
use crate::project::Project;

use super::observed::{Child, Observed, Unmarked};
use super::target::{Target, forbidden, initialized, target};
use crate::protocol::target::BuildOf;

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Write the ledger as a whole, by compare-and-swap.
    WriteLedger(Box<Ledger>),
    /// Take over the memory that a project of this name left behind.
    AdoptLedger(Box<Ledger>),
    /// Make a record; the pod template is rendered from the project's `run`.
    CreateRecord {
        /// Version, 64 hex digits.
        version: String,
        /// Build key.
        key: Option<String>,
        /// What the version is made from.
        source: SourceFact,
        /// What made somebody ask for it.
        trigger: Trigger,
        /// The image, where there is one already.
        image: Option<ImageFact>,
    },
    /// Note the image of a version in its record.
    WriteImage {
        /// Version of the record.
        version: String,
        /// The image.
        image: ImageFact,
    },
    /// Create a build Job, suspended.
    CreateBuildJob {
        /// What to build.
        of: BuildOf,
        /// Which attempt.
        attempt: u32,
        /// Digest of the source, where it is known.
        digest: Option<String>,
        /// Why, for a person.
        reason: &'static str,
    },
    /// Create the Job that runs an init command.
    CreateInitJob {
        /// The version.
        version: String,
        /// Number of the run.
        number: u64,
    },
    /// Delete a build Job that nobody wants any more.
    DeleteBuildJob {
        /// Name of the Job.
        job: String,
    },
    /// Create the Job that deletes the image of a record which is about to go, suspended.
    CreateCleanupJob {
        /// Version of the record.
        version: String,
    },
    /// Create, suspended, the Job that tries again what a cleanup Job could not do.
    RecreateCleanupJob {
        /// Name of the Job that failed.
        job: String,
    },
    /// Delete a cleanup Job that is not to be started.
    DeleteCleanupJob {
        /// Name of the Job.
        job: String,
    },
    /// Create or change the Deployment.
    ApplyDeployment(DesiredDeployment),
    /// Create or change the Service.
    ApplyService {
        /// The port to ask for; none: the first free one from the candidate on.
        port: Option<u16>,
    },
    /// Delete a ReplicaSet without pods.
    DeleteReplicaSet {
        /// Its name.
        name: String,
    },
    /// Give labels and owner back to a child.
    RepairMetadata(Unmarked),
    /// Delete a record.
    DeleteRecord {
        /// Its version.
        version: String,
    },
}

/// What the Deployment should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredDeployment {
    /// Version whose recorded template is used; none: the template is not touched.
    pub version: Option<String>,
    /// Restart stamp of the template.
    pub stamp: Option<String>,
    /// Pods.
    pub replicas: i32,
    /// The version was never live: it has to survive the guard.
    pub trial: bool,
}

/// Everything that a row may look at.
struct Situation<'a> {
    project: &'a Project,
    observed: &'a Observed,
    ledger: &'a Ledger,
    target: Target,
}

/// One row: a step where it matches.
type Row = fn(&Situation<'_>) -> Option<Step>;

/// The rows, top down (docs/design.md, section 3). Rows 7 and 8, and 13 and 14, share a function each.
const ROWS: [(&str, Row); 25] = [
    ("a source that must be looked up is asked for anew", memory::lookup_changed),
    ("1: what is asked for has no record", memory::record),
    ("2: a new cancel", requests::cancel),
    ("3: a new retry", requests::retry),
    ("4: a new rollback", requests::rollback),
    ("5: a new restart", requests::restart),
    ("5: a new deploy", requests::deploy),
    ("6: a Job finished", verdicts::job_finished),
    ("6: an init command ended", init::ended),
    ("6: the source is to be looked at again by the clock", poll::due),
    ("7, 8: the version in place is Available", verdicts::live),
    ("9: a restart does not become Available", verdicts::restart_failed),
    ("10: a version on trial failed", verdicts::trial_failed),
    ("10: an init command that failed for a cause outside of its version runs again", init::tried_again),
    ("10: a version that failed for a cause outside of it is tried again", verdicts::tried_again),
    ("11: a Job that nobody wants", builds::unneeded),
    ("12: a build is due", builds::due),
    ("12: an init command is due", init::due),
    ("13, 14: Deployment and Service differ", run::roll_or_serve),
    ("a child that somebody took a label or the owner from", memory::mark),
    ("15: a ReplicaSet that is not kept", run::forget_set),
    ("a cleanup whose image is to stay", cleanup::unneeded),
    ("a cleanup that failed", cleanup::again),
    ("16: more records than the limit: the image of the one that goes", cleanup::due),
    ("16: more records than the limit", memory::forget_record),
];

/// The next step, or none: then the project is settled or waits for something that a watch will tell.
#[must_use]
pub fn decide(project: &Project, observed: &Observed) -> Option<Step> {
    if project.deleting || !observed.predecessors.is_empty() {
        return None;
    }
    let Some(ledger) = &observed.ledger else {
        return (!observed.refused(Child::Memory)).then(|| memory::first_ledger(project, observed));
    };
    if observed.inherits {
        return (!observed.refused(Child::Memory)).then(|| memory::inherit(project, ledger));
    }
    let situation = Situation { project, observed, ledger, target: target(project, observed) };
    ROWS.iter().find_map(|(_, row)| row(&situation))
}

impl Situation<'_> {
    /// A ledger write, with what is learned in passing and without what no record and no wish needs. None once the
    /// ledger was refused: what cannot be remembered is not acted on.
    fn note(&self, mut ledger: Ledger) -> Option<Step> {
        if self.observed.refused(Child::Memory) {
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
        // Only the version that is asked for keeps what its app said: the ledger must stay small.
        let told = |version: &String, life: &VersionState| self.ledger.versions.get(version) == Some(life);
        let others = ledger
            .versions
            .iter_mut()
            .filter(|(version, life)| self.target.desired.as_ref() != Some(*version) && told(version, life));
        others.filter_map(|(_, life)| life.failed.as_mut()).for_each(|failure| failure.log.clear());
        Some(Step::WriteLedger(Box::new(ledger)))
    }

    /// A request that nobody has looked at yet. An object older than the memory makes none: what it carries was
    /// replaced meanwhile, seen or not.
    fn request(&self, verb: Verb) -> Option<&str> {
        let older = |now: u64| self.ledger.object.is_some_and(|newest| now < newest);
        if self.project.resource_version.is_some_and(older) {
            return None;
        }
        let value = self.project.requests.get(&verb)?;
        self.ledger.is_new(verb, value).then_some(value.as_str())
    }

    /// A request as the cause of what it leads to.
    fn trigger(&self, verb: Verb, cause: TriggerKind) -> Trigger {
        Trigger { cause, by: self.project.authors.requests.get(&verb).cloned() }
    }

    fn key_of(&self, version: &str) -> Option<&str> {
        self.observed.records.get(version).and_then(|record| record.facts.key.as_deref())
    }

    fn built(&self, version: &str) -> bool {
        self.observed.records.get(version).is_some_and(|record| record.image.is_some())
    }

    /// The user of its image is one that the version itself does not let.
    fn forbidden(&self, version: &str) -> bool {
        forbidden(self.observed, version).is_some()
    }

    /// It has an image that may be started.
    fn startable(&self, version: &str) -> bool {
        self.built(version) && !self.forbidden(version)
    }

    /// Nothing has to run before its pods.
    fn initialized(&self, version: &str) -> bool {
        initialized(self.ledger, self.observed, version)
    }

    /// A verdict stands against the version or its build key.
    fn failed(&self, version: &str) -> bool {
        self.ledger.life(version).failed.is_some()
    }

    /// The lookup that is not answered yet.
    fn pending(&self) -> Option<&crate::memory::ledger::Lookup> {
        let crate::project::Origin::LookedUp(of) = self.project.origin() else { return None };
        if matches!(self.target.pin, super::target::Pin::Known(_)) {
            return None; // A pin is not looked beyond.
        }
        let open = |lookup: &&crate::memory::ledger::Lookup| {
            lookup.of == of && lookup.answer.as_ref().is_none_or(|answer| answer.number < lookup.number)
        };
        self.ledger.lookup.as_ref().filter(open)
    }
}
