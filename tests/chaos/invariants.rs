//! The invariants by number. Each one checks the record of a whole life. docs/chaos.md lists the numbers that this test
//! does not check, with the reason.

#[path = "invariants/children.rs"]
mod children;
#[path = "invariants/end.rs"]
mod end;
#[path = "invariants/memory.rs"]
mod memory;
#[path = "invariants/requests.rs"]
mod requests;
#[path = "invariants/serving.rs"]
mod serving;
#[path = "invariants/status.rs"]
mod status;
#[cfg(test)]
#[path = "invariants/tests.rs"]
mod tests;

use crate::evidence::{Evidence, Finding};

/// One invariant.
pub(crate) struct Invariant {
    /// Its number.
    pub number: u8,
    /// The invariant in words.
    pub sentence: &'static str,
    /// Finds violations.
    pub look: fn(&Evidence) -> Finding,
}

macro_rules! invariants {
    ($($number:literal $sentence:literal $look:path,)+) => {
        /// All checked invariants.
        pub(crate) const ALL: &[Invariant] = &[$(Invariant { number: $number, sentence: $sentence, look: $look },)+];
    };
}

invariants! {
    1 "once Ready, a project never has fewer ready pods than replicas" serving::ready_pods_never_vanish,
    2 "the Service always selects a ready pod of a good version" serving::the_service_selects_a_good_pod,
    3 "one Deployment, one Service, one running build; no build runs twice" children::no_child_exists_twice,
    4 "the Service keeps its uid, node port and cluster IP" children::the_address_never_changes,
    5 "the Deployment keeps its uid and selector" children::the_deployment_is_never_replaced,
    6 "the image comes from the record of the version, by digest" children::the_image_is_the_recorded_one,
    7 "the operator never writes an object of another owner" requests::only_own_objects_are_written,
    8 "the operator never writes in another namespace" requests::nothing_is_written_elsewhere,
    9 "observedGeneration never decreases; Ready is about the newest" status::ready_is_about_the_newest_generation,
    10 "Ready names the version that the Deployment has" status::ready_agrees_with_the_children,
    11 "a rollback goes to the newest live version that has not failed" memory::a_rollback_goes_to_a_good_version,
    12 "at most two ReplicaSets remain, and the kept one is never deleted" memory::the_kept_replica_set_stays,
    14 "objects have at most 16 KiB, messages 1 KiB without control characters" status::objects_stay_small,
    16 "the operator writes rarely and repeats no write" requests::no_write_is_repeated,
    17 "the life ends Ready or says why not" end::the_end_is_ready_or_stalled,
    18 "the end is the same as without faults" end::the_end_is_the_same,
    19 "as many objects are created and deleted as without faults" end::as_many_objects_are_created,
    20 "nothing of a deleted project remains or is recreated" end::nothing_remains_of_a_deleted_project,
    21 "a project of the same name inherits nothing" end::nothing_is_inherited,
    22 "a failed build changes nothing that runs" status::a_failed_build_leaves_what_runs_alone,
    23 "a good spec serves after a failure" end::a_good_spec_serves_after_a_failure,
    24 "a version returns with the same pod template" memory::a_version_returns_unchanged,
    25 "the operator writes nothing to a settled project" requests::nothing_is_written_once_settled,
    29 "every state has a reason, and if it is not Ready, a next step" status::every_state_has_a_reason,
    30 "the operator never panics" end::the_operator_never_panics,
    31 "an image is deleted only when no record names it" memory::no_record_names_a_deleted_image,
}
