//! Chaos tests: lives of a project on a real control plane, each with one fault (some with two or three) between the
//! operator and the API server. A life without faults is the measure; every version of every object is recorded, and
//! the invariants are checked over the whole of it. Nothing is played here but the faults, and nobody looks into the
//! operator's memory. Started by `make chaos`; docs/chaos.md says what is done and what is not.

#![allow(clippy::unwrap_used, reason = "what a test cannot have ends it")]
#![allow(clippy::large_futures, reason = "a life is one future, polled in one place")]

#[path = "control_plane/harness.rs"]
#[allow(dead_code, reason = "the control-plane tests use the rest of it")]
mod harness;

#[path = "chaos/call.rs"]
mod call;
#[path = "chaos/campaign.rs"]
mod campaign;
#[path = "chaos/evidence.rs"]
mod evidence;
#[path = "chaos/fault.rs"]
mod fault;
#[path = "chaos/history.rs"]
mod history;
#[path = "chaos/invariants.rs"]
mod invariants;
#[path = "chaos/life.rs"]
mod life;
#[path = "chaos/plan.rs"]
mod plan;
#[path = "chaos/plans.rs"]
mod plans;
#[path = "chaos/recorder.rs"]
mod recorder;
#[path = "chaos/table.rs"]
mod table;
#[path = "chaos/wire.rs"]
mod wire;
#[path = "chaos/workloads.rs"]
mod workloads;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn every_life_with_a_fault_ends_as_the_one_without_and_breaks_no_invariant_on_the_way() {
    campaign::run().await;
}
