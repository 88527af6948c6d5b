//! The part of the headline about an init command that has not ended yet.

use super::View;
use super::headline::{Headline, stays};
use crate::crd::conditions::Reason;
use crate::version::short;

use super::super::observed::init::InitJob;

/// The target waits for its init command, or for that of another version.
pub(super) fn headline(view: &View<'_>, target: &str) -> Headline {
    let active = view.observed.inits.iter().find(|job| job.is_active());
    let message = match active {
        Some(job) if job.version == target => runs(view, job, target),
        Some(job) => format!(
            "{} waits: the init command of {} has started, and the operator does not interrupt it{}",
            short(target),
            short(&job.version),
            logs(view, job)
        ),
        None => format!("The init command of {} is starting", short(target)),
    };
    Headline::working(Reason::Starting, format!("{message}{}", stays(view)))
}

fn runs(view: &View<'_>, job: &InitJob, target: &str) -> String {
    match &job.trouble {
        Some(trouble) => format!(
            "The init command of {} is starting ({}: {})",
            short(target),
            trouble.reason,
            trouble.message
        ),
        None => format!("The init command of {} runs{}", short(target), logs(view, job)),
    }
}

/// The command that shows its output.
fn logs(view: &View<'_>, job: &InitJob) -> String {
    format!(" (kubectl logs -n {} -f job/{})", view.project.namespace, job.name)
}

/// The command that shows what the init command of this version printed before it failed, while its Job is kept.
pub(super) fn printed(view: &View<'_>, version: &str) -> String {
    let of_version = view.observed.inits.iter().filter(|job| job.version == version && !job.is_active());
    let newest = of_version.max_by_key(|job| job.number);
    newest
        .map(|job| format!(" (kubectl logs -n {} job/{})", view.project.namespace, job.name))
        .unwrap_or_default()
}
