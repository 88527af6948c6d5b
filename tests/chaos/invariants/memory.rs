//! Going back: to what, with which ReplicaSet, and with which template.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::evidence::{Evidence, Finding, PROJECT, is_to_have_no_pods};
use crate::history::{Moment, Version, those};

/// The version that went live last, other than `but`, and has not failed.
fn newest_live<'a>(ledger: &'a Value, but: &str) -> Option<&'a str> {
    let versions = ledger["versions"].as_object().into_iter().flatten();
    let good = versions.filter(|(version, life)| *version != but && life["failed"].is_null());
    good.filter_map(|(version, life)| Some((life["live"].as_u64()?, version.as_str())))
        .max()
        .map(|(_, version)| version)
}

fn ledger(moment: &Moment<'_>) -> Value {
    let there = moment.get(&("controllerrevisions", PROJECT));
    there.map(|ledger| ledger.annotation("doce.dev/ledger")).unwrap_or_default()
}

/// 11. The target of a new hold is the newest live version other than the one in place, and never a failed one; and
///     only a person scales to 0.
pub(super) fn a_rollback_goes_to_a_good_version(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let (mut held, mut replicas) = (Value::Null, Value::Null);
    evidence.history.replay(|moment, version| {
        if version.resource == "controllerrevisions" && version.name == PROJECT && !version.gone {
            let ledger = ledger(moment);
            let target = ledger["hold"]["target"].clone();
            if target.is_string() && target != held {
                let in_place = moment.get(&("deployments", PROJECT));
                let in_place = in_place.map_or("", |there| there.template("doce.dev/version"));
                let newest = newest_live(&ledger, in_place);
                finding.check(target.as_str() == newest, || {
                    format!("the hold goes to {target} and the newest good version is {newest:?}")
                });
            }
            held = target;
        } else if version.resource == "deployments" && version.name == PROJECT {
            let project = moment.get(&("projectdeployments", PROJECT));
            let to_nothing = version.object["spec"]["replicas"] == 0 && replicas != 0;
            replicas = version.object["spec"]["replicas"].clone();
            let asked = !to_nothing || project.is_none_or(|project| is_to_have_no_pods(project));
            finding.check(asked, || "scaled to 0 and nobody asked for it".to_owned());
        }
    });
    finding
}

/// 12. At most two ReplicaSets in the end; while the project lives, the set of the version to go back to is not deleted.
pub(super) fn the_set_to_go_back_to_stays(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let in_the_end = those(&evidence.history.end(), "replicasets").len();
    finding.check(in_the_end <= 2, || format!("{in_the_end} ReplicaSets in the end"));
    evidence.history.replay(|moment, version| {
        let lives = moment.get(&("projectdeployments", PROJECT)).is_some_and(|project| !project.is_ending());
        let same = moment
            .get(&("projectdeployments", PROJECT))
            .is_some_and(|project| project.uid == version.label("doce.dev/uid"));
        if version.resource != "replicasets" || !version.gone || !lives || !same {
            return;
        }
        let of = version.template("doce.dev/version");
        let in_place = moment.get(&("deployments", PROJECT));
        let in_place = in_place.map_or("", |there| there.template("doce.dev/version"));
        let ledger = ledger(moment);
        let kept = newest_live(&ledger, in_place);
        let another =
            those(moment, "replicasets").iter().any(|set: &&Version| set.template("doce.dev/version") == of);
        finding.check(kept != Some(of) || another, || {
            format!("the ReplicaSet of {of}, to which one would go back, was deleted")
        });
    });
    finding
}

/// 24. Of one version with one restart stamp there is one pod template, however often it comes back.
pub(super) fn a_version_comes_back_as_it_was(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let mut first: BTreeMap<(&str, &str, &str), &Value> = BTreeMap::new();
    for deployment in evidence.history.of("deployments").filter(|version| version.name == PROJECT) {
        let (of, stamp) =
            (deployment.template("doce.dev/version"), deployment.template("doce.dev/restarted"));
        let template = &deployment.object["spec"]["template"];
        let was = *first.entry((deployment.label("doce.dev/uid"), of, stamp)).or_insert(template);
        finding.check(was == template, || format!("{of} came back as {template} and was {was}"));
    }
    finding
}

/// 31. From the start of the Job that deletes it, no record has the image.
pub(super) fn no_record_names_an_image_that_goes(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let mut going: BTreeSet<String> = BTreeSet::new();
    evidence.history.replay(|moment, version| {
        let starts =
            version.label("doce.dev/role") == "cleanup" && version.object["spec"]["suspend"] == false;
        if version.resource == "jobs" && starts && !version.gone {
            going.extend(digest(version));
        } else if version.resource != "controllerrevisions" {
            return;
        }
        let records = those(moment, "controllerrevisions");
        for image in &going {
            let named = records.iter().find(|record| {
                let reference = &record.annotation("doce.dev/image")["reference"];
                reference.as_str().is_some_and(|reference| reference.ends_with(image))
            });
            finding.check(named.is_none(), || {
                format!("{image} goes and {} has it", named.map_or("", |record| &record.name))
            });
        }
    });
    finding
}

/// The digest that a cleanup Job is told.
fn digest(job: &Version) -> Option<String> {
    let env = job.object["spec"]["template"]["spec"]["containers"][0]["env"].as_array()?;
    let order = env.iter().find(|variable| variable["name"] == "DOCE_CLEANUP")?["value"].as_str()?;
    let order: Value = serde_json::from_str(order).ok()?;
    order["digest"].as_str().map(str::to_owned)
}
