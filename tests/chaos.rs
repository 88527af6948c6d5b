//! Chaos tests: lives of a project on a real control plane, each with one fault (some with two or three) between the
//! operator and the API server. A life without faults is the reference. The test records every version of every object
//! and checks the invariants over the whole record. Only the faults are simulated, and the test never reads the
//! operator's memory. Start them with `make chaos`; docs/chaos.md describes what they cover and what not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::large_futures, reason = "each life is one future")]

#[path = "control_plane/harness.rs"]
#[allow(dead_code, reason = "the control-plane tests use the rest")]
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
async fn every_life_with_faults_ends_like_one_without_and_violates_no_invariant() {
    campaign::run().await;
}
