//! What kept a build pod from running, or ended it before it could say why: read off the pod where there is one, else off
//! the Job, and told with the next step. None of it is the source's doing.

use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{Container, ContainerStateTerminated, Pod};
use kube::ResourceExt as _;

use super::super::pod::waiting;
use crate::crd::conditions::Reason;
use crate::desired::names;
use crate::reconcile::observed::Trouble;
use crate::text::bounded;

/// Longest sentence of Kubernetes that is passed on, in bytes.
const MAX_WORDS: usize = 500;

fn trouble(reason: Reason, message: String) -> Trouble {
    Trouble { reason: reason.name().to_owned(), message }
}

/// Why the build that was started does not run, if Kubernetes says so or says nothing where it should.
#[must_use]
pub(super) fn of_running(job: &Job, pods: &[&Pod]) -> Option<Trouble> {
    if pods.is_empty() {
        return never_made(job).then(|| forbidden(job));
    }
    let alive = || pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let here = alive().find_map(|pod| waiting(pod)).map(|why| match why.reason.as_str() {
        "Unschedulable" => unschedulable(&why),
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => no_image(&why),
        _ => trouble(Reason::BuildFault, format!("its pod waits: {}: {}", why.reason, why.message)),
    });
    here.or_else(|| alive().all(|pod| put_out(pod).is_some()).then(|| evicted(pods)).flatten())
}

/// Why the build ended without a report.
#[must_use]
pub(super) fn of_ended(
    job: &Job,
    pods: &[&Pod],
    condition: &JobCondition,
    last: Option<&ContainerStateTerminated>,
) -> Trouble {
    let name = job.name_any();
    let over = condition.reason.as_deref() == Some("DeadlineExceeded");
    let failed = job.status.as_ref().and_then(|status| status.failed).unwrap_or(0);
    if last.is_some_and(|last| last.reason.as_deref() == Some("OOMKilled")) {
        return out_of_memory(job);
    }
    if let Some(evicted) = evicted(pods) {
        return evicted;
    }
    if over && pods.is_empty() && failed == 0 {
        return forbidden(job);
    }
    if over {
        return timeout(job, "");
    }
    let ended = condition.reason.clone().unwrap_or_else(|| condition.type_.clone());
    let how = last
        .map(|last| format!(", {}, exit code {}", last.reason.as_deref().unwrap_or("ended"), last.exit_code));
    trouble(
        Reason::BuildFault,
        format!(
            "build {name} ended without a report ({ended}{}); kubectl describe job {name} says more",
            how.unwrap_or_default()
        ),
    )
}

/// The deadline of the Job is over; `stage` is where the build was then, where that is known.
#[must_use]
pub(super) fn timeout(job: &Job, stage: &str) -> Trouble {
    let seconds = job.spec.as_ref().and_then(|spec| spec.active_deadline_seconds).unwrap_or_default();
    let at = if stage.is_empty() { String::new() } else { format!(" at stage {stage}") };
    let message = format!(
        "build {} was ended{at} after {seconds} s, in which the wait for a node and for its images counts: raise \
         spec.build.timeoutSeconds, or find out what it waited for with kubectl describe job {}",
        job.name_any(),
        job.name_any()
    );
    trouble(Reason::BuildTimeout, message)
}

/// The deadline of the Job is near, and its pod does not run for this reason: the word stays, and the sentence outlives the
/// pod.
#[must_use]
pub(super) fn over(job: &Job, why: Trouble) -> Trouble {
    let seconds = job.spec.as_ref().and_then(|spec| spec.active_deadline_seconds).unwrap_or_default();
    let message = format!(
        "build {} did not run in the {seconds} s that it may take: {}. If it only needs longer, raise \
         spec.build.timeoutSeconds",
        job.name_any(),
        why.message
    );
    Trouble { message, ..why }
}

fn unschedulable(why: &Trouble) -> Trouble {
    let message = format!(
        "no node takes its pod ({}). Make room, lower spec.build.resources.requests, or ask the platform's owner about \
         build.resources, build.nodeSelector and build.tolerations of the chart",
        bounded(&why.message, MAX_WORDS)
    );
    trouble(Reason::Unschedulable, message)
}

