//! Third step of the loop (I/O): performs one write that `decide` returned. It chooses nothing but a free port.

mod altered;
mod cleanup;
mod daemon_secret;
mod deployment;
mod dry_run;
mod init;
mod network_policy;
mod ownership;

use kube::ResourceExt as _;

use crate::cluster::{Cluster, Error, Refused};
use crate::config::Config;
use crate::desired::build_job::BuildRequest;
use crate::desired::{build_job, names, service, template};
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

/// Most ports tried in one pass, so a crowded range does not delay everything else.
const MAX_PORTS_TRIED: usize = 64;

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
        Step::ApplyService { port } => return serve(context, project, observed, port).await,
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
    let cause = if refused.name_taken { RefusalReason::NameTaken } else { RefusalReason::Invalid };
    let message = if refused.name_taken {
        refused.message.clone()
    } else {
        format!("Cannot {what}: {}", refused.message)
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

/// Applies the Service with `port`. Without `port`: with the first port of the range that the API server grants, after
/// the former port starting at the project's own candidate. The API server is the arbiter; ports of our own Services are
/// skipped. If the spec asks for no port: without one.
async fn serve(
    context: &ActContext<'_>,
    project: &Project,
    observed: &Observed,
    port: Option<u16>,
) -> Result<Outcome, Error> {
    let seen = observed.objects.service.as_ref();
    if seen.as_ref().is_some_and(|seen| seen.owner_references().is_empty()) {
        context.cluster.require_alive(project).await?;
    }
    let (first, last) = (context.config.port_first, context.config.port_last);
    let in_place = seen.and_then(|seen| service::node_port(seen));
    if let Some(asked) = project.fixed_port
        && port == Some(asked)
        && in_place != Some(asked)
        && !(first..=last).contains(&asked)
    {
        return Ok(Outcome::Refused(outside_of_range(asked, first, last)));
    }
    let candidates: Vec<Option<u16>> = match port {
        _ if !project.has_node_port => vec![None],
        Some(port) => vec![Some(port)],
        None => {
            let former = observed.ledger.as_ref().and_then(|ledger| ledger.former_port);
            let former = former.filter(|former| (first..=last).contains(former));
            let used = context.cluster.caches().services.node_ports();
            let ports = former.into_iter().chain(names::ports(project, first, last));
            ports.filter(|port| !used.contains(port)).take(MAX_PORTS_TRIED).map(Some).collect()
        }
    };
    for candidate in candidates {
        let want = service::apply(project, candidate);
        match context.cluster.apply_service(project, seen.map(|seen| &**seen), want.clone()).await {
            Ok(written) => return Ok(altered::kept(Child::Service, project, &written, want)),
            Err(Error::Refused { refused, .. })
                if port.is_none()
                    && candidate.is_some()
                    && (refused.port_taken || refused.port_out_of_range) => {}
            Err(Error::Refused { refused, what }) => {
                return Ok(Outcome::Refused(match candidate {
                    Some(port) => service_refusal(context.cluster, project, port, &what, &refused).await,
                    None => refusal(Child::Service, &what, &refused),
                }));
            }
            Err(error) => return Err(error),
        }
    }
    let message = format!(
        "No node port between {first} and {last} is free. Delete a project that you do not need, or widen the operator's port range within the API server's --service-node-port-range"
    );
    Ok(Outcome::Refused(Refusal { child: Child::Service, cause: RefusalReason::PortsExhausted, message }))
}

/// A port of the platform's own, such as that of the registry proxies on nodes, is outside of the range of projects.
fn outside_of_range(asked: u16, first: u16, last: u16) -> Refusal {
    let message = format!(
        "Node port {asked} is not between {first} and {last}, the ports of projects on this platform (nodePorts of the chart). \
         Set another spec.expose.nodePort.port, or mode Auto"
    );
    Refusal { child: Child::Service, cause: RefusalReason::PortUnavailable, message }
}

async fn service_refusal(
    cluster: &Cluster,
    project: &Project,
    port: u16,
    what: &str,
    refused: &Refused,
) -> Refusal {
    if refused.port_taken {
        let message = match cluster.holder_of_port(&project.namespace, port).await {
            Some(holder) => {
                format!(
                    "Node port {port} is used by Service {holder}. Free it, or set another spec.expose.nodePort"
                )
            }
            None => {
                format!("Node port {port} is used in another namespace. Set another spec.expose.nodePort")
            }
        };
        return Refusal { child: Child::Service, cause: RefusalReason::PortUnavailable, message };
    }
    if refused.port_out_of_range {
        let message = format!("Node port {port} is not in the API server's range: {}", refused.message);
        return Refusal { child: Child::Service, cause: RefusalReason::PortUnavailable, message };
    }
    refusal(Child::Service, what, refused)
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
