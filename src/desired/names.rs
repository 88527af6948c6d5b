//! All derived names. A name is a function of what it stands for, so two creations yield one object.

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;

use crate::memory::record::Record;
use crate::project::Project;
use crate::protocol::build_target::BuildTarget;
use crate::version::{short, text_digest};

/// Label on every child: the manager of the object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label on every child: the project's name.
pub const PROJECT: &str = "doce.dev/project";
/// Label on every child: the uid of the `ProjectDeployment` that it belongs to.
pub const UID: &str = "doce.dev/uid";
/// Label on every child: its purpose, one of the constants `ROLE_…`.
pub const ROLE: &str = "doce.dev/role";
/// Role of Deployment, Service and the app's pods.
pub const ROLE_APP: &str = "app";
/// Role of build Jobs and their pods.
pub const ROLE_BUILD: &str = "build";
/// Role of Jobs in the namespace of builds that run BuildKit for a build, and of their pods.
pub const ROLE_BUILDER: &str = "builder";
/// Label of such a Job: namespace of the build Job that it works for.
pub const BUILD_NAMESPACE: &str = "doce.dev/build-namespace";
/// Label of such a Job: uid of the build Job that it works for.
pub const BUILD_UID: &str = "doce.dev/build-uid";
/// Annotation of such a Job: name of the build Job that it works for.
pub const BUILD_JOB: &str = "doce.dev/build-job";
/// Role of Jobs that delete an image, and of their pods.
pub const ROLE_CLEANUP: &str = "cleanup";
/// Role of Jobs that run the init command of a version, and of their pods.
pub const ROLE_INIT: &str = "init";
/// Role of the ledger.
pub const ROLE_LEDGER: &str = "ledger";
/// Role of a record.
pub const ROLE_RECORD: &str = "record";
/// Label (short) and annotation (64 hex digits) of a pod template: its version.
pub const VERSION: &str = "doce.dev/version";
/// Annotation of a pod template: the restart stamp. A change restarts the pods.
pub const RESTARTED: &str = "doce.dev/restarted";
/// Annotation of a pod template that `kubectl rollout restart` sets. It belongs to the pods that it started: a rollback
/// to them needs it, other templates do not.
pub const KUBECTL_RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";
/// Annotation of a Deployment: generation of the project that it was last written for.
pub const GENERATION: &str = "doce.dev/generation";
/// Annotation of Deployment and Service: the keys copied from the project, so that keys removed there are removed here.
pub const COPIED: &str = "doce.dev/copied";
/// Annotation of the ledger: its content.
pub const LEDGER: &str = "doce.dev/ledger";
/// Annotation of a record: the image of the version.
pub const IMAGE: &str = "doce.dev/image";
/// Annotation of a record: the digest of the OCI artifact that the version was built from.
pub const SOURCE: &str = "doce.dev/source";
/// Annotation of a Job: what it builds.
pub const BUILD_OF: &str = "doce.dev/build-of";
/// Annotation of a Job: number of the attempt.
pub const ATTEMPT: &str = "doce.dev/attempt";
/// Annotation of a Job: why it was created.
pub const BUILD_REASON: &str = "doce.dev/build-reason";
/// Annotation of a Job: the version whose image it deletes.
pub const CLEANUP_OF: &str = "doce.dev/cleanup-of";
/// Annotation of a Job: the version whose init command it runs.
pub const INIT_OF: &str = "doce.dev/init-of";
/// Build reason of a poll: a lookup because the interval is over.
pub const POLLED: &str = "Polled";
/// Build reason of a version whose image is gone from its registry.
pub const IMAGE_LOST: &str = "ImageLost";
/// The same while no pod needs the image.
pub const REBUILT_AHEAD: &str = "RebuiltAhead";
/// Name of the app's container.
pub const APP: &str = "app";
/// Name of the container port. The Service targets it by name, so a change of the number breaks no client.
pub const PORT: &str = "http";
/// Name of the build container.
pub const BUILD: &str = "build";
/// Name of the container of a builder pod.
pub const BUILDER: &str = "builder";
/// Name of the container that deletes an image.
pub const CLEANUP: &str = "cleanup";
/// Name of the container that runs an init command.
pub const INIT: &str = "init";
/// The field manager of every write.
pub const MANAGER: &str = "doce-operator";

