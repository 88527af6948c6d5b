//! The invariants, by number. Each is a question to the record of a whole life; docs/chaos.md has those that are not asked here, with
//! the reason.

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

/// One of them.
pub(crate) struct Invariant {
    /// Its number.
    pub number: u8,
    /// What holds.
    pub sentence: &'static str,
    /// Looks for breaches.
    pub look: fn(&Evidence) -> Finding,
}

macro_rules! invariants {
    ($($number:literal $sentence:literal $look:path,)+) => {
        /// All that are asked.
        pub(crate) const ALL: &[Invariant] = &[$(Invariant { number: $number, sentence: $sentence, look: $look },)+];
    };
}

invariants! {
    1 "a project that was Ready never has fewer ready pods than replicas" serving::ready_pods_never_vanish,
    2 "the Service always finds a ready pod of a good version" serving::the_service_finds_a_good_pod,
    3 "one Deployment, one Service, one running build; no build twice" children::nothing_is_there_twice,
    4 "node port and cluster IP never change, the Service is never made anew" children::the_address_stays,
    5 "selector and uid of the Deployment never change" children::the_deployment_stays,
    6 "the image is the recorded one of that version, by digest" children::the_image_is_the_recorded_one,
    7 "nothing is written to an object of somebody else" requests::only_own_objects_are_written,
    8 "nothing is written in another namespace" requests::nothing_is_written_elsewhere,
    9 "observedGeneration never goes back, and Ready is said of the newest" status::ready_is_said_of_the_newest,
    10 "Ready is never said while children are of the version before" status::ready_agrees_with_the_children,
    11 "a rollback goes to the newest version that was live and is not failed" memory::a_rollback_goes_to_a_good_version,
    12 "at most two ReplicaSets in the end, and the one to go back to stays" memory::the_set_to_go_back_to_stays,
    14 "objects are at most 16 KiB, messages 1 KiB, both clean" status::objects_stay_small,
    16 "few writes, none again and again" requests::nothing_is_written_again_and_again,
    17 "in the end it is Ready or says truly why not" end::the_end_is_ready_or_stalled,
    18 "the end is that of the life without faults" end::the_end_is_the_same,
    19 "as many objects were made and deleted as without faults" end::as_many_objects_were_made,
    20 "of a deleted project nothing is left, and nothing is made anew" end::nothing_is_left_of_a_deleted_project,
    21 "a project of the same name inherits nothing" end::nothing_is_inherited,
    22 "a failed build leaves what runs alone" status::a_failed_build_leaves_what_runs_alone,
    23 "after a failure a good spec serves" end::a_good_spec_serves_after_a_failure,
    24 "the same version has the same pod template whenever it comes back" memory::a_version_comes_back_as_it_was,
    25 "settled, it writes nothing" requests::nothing_is_written_once_settled,
    29 "every state has a reason, and one that is not Ready says who must act" status::every_state_has_a_reason,
    30 "the operator never panics" end::the_operator_never_panics,
    31 "an image goes only once no record names it" memory::no_record_names_an_image_that_goes,
}
