use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::memory::ledger::{Attempts, Failure, Hold, Ledger, VersionState};
use crate::memory::record::{Facts, ImageFact, Trigger};

const SERVES: &str = "aa";
const OLD: &str = "bb";
const BAD: &str = "cc";
const UNBUILT: &str = "dd";
const LOST: &str = "ee";

fn hash(name: &str) -> String {
    name.repeat(32)
}

fn record(name: &str, second: i64) -> Record {
    Record {
        name: format!("shop-v{}", name.repeat(4)),
        created: Timestamp::from_second(second).ok(),
        facts: Facts {
            version: hash(name),
            key: Some(format!("key-{name}")),
            source: SourceFact { digest: "01".repeat(20), ..SourceFact::default() },
            trigger: Some(Trigger { cause: TriggerKind::Apply, by: Some("helm".to_owned()) }),
            ..Facts::default()
        },
        image: Some(ImageFact { reference: format!("r/app@sha256:{name}"), ..ImageFact::default() }),
        lost: None,
    }
}

fn live(number: u64) -> VersionState {
    VersionState {
        live: Some(number),
        ready_at: Timestamp::from_second(100 + i64::try_from(number).unwrap()).ok(),
        ..VersionState::default()
    }
}

/// `SERVES` serves, `OLD` served before, `BAD` failed, `UNBUILT` has no image, and the image of `LOST` is gone.
fn remembered() -> Remembered {
    let failure = |reason: &str| Failure {
        reason: reason.to_owned(),
        message: "It broke".to_owned(),
        ..Failure::default()
    };
    let mut unbuilt = record(UNBUILT, 40);
    unbuilt.image = None;
    let mut lost = record(LOST, 5);
    lost.lost = lost.image.take();
    let records = [record(OLD, 10), record(SERVES, 20), record(BAD, 30), unbuilt, lost];
    Remembered {
        records: records.into_iter().map(|record| (record.facts.version.clone(), record)).collect(),
        ledger: Ledger {
            versions: BTreeMap::from([
                (hash(OLD), live(1)),
                (hash(SERVES), live(2)),
                (hash(BAD), VersionState { failed: Some(failure("CrashLoop")), ..VersionState::default() }),
            ]),
            builds: BTreeMap::from([(
                format!("key-{UNBUILT}"),
                Attempts { failed: Some(failure("NoBuilder")), ..Attempts::default() },
            )]),
            last_live: 2,
            hold: Some(Hold { left: hash(BAD), target: hash(SERVES), since: 2 }),
            ..Ledger::default()
        },
    }
}

fn project(ready: bool) -> ProjectDeployment {
    let condition = |kind: &str, status: bool, reason: &str| {
        json!({
            "type": kind, "status": if status { "True" } else { "False" }, "reason": reason, "message": "",
            "lastTransitionTime": "2026-11-30T12:00:00Z",
        })
    };
    serde_json::from_value(json!({
        "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
        "metadata": { "name": "shop", "namespace": "team", "uid": "u" },
        "spec": { "source": { "git": { "url": "https://git.test/shop.git" } } },
        "status": {
            "observedGeneration": 1, "version": "vaaaaaaaa", "previousVersion": "vbbbbbbbb",
            "conditions": [condition("Ready", ready, "Serving"), condition("RollbackAvailable", true, "VersionKept")],
        },
    }))
    .unwrap()
}

fn of(name: &str, all: &[Version]) -> Version {
    all.iter().find(|version| version.hash == hash(name)).unwrap().clone()
}

#[test]
fn versions_are_listed_newest_first_with_who_what_and_how_long() {
    let all = versions(&project(true), &remembered());
    let names: Vec<&str> = all.iter().map(|version| &version.hash[..2]).collect();
    assert_eq!(names, [UNBUILT, BAD, SERVES, OLD, LOST]);
    let serves = of(SERVES, &all);
    assert_eq!((serves.state, serves.duration_seconds), (State::Serving, Some(82)));
    assert_eq!((serves.trigger, serves.by.as_deref()), (Some(TriggerKind::Apply), Some("helm")));
    assert_eq!(of(OLD, &all).state, State::Live);
    let bad = of(BAD, &all);
    assert_eq!(
        (bad.state, bad.reason.as_deref(), bad.message.as_deref()),
        (State::Failed, Some("CrashLoop"), Some("It broke"))
    );
    assert_eq!(of(UNBUILT, &all).reason.as_deref(), Some("NoBuilder"));
    assert_eq!(of(LOST, &all).reason.as_deref(), Some("ImageLost"));
    let text = serde_json::to_value(&serves).unwrap();
    assert_eq!(
        (&text["createdAt"], &text["rollback"]["possible"]),
        (&json!("1970-01-01T00:00:20Z"), &json!(false))
    );
}

