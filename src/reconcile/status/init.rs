//! The part of the headline that is about an init command that has not ended yet.

use super::View;
use super::ready::{Headline, stays};
use crate::crd::conditions::Reason;
use crate::version::short;

use super::super::observed::init::InitJob;

/// The wanted version waits for its init command, or for that of another one.
pub(super) fn headline(view: &View<'_>, target: &str) -> Headline {
    let active = view.observed.inits.iter().find(|job| job.is_active());
    let message = match active {
        Some(job) if job.version == target => runs(view, job, target),
        Some(job) => format!(
            "{} waits: the init command of {} was begun and is not cut off{}",
            short(target),
            short(&job.version),
            logs(view, job)
        ),
        None => format!("the init command of {} is being started", short(target)),
    };
    Headline::working(Reason::Starting, format!("{message}{}", stays(view)))
}

fn runs(view: &View<'_>, job: &InitJob, target: &str) -> String {
    match &job.trouble {
        Some(trouble) => format!(
            "the init command of {} is being started ({}: {})",
            short(target),
            trouble.reason,
            trouble.message
        ),
        None => format!("the init command of {} runs{}", short(target), logs(view, job)),
    }
}

/// Where to see what it prints.
fn logs(view: &View<'_>, job: &InitJob) -> String {
    format!(" (kubectl logs -n {} -f job/{})", view.project.namespace, job.name)
}

/// Where to see what the init command of this version printed before it failed, as long as that is kept.
pub(super) fn printed(view: &View<'_>, version: &str) -> String {
    let of_version = view.observed.inits.iter().filter(|job| job.version == version && !job.is_active());
    let newest = of_version.max_by_key(|job| job.number);
    newest
        .map(|job| format!(" (kubectl logs -n {} job/{})", view.project.namespace, job.name))
        .unwrap_or_default()
}
