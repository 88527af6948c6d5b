//! The operator handles a request once, even if a tool restores an earlier value, or if the observed object is older
//! than the ledger.

use doce_operator::crd::annotations::RequestKind;
use doce_operator::memory::ledger::{Answer, Ledger};
use doce_operator::reconcile::decide::Step;

use super::case::Case;

#[test]
fn a_restored_earlier_value_of_a_request_is_not_repeated() {
    let case = Case::serving(1).asks(RequestKind::Restart, "@1");
    let first = case.remembers();
    let case = case.ledger(|ledger| *ledger = first).asks(RequestKind::Restart, "@2");
    let second = case.remembers();
    assert!(!second.is_new(RequestKind::Restart, "@1") && !second.is_new(RequestKind::Restart, "@2"));
    let put_back = case.ledger(|ledger| *ledger = second).asks(RequestKind::Restart, "@1");
    assert!(matches!(put_back.step(), Some(Step::ApplyDeployment(_))), "only the second restart continues");
}

#[test]
fn only_the_last_four_values_of_a_request_are_remembered() {
    let mut ledger = Ledger::default();
    for token in 1..=6 {
        ledger = ledger.with_handled(RequestKind::Deploy, &format!("@{token}"), "done");
    }
    let known: Vec<i32> =
        (1..=6).filter(|token| !ledger.is_new(RequestKind::Deploy, &format!("@{token}"))).collect();
    assert_eq!(known, [3, 4, 5, 6]);
}

#[test]
fn a_ledger_with_old_keys_is_read_and_written_with_the_current_ones() {
    let old = r#"{"format":1,"seen":{"restart":{"value":"@1","outcome":"done"}},"versions":{"v":{"live":3,
        "again":{"cause":"Retry"},"ready":"2026-01-02T03:04:05Z","restart":"r","good":"r"}},"last":3}"#;
    let ledger: Ledger = serde_json::from_str(old).unwrap();
    assert!(!ledger.is_new(RequestKind::Restart, "@1") && ledger.is_new(RequestKind::Restart, "@0"));
    let now = r#"{"format":1,"handled":{"restart":{"value":"@1","outcome":"done"}},"versions":{"v":{"live":3,"trigger":{"cause":"Retry"},"readyAt":"2026-01-02T03:04:05Z","restart":"r","goodRestart":"r"}},"lastLive":3}"#;
    assert_eq!(serde_json::to_string(&ledger).unwrap(), now);
}

#[test]
fn the_answer_of_a_lookup_is_stored_flat() {
    let stored =
        serde_json::json!({ "number": 2, "digest": "d1", "reference": "main", "message": "A change" });
    let answer: Answer = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!((answer.number, answer.source.digest.as_str()), (2, "d1"));
    assert_eq!(serde_json::to_value(&answer).unwrap(), stored);
}

#[test]
fn an_object_older_than_the_ledger_makes_no_requests_and_a_newer_one_does() {
    let mut case =
        Case::serving(1).asks(RequestKind::Restart, "@1").ledger(|ledger| ledger.object = Some(20));
    case.project.resource_version = Some(19);
    assert_eq!(case.step(), None);
    case.project.resource_version = Some(21);
    assert_eq!(case.remembers().object, Some(21));
}
