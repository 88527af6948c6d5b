//! Writes the Service, and finds a node port for it (I/O). The API server is the arbiter of ports.

use super::super::observed::{Child, Observed, Refusal, RefusalReason};
use super::ownership::require_alive_if_unowned;
use super::{ActContext, Outcome, altered, refusal};
use crate::cluster::{Cluster, Error, PortRefusal, Refused};
use crate::desired::{names, service};
use crate::project::Project;

/// Most ports tried in one pass, so a crowded range does not delay everything else.
const MAX_PORTS_TRIED: usize = 64;

/// Applies the Service with `port`. Without `port`: with the former port or the first port of the range that the API server
/// assigns. If the spec asks for no port: without one.
pub(super) async fn apply(
    context: &ActContext<'_>,
    project: &Project,
    observed: &Observed,
    port: Option<u16>,
) -> Result<Outcome, Error> {
    let seen = observed.objects.service.as_ref();
    require_alive_if_unowned(context.cluster, project, seen.map(AsRef::as_ref)).await?;
    if !project.has_node_port {
        return write(context.cluster, project, observed, None).await;
    }
    let Some(port) = port else { return search(context, project, observed).await };
    let (first, last) = (context.config.port_first, context.config.port_last);
    let in_place = seen.and_then(|seen| service::node_port(seen));
    if project.fixed_port == Some(port) && in_place != Some(port) && !(first..=last).contains(&port) {
        return Ok(Outcome::Refused(outside_of_range(port, first, last)));
    }
    match write(context.cluster, project, observed, Some(port)).await {
        Err(Error::Refused { refused, what }) => {
            Ok(Outcome::Refused(service_refusal(context.cluster, project, port, &what, &refused).await))
        }
        written => written,
    }
}

async fn write(
    cluster: &Cluster,
    project: &Project,
    observed: &Observed,
    port: Option<u16>,
) -> Result<Outcome, Error> {
    let want = service::apply(project, port);
    let written = cluster.apply_service(project, observed.objects.service.as_deref(), want.clone()).await?;
    Ok(altered::kept(Child::Service, project, &written, want))
}

/// Tries ports of the range, from the project's own candidate on, and first those that the API server has not refused to any
/// project lately. Ports of our own Services are skipped. The range is exhausted only when all of it was refused: until then
/// the next pass goes on.
async fn search(context: &ActContext<'_>, project: &Project, observed: &Observed) -> Result<Outcome, Error> {
    let (first, last) = (context.config.port_first, context.config.port_last);
    let (used, refused_ports) =
        (context.cluster.caches().services.node_ports(), &context.cluster.caches().refused_ports);
    let candidates: Vec<u16> =
        names::ports(project, first, last).filter(|port| !used.contains(port)).collect();
    let former = observed.ledger.as_ref().and_then(|ledger| ledger.former_port);
    let former = former.filter(|former| candidates.contains(former));
    let others = refused_ports.in_order(&candidates).into_iter().filter(|port| Some(*port) != former);
    let mut out_of_range = None;
    for port in former.into_iter().chain(others).take(MAX_PORTS_TRIED) {
        match write(context.cluster, project, observed, Some(port)).await {
            Err(Error::Refused { refused: Refused { port: Some(why), message, .. }, .. }) => {
                refused_ports.note(port, why);
                out_of_range = out_of_range.or(Some(message).filter(|_| why == PortRefusal::OutOfRange));
            }
            Err(Error::Refused { refused, what }) => {
                return Ok(Outcome::Refused(refusal(Child::Service, &what, &refused)));
            }
            written => {
                refused_ports.forget(port);
                return written;
            }
        }
    }
    let known: Vec<PortRefusal> = candidates.iter().filter_map(|port| refused_ports.of(*port)).collect();
    let outside = known.iter().filter(|why| **why == PortRefusal::OutOfRange).count();
    let (cause, message) = match () {
        () if known.len() < candidates.len() => (
            RefusalReason::PortsTried,
            format!(
                "The node ports between {first} and {last} that were tried so far are not free. The operator tries the others"
            ),
        ),
        () if outside == known.len() && outside > 0 => (
            RefusalReason::PortUnavailable,
            format!(
                "No free node port between {first} and {last}, the ports of projects on this platform, is in the API server's \
                 range{}. Set nodePorts of the chart within --service-node-port-range",
                out_of_range.map(|message| format!(": {message}")).unwrap_or_default()
            ),
        ),
        () => (
            RefusalReason::PortsExhausted,
            format!(
                "No node port between {first} and {last} is free{}. Delete a project that you do not need, or widen the operator's port \
                 range within the API server's --service-node-port-range",
                if outside > 0 {
                    format!(" ({outside} are not in the API server's range)")
                } else {
                    String::new()
                }
            ),
        ),
    };
    Ok(Outcome::Refused(Refusal { child: Child::Service, cause, message }))
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
    if refused.port == Some(PortRefusal::InUse) {
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
    if refused.port == Some(PortRefusal::OutOfRange) {
        let message = format!("Node port {port} is not in the API server's range: {}", refused.message);
        return Refusal { child: Child::Service, cause: RefusalReason::PortUnavailable, message };
    }
    refusal(Child::Service, what, refused)
}
