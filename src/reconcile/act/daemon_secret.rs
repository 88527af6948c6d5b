//! Rejects steps that would give a project the Secret of the platform's BuildKit daemon. Pure.

use crate::platform::Platform;
use crate::project::Project;
use crate::version::short;

use super::super::decide::{Step, TemplateOrigin};
use super::super::observed::{Child, Observed, Refusal, RefusalReason};

/// Why the platform rejects this step; `None` for most. Pods that ran before the platform owner named the Secret may
/// return: what runs keeps running.
pub(super) fn refusal(
    platform: &Platform,
    project: &Project,
    observed: &Observed,
    step: &Step,
) -> Option<Refusal> {
    let recorded = |version: &str| {
        let record = observed.records.get(version)?;
        platform.daemon_secret_refusal_of_version(&short(version), &record.facts.template)
    };
    let (child, message) = match step {
        Step::CreateRecord { .. } => (Child::Record, platform.daemon_secret_refusal(project)),
        Step::CreateBuildJob { .. } => (Child::Job, platform.daemon_secret_refusal(project)),
        Step::CreateInitJob { version, .. } => (Child::Init, recorded(version)),
        Step::ApplyDeployment(desired) if desired.template == TemplateOrigin::Project => {
            (Child::Deployment, desired.version.as_deref().and_then(recorded))
        }
        _ => return None,
    };
    Some(Refusal { child, cause: RefusalReason::Invalid, message: message? })
}
