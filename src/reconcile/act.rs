//! Third step of the loop (I/O): performs one write that `decide` returned. It chooses nothing but a free port.

mod altered;
mod cleanup;
mod daemon_secret;
mod deployment;
mod dry_run;
mod init;
mod network_policy;
mod ownership;
mod service;

use crate::cluster::{Cluster, Error, Refused};
use crate::config::Config;
use crate::desired::build_job::BuildRequest;
use crate::desired::{build_job, names, template};
use crate::memory::ledger::Ledger;
use crate::memory::record::Facts;
use crate::memory::revisions;
use crate::platform::Platform;
use crate::project::Project;
use crate::protocol::builder_key::BuilderKey;
use crate::version;

use super::decide::Step;
use super::observed::objects::named;
use super::observed::{Child, Observed, Refusal, RefusalReason};
use crate::build_queue::admit::{BuildStarter, limits};
pub use altered::reverted_at_once;

/// Result of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done: observe again.
    Done,
    /// Rejected for a reason that a person must know: continue without it.
    Refused(Refusal),
}

/// What a write needs besides the project.
pub struct ActContext<'a> {
    /// Access to the API server.
    pub cluster: &'a Cluster,
    /// Addresses and images of the platform.
    pub platform: &'a Platform,
    /// Settings of the operator.
    pub config: &'a Config,
    /// Serializes the starts of builds.
    pub starts: &'a BuildStarter,
}

/// Performs `step`.
pub async fn act(
    context: &ActContext<'_>,
    project: &Project,
    observed: &Observed,
    step: Step,
) -> Result<Outcome, Error> {
    if let Some(refusal) = daemon_secret::refusal(context.platform, project, observed, &step) {
        return Ok(Outcome::Refused(refusal));
    }
    let (child, done) = match step {
        Step::WriteLedger(ledger) => {
            (Child::Ledger, write_ledger(context.cluster, project, observed, &ledger).await)
        }
        Step::AdoptLedger(ledger) => (
            Child::Ledger,
            ownership::adopt_orphaned_ledger(context.cluster, project, observed, &ledger).await,
        ),
        Step::CreateRecord { version, key, source, trigger, image } => {
            let template = template::render(project, &version);
            let trigger = Some(trigger);
            let security = project.run.security;
            let init_command = project.run.init_command.clone();
            let format = version::FORMAT;
            let facts = Facts { format, version, key, source, trigger, security, init_command, template };
            let number = i64::try_from(observed.records.len()).unwrap_or(0) + 1;
            let object = revisions::create(project, &facts, image.as_ref(), number);
            (Child::Record, context.cluster.create_revision(project, &object).await)
        }
        Step::WriteImage { version, image } => {
            let name = names::record(&project.name, &version);
            let Some(seen) = named(&observed.objects.records, &name) else { return Ok(Outcome::Done) };
            let text = revisions::text(&image);
            (Child::Ledger, context.cluster.note_image(seen, &text).await)
        }
        Step::CreateBuildJob { of, attempt, digest, reason } => {
            if let Some(message) = context.platform.refusal(project) {
                return Ok(Outcome::Refused(Refusal {
                    child: Child::Job,
                    cause: RefusalReason::Invalid,
                    message,
                }));
            }
            if let Some(refusal) = dry_run::refusal(context, project, observed, &of, reason).await? {
                return Ok(Outcome::Refused(refusal));
            }
            let builder_key = builder_key(context.platform)?;
            let request = BuildRequest { of: &of, attempt, digest: digest.as_deref(), reason, builder_key };
            (Child::Job, Box::pin(create_job(context, project, &request)).await)
        }
        Step::CreateInitJob { version, number } => {
            (Child::Init, init::create(context.cluster, project, observed, &version, number).await)
        }
        Step::CreateCleanupJob { version } => {
            (Child::Cleanup, cleanup::create(context, project, observed, &version).await)
        }
        Step::RecreateCleanupJob { job } => {
            (Child::Cleanup, cleanup::create_next(context, project, observed, &job).await)
        }
        Step::ApplyDeployment(target) => {
            match deployment::apply(context.cluster, project, observed, &target).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => (Child::Deployment, Err(error)),
            }
        }
        Step::RepairMetadata(lost_metadata) => {
            (lost_metadata.child, ownership::repair(context.cluster, project, observed, &lost_metadata).await)
        }
        Step::ApplyNetworkPolicy => match network_policy::apply(context.cluster, project, observed).await {
            Ok(outcome) => return Ok(outcome),
            Err(error) => (Child::NetworkPolicy, Err(error)),
        },
        Step::DeleteNetworkPolicy => {
            (Child::NetworkPolicy, network_policy::delete(context.cluster, project, observed).await)
        }
        Step::ApplyService { port } => match service::apply(context, project, observed, port).await {
            Ok(outcome) => return Ok(outcome),
            Err(error) => (Child::Service, Err(error)),
        },
        Step::DeleteBuildJob { .. }
        | Step::DeleteCleanupJob { .. }
        | Step::DeleteReplicaSet { .. }
        | Step::DeleteRecord { .. } => {
            return forget(context.cluster, project, observed, &step).await.map(|()| Outcome::Done);
        }
    };
    match done {
        Ok(()) => Ok(Outcome::Done),
        Err(Error::Refused { refused, what }) => Ok(Outcome::Refused(refusal(child, &what, &refused))),
        Err(error) => Err(error),
    }
}

