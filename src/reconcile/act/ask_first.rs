//! Before an image is built, the API server is asked whether it would take the Deployment (I/O): a policy that forbids it says so
//! in seconds and not after the build. A dry run keeps nothing.

use crate::cluster::Error;
use crate::desired::deployment::{self, RolloutTimings};
use crate::desired::extras::Extras;
use crate::desired::{names, template};
use crate::memory::record::{Facts, ImageFact, Record};
use crate::project::Project;

use super::super::observe::ours;
use super::super::observed::{Child, Observed, Refusal, RefusalReason};
use super::{Hand, key};
use crate::protocol::target::BuildOf;

/// Digest of the image that is not built yet. A policy that looks at images (signatures, allow-lists) speaks of it, and only the true
/// image can answer that one.
const UNBUILT: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// A user that is not root, as an image that meets every policy has one.
const USER: i64 = 65_532;

/// Why the Deployment of what is about to be built would be refused; none where it would not, or where that cannot be told.
/// Looks by the clock build nothing and are not held up.
pub(super) async fn refusal(
    hand: &Hand<'_>,
    project: &Project,
    observed: &Observed,
    of: &BuildOf,
    reason: &str,
) -> Result<Option<Refusal>, Error> {
    if reason == names::POLLED {
        return Ok(None);
    }
    let recorded = match of {
        BuildOf::Key(key) => observed
            .records
            .values()
            .find(|record| record.facts.key.as_ref() == Some(key) && record.image.is_none()),
        BuildOf::Lookup(_) => None,
    };
    let seen = ours(project, &hand.cluster.caches().deployments.of(&key(project)), &project.name);
    let there = Extras::there(seen.as_ref().and_then(|seen| seen.spec.as_ref()).map(|spec| &spec.template));
    let watch = RolloutTimings::of(project, true);
    let want = deployment::apply(project, &unbuilt(hand, project, recorded), None, project.replicas, watch);
    let Some(mut want) = want else { return Ok(None) };
    Extras::fresh(&project.copied, &there).add_to(&mut want);
    match hand.cluster.ask_about_deployment(project, want).await {
        Err(Error::Refused { refused, .. }) if is_meant(refused.code, &refused.message) => {
            let message = format!(
                "the API server would refuse the Deployment: {}. Nothing is built before that is mended; it is asked again \
                 at least once a minute",
                refused.message
            );
            Ok(Some(Refusal { child: Child::Job, cause: RefusalReason::Invalid, message }))
        }
        Ok(()) | Err(Error::Refused { .. } | Error::Conflict { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// 400 is the answer of webhooks that know no dry run.
fn is_meant(code: u16, message: &str) -> bool {
    matches!(code, 403 | 422) && !message.contains(UNBUILT)
}

fn unbuilt(hand: &Hand<'_>, project: &Project, recorded: Option<&Record>) -> Record {
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
    let reference = format!("{}@{UNBUILT}", hand.platform.pulled_from(project));
    let image = ImageFact { reference, uid: Some(USER), ..ImageFact::default() };
    Record { facts, image: Some(image), ..Record::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_speaks_of_the_image_or_knows_no_dry_run_holds_nothing_up() {
        assert!(is_meant(422, "every Deployment and its pods need the label \"team\""));
        assert!(is_meant(403, "exceeded quota: few, requested: count/deployments.apps=1"));
        assert!(!is_meant(400, "admission webhook \"x\" does not support dry run"));
        assert!(!is_meant(403, &format!("no signature of r.test/shop@{UNBUILT} was found")));
    }
}
