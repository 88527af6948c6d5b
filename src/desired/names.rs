//! Every derived name. Names are functions of what they stand for, so that asking twice makes one object.

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;

use crate::memory::record::Record;
use crate::project::Project;
use crate::protocol::target::BuildOf;
use crate::version::{short, text_digest};

/// Label on every child: who looks after it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label on every child: the project's name.
pub const PROJECT: &str = "doce.dev/project";
/// Label on every child: the uid of the `ProjectDeployment` that it belongs to.
pub const UID: &str = "doce.dev/uid";
/// Label that tells apart what a child is for: see the constants `ROLE_…`.
pub const ROLE: &str = "doce.dev/role";
/// Role of Deployment, Service and the app's pods.
pub const ROLE_APP: &str = "app";
/// Role of build Jobs and their pods.
pub const ROLE_BUILD: &str = "build";
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
/// Annotation of a pod template: changed to start the pods anew.
pub const RESTARTED: &str = "doce.dev/restarted";
/// Annotation of a pod template that `kubectl rollout restart` sets. It belongs to the pods that were started by it: going
/// back to them needs it, and other templates do without.
pub const KUBECTL_RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";
/// Annotation of a Deployment: generation of the project that it was last written for.
pub const GENERATION: &str = "doce.dev/generation";
/// Annotation of Deployment and Service: the keys that were copied from the project, so that one that is gone there goes here.
pub const COPIED: &str = "doce.dev/copied";
/// Annotation of the ledger: its content.
pub const LEDGER: &str = "doce.dev/ledger";
/// Annotation of a record: the image of the version.
pub const IMAGE: &str = "doce.dev/image";
/// Annotation of a Job: what it builds.
pub const BUILD_OF: &str = "doce.dev/build-of";
/// Annotation of a Job: which attempt it is.
pub const ATTEMPT: &str = "doce.dev/attempt";
/// Annotation of a Job: why somebody wanted it.
pub const BUILD_REASON: &str = "doce.dev/build-reason";
/// Annotation of a Job: the version whose image it deletes.
pub const CLEANUP_OF: &str = "doce.dev/cleanup-of";
/// Annotation of a Job: the version whose init command it runs.
pub const INIT_OF: &str = "doce.dev/init-of";
/// Reason of a look at the source that nobody asked for but the clock.
pub const POLLED: &str = "Polled";
/// Name of the app's container, of its port, and of the Service's port.
pub const APP: &str = "app";
/// Name of the container port that the Service targets, so that a change of the number breaks nobody.
pub const PORT: &str = "http";
/// Name of the build container.
pub const BUILD: &str = "build";
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

/// Name of a build Job: another one for every attempt, the same one however often it is asked for.
#[must_use]
pub fn job(project: &Project, of: &BuildOf, attempt: u32) -> String {
    let digest = text_digest(&format!("{} {} {attempt}", project.uid, build_of(of)));
    format!("{}-{}", project.name, &digest[..8])
}

/// Name of the Job that deletes the image of this record: another one for a later record of the same version.
#[must_use]
pub fn cleanup(project: &Project, record: &Record) -> String {
    let digest =
        text_digest(&format!("cleanup {} {} {:?}", project.uid, record.facts.version, record.created));
    format!("{}-{}", project.name, &digest[..8])
}

/// Name of the Job that tries again what the cleanup Job of that name could not do.
#[must_use]
pub fn cleanup_again(project: &Project, failed: &str) -> String {
    let digest = text_digest(&format!("cleanup {} again after {failed}", project.uid));
    format!("{}-{}", project.name, &digest[..8])
}

/// Name of the Job that runs the init command of this version: another one for every run, the same one however often it is
/// asked for.
#[must_use]
pub fn init(project: &Project, version: &str, number: u64) -> String {
    let digest = text_digest(&format!("init {} {version} {number}", project.uid));
    format!("{}-{}", project.name, &digest[..8])
}

/// What a Job is for: those that build nothing carry an annotation that says so.
#[must_use]
pub fn role_of_job(job: &Job) -> &'static str {
    let has = |annotation| job.annotations().contains_key(annotation);
    match () {
        () if has(CLEANUP_OF) => ROLE_CLEANUP,
        () if has(INIT_OF) => ROLE_INIT,
        () => ROLE_BUILD,
    }
}

/// Whether a Job builds. Others delete an image or run an init command.
#[must_use]
pub fn is_build(job: &Job) -> bool {
    role_of_job(job) == ROLE_BUILD
}

/// What a Job builds, as its annotation says it.
#[must_use]
pub fn build_of(of: &BuildOf) -> String {
    match of {
        BuildOf::Key(key) => format!("key/{key}"),
        BuildOf::Lookup(number) => format!("lookup/{number}"),
    }
}

/// Reads [`build_of`] back.
#[must_use]
pub fn parse_build_of(text: &str) -> Option<BuildOf> {
    match text.split_once('/')? {
        ("key", key) => Some(BuildOf::Key(key.to_owned())),
        ("lookup", number) => number.parse().ok().map(BuildOf::Lookup),
        _ => None,
    }
}

/// The ports of `first..=last` in the order in which this project tries them: a candidate of its own, then on.
pub fn ports(project: &Project, first: u16, last: u16) -> impl Iterator<Item = u16> + use<> {
    let digest = text_digest(&format!("{}/{}", project.namespace, project.name));
    let size = u32::from(last.saturating_sub(first)) + 1;
    let start = u32::from_str_radix(&digest[..7], 16).unwrap_or(0) % size;
    (0..size).filter_map(move |step| u16::try_from(u32::from(first) + (start + step) % size).ok())
}