/// Name of a version's record.
#[must_use]
pub fn record(project: &str, version: &str) -> String {
    format!("{project}-{}", short(version))
}

/// Name of a build Job: unique per attempt, the same on every call.
#[must_use]
pub fn job(project: &Project, of: &BuildTarget, attempt: u32) -> String {
    let digest = text_digest(&format!("{} {} {attempt}", project.uid, build_of(of)));
    format!("{}-{}", project.name, &digest[..8])
}

/// Name of the Job that deletes the image of this record. A later record of the same version gets another name.
#[must_use]
pub fn cleanup(project: &Project, record: &Record) -> String {
    let digest =
        text_digest(&format!("cleanup {} {} {:?}", project.uid, record.facts.version, record.created));
    format!("{}-{}", project.name, &digest[..8])
}

/// Name of the Job that retries the failed cleanup Job of that name.
#[must_use]
pub fn cleanup_again(project: &Project, failed: &str) -> String {
    let digest = text_digest(&format!("cleanup {} again after {failed}", project.uid));
    format!("{}-{}", project.name, &digest[..8])
}

/// Name of the Job that runs the init command of this version: unique per run, the same on every call.
#[must_use]
pub fn init(project: &Project, version: &str, number: u64) -> String {
    let digest = text_digest(&format!("init {} {version} {number}", project.uid));
    format!("{}-{}", project.name, &digest[..8])
}

/// Role of a Job. Jobs that do not build have an annotation that says so.
#[must_use]
pub fn role_of_job(job: &Job) -> &'static str {
    let has = |annotation| job.annotations().contains_key(annotation);
    match () {
        () if has(CLEANUP_OF) => ROLE_CLEANUP,
        () if has(INIT_OF) => ROLE_INIT,
        () => ROLE_BUILD,
    }
}

/// The order in which pods of these roles follow each other for one version: build, init command, app.
#[must_use]
pub fn order_of_role(role: &str) -> u8 {
    match role {
        ROLE_BUILD => 0,
        ROLE_INIT => 1,
        _ => 2,
    }
}

/// Whether a Job builds. Others delete an image or run an init command.
#[must_use]
pub fn is_build(job: &Job) -> bool {
    role_of_job(job) == ROLE_BUILD
}

/// Whether a build was requested by a poll.
#[must_use]
pub fn is_poll(job: &Job) -> bool {
    has_reason(job, POLLED)
}

/// Whether the build of this Job can wait for all others: no pod needs its image yet.
#[must_use]
pub fn is_ahead(job: &Job) -> bool {
    has_reason(job, REBUILT_AHEAD)
}

fn has_reason(job: &Job, reason: &str) -> bool {
    job.annotations().get(BUILD_REASON).is_some_and(|there| there == reason)
}

/// What a Job builds, as the text of its annotation.
#[must_use]
pub fn build_of(of: &BuildTarget) -> String {
    match of {
        BuildTarget::Key(key) => format!("key/{key}"),
        BuildTarget::Lookup(number) => format!("lookup/{number}"),
    }
}

/// Parses the text of [`build_of`].
pub fn parse_build_of(text: &str) -> Option<BuildTarget> {
    match text.split_once('/')? {
        ("key", key) => Some(BuildTarget::Key(key.to_owned())),
        ("lookup", number) => number.parse().ok().map(BuildTarget::Lookup),
        _ => None,
    }
}

/// The ports of `first..=last` in the order in which this project tries them, starting at a candidate of its own.
pub fn ports(project: &Project, first: u16, last: u16) -> impl Iterator<Item = u16> + use<> {
    let digest = text_digest(&format!("{}/{}", project.namespace, project.name));
    let size = u32::from(last.saturating_sub(first)) + 1;
    let start = u32::from_str_radix(&digest[..7], 16).unwrap_or(0) % size;
    (0..size).filter_map(move |step| u16::try_from(u32::from(first) + (start + step) % size).ok())
}
