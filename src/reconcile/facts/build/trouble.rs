//! Why a build pod did not run, or ended before it could report: read from the pod if there is one, else from the Job,
//! with the next step. The source causes none of this.

use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{Container, ContainerStateTerminated, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::super::pod::waiting;
use super::{Builder, newest};
use crate::crd::conditions::Reason;
use crate::desired::{builder_job, names};
use crate::reconcile::observed::Trouble;
use crate::text::bounded;

/// Maximum length of a message of Kubernetes that is passed on, in bytes.
const MAX_WORDS: usize = 500;

/// Words of the kubelet about a pod that exceeded its limit of disk (Kubernetes 1.35, `eviction_manager.go`).
const OVER_ITS_LIMIT: [&str; 3] = ["exceeds the limit", "exceeds the total limit", "exceeded its local"];

fn trouble(reason: Reason, message: String) -> Trouble {
    Trouble { reason: reason.name().to_owned(), message }
}

/// Why the started build does not run, if Kubernetes gives a reason or never created its pod.
pub(super) fn of_running(job: &Job, pods: &[&Pod]) -> Option<Trouble> {
    if pods.is_empty() {
        return never_made(job).then(|| forbidden(job));
    }
    let alive = || pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let here = alive().find_map(|pod| waiting(pod)).map(|why| match why.reason.as_str() {
        "Unschedulable" => unschedulable(&why),
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => no_image(&why),
        _ => trouble(Reason::BuildFault, format!("its pod is waiting: {}: {}", why.reason, why.message)),
    });
    here.or_else(|| alive().all(|pod| put_out(pod).is_some()).then(|| evicted(pods)).flatten())
}

/// Why the builder pod of a build does not run, and since when, if Kubernetes gives a reason or never created it.
pub(super) fn of_builder((job, pods): &Builder) -> Option<(Trouble, Timestamp)> {
    let started = job.status.as_ref()?.start_time.as_ref()?.0;
    let pods: Vec<&Pod> = pods.iter().map(AsRef::as_ref).collect();
    let why = of_running(job, &pods).filter(|why| why.reason != Reason::Evicted.name())?;
    let (name, namespace) = (job.name_any(), job.namespace().unwrap_or_default());
    let message = if pods.is_empty() {
        format!(
            "A quota or admission policy of namespace {namespace} rejected the builder pod {name}. Ask the platform owner to \
             check: kubectl describe job {name} -n {namespace}"
        )
    } else {
        format!("builder pod {name} in namespace {namespace}: {}", why.message)
    };
    Some((Trouble { message, ..why }, newest(&pods).unwrap_or(started)))
}

/// The builder pod used more disk than it may, so the kubelet ended it, and its build cannot succeed.
pub(super) fn full_builder((_, pods): &Builder) -> Option<Trouble> {
    let pods: Vec<&Pod> = pods.iter().map(AsRef::as_ref).collect();
    evicted(&pods).filter(|why| why.reason == Reason::OutOfDisk.name())
}

/// Why the build ended without a report.
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
            "build {name} ended without a report ({ended}{}; see kubectl describe job {name} -n {})",
            how.unwrap_or_default(),
            job.namespace().unwrap_or_default()
        ),
    )
}

/// The deadline of the Job is over. `stage` is the stage of the build at that time; empty if unknown.
pub(super) fn timeout(job: &Job, stage: &str) -> Trouble {
    let seconds = job.spec.as_ref().and_then(|spec| spec.active_deadline_seconds).unwrap_or_default();
    let at = if stage.is_empty() { String::new() } else { format!(" at stage {stage}") };
    let message = format!(
        "build {} timed out{at} after {seconds} s, which include the wait for a node and for images. Raise \
         spec.build.timeoutSeconds, or find out what it waited for (kubectl describe job {} -n {})",
        job.name_any(),
        job.name_any(),
        job.namespace().unwrap_or_default()
    );
    trouble(Reason::BuildTimeout, message)
}

/// The pod of the Job did not run in its time, from start to end, because of `why`. The reason stays the same, and the
/// message outlives the pod.
pub(super) fn over(job: &Job, why: Trouble, time: Option<(Timestamp, Timestamp)>) -> Trouble {
    let seconds = time.map_or(0, |(start, end)| end.as_second() - start.as_second());
    let message = format!(
        "build {} did not run within {seconds} s: {}. Other builds got its place in the queue",
        job.name_any(),
        why.message
    );
    Trouble { message, ..why }
}