fn refusal(child: Child, what: &str, refused: &Refused) -> Refusal {
    let cause = match () {
        () if refused.name_taken => RefusalReason::NameTaken,
        () if refused.altered => RefusalReason::Altered,
        () => RefusalReason::Invalid,
    };
    let message = if cause == RefusalReason::Invalid {
        format!("Cannot {what}: {}", refused.message)
    } else {
        refused.message.clone()
    };
    Refusal { child, cause, message }
}

/// Compares and swaps with the ledger that the decision was based on. A later write by another writer wins.
async fn write_ledger(
    cluster: &Cluster,
    project: &Project,
    observed: &Observed,
    ledger: &Ledger,
) -> Result<(), Error> {
    match &observed.objects.ledger {
        Some(seen) => cluster.write_ledger(seen, &revisions::text(ledger)).await,
        None => cluster.create_revision(project, &revisions::ledger(project, ledger)).await,
    }
}

/// A key that no other build has, if builds have builder pods.
fn builder_key(platform: &Platform) -> Result<Option<BuilderKey>, Error> {
    if platform.isolated.is_none() {
        return Ok(None);
    }
    let mut random = [0; BuilderKey::BYTES];
    getrandom::fill(&mut random)
        .map_err(|error| Error::Malformed { kind: "key of a builder pod", message: error.to_string() })?;
    Ok(Some(BuilderKey::new(random)))
}

async fn create_job(
    context: &ActContext<'_>,
    project: &Project,
    request: &BuildRequest<'_>,
) -> Result<(), Error> {
    let job = build_job::create(project, context.platform, request)
        .map_err(|error| Error::malformed("build Job", &error))?;
    Box::pin(context.starts.create(context.cluster, limits(context.config), project, job)).await
}

/// Deletes a child, if it is still as it was when that was decided.
async fn forget(cluster: &Cluster, project: &Project, observed: &Observed, step: &Step) -> Result<(), Error> {
    let objects = &observed.objects;
    match step {
        Step::DeleteBuildJob { job } | Step::DeleteCleanupJob { job } => match named(&objects.jobs, job) {
            Some(seen) => cluster.delete_job(seen).await,
            None => Ok(()),
        },
        Step::DeleteReplicaSet { name } => match named(&objects.replica_sets, name) {
            Some(seen) => cluster.delete_set(seen).await,
            None => Ok(()),
        },
        Step::DeleteRecord { version } => {
            let Some(seen) = named(&objects.records, &names::record(&project.name, version)) else {
                return Ok(());
            };
            cluster.delete_revision(seen).await?;
            cluster.caches().jobs_changed.notify_one(); // A cleanup may wait for this.
            Ok(())
        }
        _ => Ok(()),
    }
}