#[test]
fn each_version_says_whether_a_rollback_to_it_is_possible() {
    let all = versions(&project(true), &remembered());
    assert_eq!(of(SERVES, &all).rollback, Rollback::no("it serves"));
    assert_eq!(of(OLD, &all).rollback, Rollback::yes());
    let bad = of(BAD, &all).rollback;
    assert!(bad.needs_retry && !bad.possible && bad.why.unwrap().contains("failed before (CrashLoop)"));
    let unbuilt = of(UNBUILT, &all).rollback;
    assert!(!unbuilt.possible && unbuilt.why.unwrap().contains("its build failed (NoBuilder)"));
    let lost = of(LOST, &all).rollback;
    assert!(lost.needs_retry && !lost.possible && lost.why.unwrap().contains("gone from its registry"));
}

#[test]
fn while_the_target_does_not_serve_a_rollback_to_the_version_that_serves_holds_it() {
    let all = versions(&project(false), &remembered());
    assert_eq!(of(SERVES, &all).rollback, Rollback::yes());
}

#[test]
fn previous_is_the_version_that_was_live_before_the_one_that_serves() {
    assert_eq!(previous_version(&project(true), &remembered()), Some(hash(OLD)));
}

#[test]
fn previous_is_what_the_operator_says_also_while_another_version_than_the_one_in_place_answers() {
    let mut object = project(false);
    let status = object.status.as_mut().unwrap();
    (status.version, status.previous_version) = (Some("vbbbbbbbb".into()), Some("vaaaaaaaa".into()));
    assert_eq!(previous_version(&object, &remembered()), Some(hash(SERVES)));
    object.status.as_mut().unwrap().previous_version = None;
    assert_eq!(previous_version(&object, &remembered()), None);
}

#[test]
fn a_person_who_names_no_version_is_offered_the_previous_one_and_none_while_a_rollback_holds() {
    let mut remembered = remembered();
    assert_eq!(offered(&project(true), &remembered), None, "it would end the rollback");
    remembered.ledger.hold = None;
    assert_eq!(offered(&project(true), &remembered).unwrap().hash, hash(OLD));
    let mut object = project(false);
    object.status.as_mut().unwrap().previous_version = None;
    assert_eq!(offered(&object, &remembered), None, "the version in place is no way back");
}

/// The project builds from `source`, and `LOST` can be built again.
fn lost_of(source: &serde_json::Value) -> (ProjectDeployment, Remembered) {
    let mut object = project(true);
    object.spec.source = serde_json::from_value(source.clone()).unwrap();
    let parsed = Project::parse(&object).unwrap();
    let mut remembered = remembered();
    let lost = remembered.records.get_mut(&hash(LOST)).unwrap();
    lost.facts.source.reference = parsed.reference();
    lost.facts.key = Some(crate::version::build_key(&lost.facts.source.digest, &parsed.settings));
    (object, remembered)
}

#[test]
fn a_lost_image_is_built_again_unless_the_version_or_its_build_failed_before() {
    let (object, mut remembered) = lost_of(&json!({ "git": { "url": "https://git.test/shop.git" } }));
    let found = of(LOST, &versions(&object, &remembered)).rollback;
    assert!(found.possible && found.needs_build && !found.needs_retry, "{found:?}");

    let failed = Some(Failure { reason: "CrashLoop".to_owned(), ..Failure::default() });
    let life = VersionState { failed: failed.clone(), ..VersionState::default() };
    remembered.ledger.versions.insert(hash(LOST), life);
    let found = of(LOST, &versions(&object, &remembered)).rollback;
    assert!(!found.possible && found.needs_build && found.needs_retry, "{found:?}");

    remembered.ledger.versions.remove(&hash(LOST));
    let key = remembered.records[&hash(LOST)].facts.key.clone().unwrap();
    remembered.ledger.builds.insert(key, Attempts { failed, ..Attempts::default() });
    let found = of(LOST, &versions(&object, &remembered)).rollback;
    assert!(!found.possible && found.needs_retry && found.why.unwrap().contains("CrashLoop"));
}

#[test]
fn only_the_operator_can_tell_whether_a_lost_image_of_a_config_map_is_built_again() {
    let (mut object, remembered) = lost_of(&json!({ "configMap": { "name": "site" } }));
    let found = of(LOST, &versions(&object, &remembered)).rollback;
    assert!(found.possible && found.needs_build && found.why.unwrap().contains("only the operator can tell"));
    object.status.as_mut().unwrap().previous_version = Some("veeeeeeee".into());
    let found = of(LOST, &versions(&object, &remembered)).rollback;
    assert!(found.why.unwrap().contains("so it is built again first"), "the operator offers it");
}

#[test]
fn a_version_is_found_by_the_beginning_of_its_name() {
    let remembered = remembered();
    assert_eq!(remembered.find("vbb").unwrap().facts.version, hash(OLD));
    assert_eq!(remembered.find("bbbb").unwrap().facts.version, hash(OLD));
    for unknown in ["", "v", "v00"] {
        let error = remembered.find(unknown).unwrap_err().to_string();
        assert!(error.contains("Available versions: vdddddddd, vcccccccc"), "{error}");
    }
}