fn unschedulable(why: &Trouble) -> Trouble {
    let message = format!(
        "no node accepts its pod ({}). Make room, lower spec.build.resources.requests, or ask the platform owner about \
         build.resources, build.nodeSelector, build.tolerations and image.architectures of the chart",
        bounded(&why.message, MAX_WORDS)
    );
    trouble(Reason::Unschedulable, message)
}

fn no_image(why: &Trouble) -> Trouble {
    let message = format!(
        "Kubernetes cannot pull an image of the build pod itself ({}: {}). The platform owner sets them: \
         build.buildkitImage (build.rootfulImage for other profiles) and image of the chart",
        why.reason,
        bounded(&why.message, MAX_WORDS)
    );
    trouble(Reason::BuilderImageUnavailable, message)
}

/// The Job was started and has neither had nor lost a pod. Kubernetes writes the start and the first pod to the status
/// at once, so a healthy Job is never in this state.
fn never_made(job: &Job) -> bool {
    let Some(status) = &job.status else { return false };
    let counts = [status.active, status.ready, status.terminating, status.failed, status.succeeded];
    let uncounted = status.uncounted_terminated_pods.as_ref();
    let uncounted = uncounted.is_some_and(|pods| pods.failed.is_some() || pods.succeeded.is_some());
    status.start_time.is_some() && counts.iter().all(|count| count.unwrap_or(0) == 0) && !uncounted
}

fn forbidden(job: &Job) -> Trouble {
    let (name, namespace) = (job.name_any(), job.namespace().unwrap_or_default());
    let look = format!("kubectl describe job {name} -n {namespace} shows which");
    let message = if is_restricted(job) {
        format!(
            "A quota or admission policy of namespace {namespace} rejected the pod of build {name} ({look}). The pod meets \
             Pod Security \"restricted\": make room in the quota, or ask the author of the policy"
        )
    } else {
        format!(
            "Pod Security, a quota or an admission policy of namespace {namespace} rejected the pod of build {name} \
             ({look}). Builds need the label pod-security.kubernetes.io/enforce=privileged on the namespace. If the namespace must not \
             have the label, set a prebuilt image in spec.source.image, or ask the platform owner for build.profile isolated \
             of the chart"
        )
    };
    trouble(Reason::PodForbidden, message)
}

/// The pod of this build needs nothing that Pod Security rejects, because the daemon runs elsewhere.
fn is_restricted(job: &Job) -> bool {
    let context = container(job).and_then(|container| container.security_context.as_ref());
    context.is_some_and(|context| {
        context.run_as_non_root == Some(true) && context.allow_privilege_escalation == Some(false)
    })
}

/// The build container.
fn container(job: &Job) -> Option<&Container> {
    let pod = job.spec.as_ref()?.template.spec.as_ref()?;
    pod.containers.iter().find(|container| container.name == names::BUILD)
}

fn out_of_memory(job: &Job) -> Trouble {
    let limits = container(job).and_then(|build| build.resources.as_ref()?.limits.as_ref());
    let limit = limits.and_then(|limits| limits.get("memory")).map_or_else(
        || "it has no limit of its own, so the node ran out of memory".to_owned(),
        |limit| format!("its limit is {}", limit.0),
    );
    let raise = if builder_job::key(job).is_some() {
        "ask the platform owner to raise build.clientResources of the chart: this pod fetches and checks the source"
    } else {
        "raise spec.build.resources.limits.memory, which applies from the next attempt, or build.resources of the chart"
    };
    let message = format!("build {} ran out of memory ({limit}): {raise}", job.name_any());
    trouble(Reason::OutOfMemory, message)
}

/// A node evicted a pod, because the node lacks disk or memory, or because the pod exceeded its own limit of disk.
fn evicted(pods: &[&Pod]) -> Option<Trouble> {
    let words = pods.iter().find_map(|pod| put_out(pod))?;
    if OVER_ITS_LIMIT.iter().any(|over| words.contains(over)) {
        let message = format!(
            "the build needs more disk than its pod may use ({}). Make the source or the image smaller, or ask the platform \
             owner to raise the ephemeral-storage of build.resources and build.clientResources of the chart",
            bounded(words.trim(), MAX_WORDS)
        );
        return Some(trouble(Reason::OutOfDisk, message));
    }
    let message = format!(
        "the node evicted its pod ({}). A build needs disk for its source, its layers and its caches. Free disk on the \
         nodes, or ask the platform owner for other nodes (build.nodeSelector of the chart)",
        bounded(&words, MAX_WORDS)
    );
    Some(trouble(Reason::Evicted, message))
}

/// The message of the node about a pod that it evicted. A node that is gone or drained says nothing about the build.
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
