//! Rollbacks: the target, its ReplicaSet, and its template.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::evidence::{Evidence, Finding, PROJECT, is_to_have_no_pods};
use crate::history::{Moment, Version, those};

/// The version that went live last, except `but` and failed versions.
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

/// 11. A new hold targets the newest live version other than the current one, and never a failed one. Only a user
///     scales to 0.
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
                    format!("the hold targets {target}, but the newest good version is {newest:?}")
                });
            }
            held = target;
        } else if version.resource == "deployments" && version.name == PROJECT {
            let project = moment.get(&("projectdeployments", PROJECT));
            let to_nothing = version.object["spec"]["replicas"] == 0 && replicas != 0;
            replicas = version.object["spec"]["replicas"].clone();
            let asked = !to_nothing || project.is_none_or(|project| is_to_have_no_pods(project));
            finding.check(asked, || "scaled to 0 without a request".to_owned());
        }
    });
    finding
}

/// 12. At most two ReplicaSets remain in the end. While the project exists, the kept ReplicaSet is not deleted.
pub(super) fn the_kept_replica_set_stays(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let in_the_end = those(&evidence.history.end(), "replicasets").len();
    finding.check(in_the_end <= 2, || format!("{in_the_end} ReplicaSets remain"));
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
        finding.check(kept != Some(of) || another, || format!("the kept ReplicaSet of {of} was deleted"));
    });
    finding
}

/// 24. A version with one restart stamp always has the same pod template.
pub(super) fn a_version_returns_unchanged(evidence: &Evidence) -> Finding {
    let mut finding = Finding::default();
    let mut first: BTreeMap<(&str, &str, &str), &Value> = BTreeMap::new();
    for deployment in evidence.history.of("deployments").filter(|version| version.name == PROJECT) {
        let (of, stamp) =
            (deployment.template("doce.dev/version"), deployment.template("doce.dev/restarted"));
        let template = &deployment.object["spec"]["template"];
        let was = *first.entry((deployment.label("doce.dev/uid"), of, stamp)).or_insert(template);
        finding.check(was == template, || format!("{of} returned as {template}, but was {was}"));
    }
    finding
}

/// 31. From the start of the Job that deletes an image, no record names this image.
pub(super) fn no_record_names_a_deleted_image(evidence: &Evidence) -> Finding {
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
                format!("{image} is being deleted, but {} names it", named.map_or("", |record| &record.name))
            });
        }
    });
    finding
}

/// The digest in the order of a cleanup Job.
fn digest(job: &Version) -> Option<String> {
    let env = job.object["spec"]["template"]["spec"]["containers"][0]["env"].as_array()?;
    let order = env.iter().find(|variable| variable["name"] == "DOCE_CLEANUP")?["value"].as_str()?;
    let order: Value = serde_json::from_str(order).ok()?;
    order["digest"].as_str().map(str::to_owned)
}