fn no_image(why: &Trouble) -> Trouble {
    let message = format!(
        "an image of the build pod itself cannot be pulled ({}: {}). The platform's owner sets them: \
         build.buildkitImage (build.rootfulImage for other profiles) and image of the chart",
        why.reason,
        bounded(&why.message, MAX_WORDS)
    );
    trouble(Reason::BuilderImageUnavailable, message)
}

/// A Job that has been started and has neither had nor lost a pod. Kubernetes writes the start and the first pod into its
/// status at once, so that there is no moment in which this is so by itself.
fn never_made(job: &Job) -> bool {
    let Some(status) = &job.status else { return false };
    let counts = [status.active, status.ready, status.terminating, status.failed, status.succeeded];
    let uncounted = status.uncounted_terminated_pods.as_ref();
    let uncounted = uncounted.is_some_and(|pods| pods.failed.is_some() || pods.succeeded.is_some());
    status.start_time.is_some() && counts.iter().all(|count| count.unwrap_or(0) == 0) && !uncounted
}

fn forbidden(job: &Job) -> Trouble {
    let (name, namespace) = (job.name_any(), job.namespace().unwrap_or_default());
    let look = format!("kubectl describe job {name} -n {namespace} names which");
    let message = if is_restricted(job) {
        format!(
            "Kubernetes lets no pod of build {name} in: a quota or policy of namespace {namespace} ({look}). The pod meets \
             Pod Security \"restricted\": make room in the quota, or ask who wrote the policy"
        )
    } else {
        format!(
            "Kubernetes lets no pod of build {name} in: Pod Security, or else a quota or policy of namespace {namespace} \
             ({look}). Builds need the label pod-security.kubernetes.io/enforce=privileged on the namespace; where it must \
             not have it, name a prebuilt image in spec.source.image, or ask the platform's owner for build.profile remote \
             of the chart"
        )
    };
    trouble(Reason::PodForbidden, message)
}

/// The pod of this build asks for nothing that Pod Security would refuse: the daemon is elsewhere.
fn is_restricted(job: &Job) -> bool {
    let context = container(job).and_then(|container| container.security_context.as_ref());
    context.is_some_and(|context| {
        context.run_as_non_root == Some(true) && context.allow_privilege_escalation == Some(false)
    })
}

/// The container that builds.
fn container(job: &Job) -> Option<&Container> {
    let pod = job.spec.as_ref()?.template.spec.as_ref()?;
    pod.containers.iter().find(|container| container.name == names::BUILD)
}

fn out_of_memory(job: &Job) -> Trouble {
    let limits = container(job).and_then(|build| build.resources.as_ref()?.limits.as_ref());
    let limit = limits.and_then(|limits| limits.get("memory")).map_or_else(
        || "and has no limit of its own, so the node had none left".to_owned(),
        |limit| format!("of which it may have {}", limit.0),
    );
    let message = format!(
        "build {} was ended because it needs more memory, {limit}: raise spec.build.resources.limits.memory, which the \
         next attempt has then, or build.resources of the chart",
        job.name_any()
    );
    trouble(Reason::OutOfMemory, message)
}

/// A node took a pod away, for want of disk or memory of its own.
fn evicted(pods: &[&Pod]) -> Option<Trouble> {
    let words = pods.iter().find_map(|pod| put_out(pod))?;
    let message = format!(
        "its pod was put out of its node ({}). A build needs disk for its source, its layers and its caches: free some on \
         the nodes, or ask the platform's owner for others (build.nodeSelector of the chart)",
        bounded(&words, MAX_WORDS)
    );
    Some(trouble(Reason::Evicted, message))
}

/// What its node says of a pod that it put out. A node that is gone or emptied says nothing about the build.
fn put_out(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    if status.reason.as_deref() == Some("Evicted") {
        return Some(status.message.clone().unwrap_or_else(|| "Evicted".to_owned()));
    }
    let by_node = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "DisruptionTarget"
            && condition.status == "True"
            && condition.reason.as_deref() == Some("TerminationByKubelet")
    });
    let disrupted = by_node?;
    Some(disrupted.message.clone().or_else(|| disrupted.reason.clone()).unwrap_or_default())
}
