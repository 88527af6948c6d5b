//! Asks the API server before a build whether it would accept the Deployment (I/O). A policy that forbids it answers in
//! seconds instead of after the build. The dry run stores nothing.

use crate::cluster::Error;
use crate::desired::deployment::{self, RolloutTimings};
use crate::desired::extras::Extras;
use crate::desired::{names, template};
use crate::memory::record::{Facts, ImageFact, Record};
use crate::project::Project;

use super::super::observed::{Child, Observed, Refusal, RefusalReason};
use super::ActContext;
use crate::protocol::build_target::BuildTarget;

/// Placeholder digest of the image that is not built yet. If a policy that checks images (signatures, allow-lists)
/// names it, only the real image can satisfy that policy.
const UNBUILT: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// A user that is not root, so the dry run meets policies about users.
const USER: i64 = 65_532;

/// Why the API server would reject the Deployment of the pending build. `None` if it would accept it, or if that cannot
/// be known. Polls build nothing and are not delayed.
pub(super) async fn refusal(
    context: &ActContext<'_>,
    project: &Project,
    observed: &Observed,
    of: &BuildTarget,
    reason: &str,
) -> Result<Option<Refusal>, Error> {
    if reason == names::POLLED {
        return Ok(None);
    }
    let recorded = match of {
        BuildTarget::Key(key) => observed
            .records
            .values()
            .find(|record| record.facts.key.as_ref() == Some(key) && record.image.is_none()),
        BuildTarget::Lookup(_) => None,
    };
    let seen = observed.objects.deployment.as_ref();
    let there = Extras::there(seen.and_then(|seen| seen.spec.as_ref()).map(|spec| &spec.template));
    let watch = RolloutTimings::of(project, true);
    let want =
        deployment::apply(project, &unbuilt(context, project, recorded), None, project.replicas, watch);
    let Some(mut want) = want else { return Ok(None) };
    Extras::fresh(&project.copied, &there).add_to(&mut want);
    match context.cluster.ask_about_deployment(project, want).await {
        Err(Error::Refused { refused, .. }) if is_meant(refused.code, &refused.message) => {
            let message = format!(
                "The API server would reject the Deployment: {}. The operator builds nothing until this is fixed, and asks \
                 again at least once a minute",
                refused.message
            );
            Ok(Some(Refusal { child: Child::Job, cause: RefusalReason::Invalid, message }))
        }
        Ok(()) | Err(Error::Refused { .. } | Error::Conflict { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the rejection concerns the Deployment itself. Webhooks without dry-run support answer 400.
fn is_meant(code: u16, message: &str) -> bool {
    matches!(code, 403 | 422) && !message.contains(UNBUILT)
}

fn unbuilt(context: &ActContext<'_>, project: &Project, recorded: Option<&Record>) -> Record {
    let version = "0".repeat(64);
    let facts = recorded.map_or_else(
        || Facts {
            template: template::render(project, &version),
            security: project.run.security,
            version,
            ..Facts::default()
        },
        |record| record.facts.clone(),
    );
    let reference = format!("{}@{UNBUILT}", context.platform.pulled_from(project));
    let image = ImageFact { reference, uid: Some(USER), ..ImageFact::default() };
    Record { facts, image: Some(image), ..Record::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_about_the_image_or_without_dry_run_support_does_not_block() {
        assert!(is_meant(422, "every Deployment and its pods need the label \"team\""));
        assert!(is_meant(403, "exceeded quota: few, requested: count/deployments.apps=1"));
        assert!(!is_meant(400, "admission webhook \"x\" does not support dry run"));
        assert!(!is_meant(403, &format!("no signature of r.test/shop@{UNBUILT} was found")));
    }
}
