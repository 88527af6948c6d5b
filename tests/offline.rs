//! What can be said of the project without a cluster: its packaging and its architecture. No network, no cluster, no
//! clock; what is generated is compared with what is committed (`BLESS=1` writes it anew).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod offline {
    mod architecture;
    mod bad_inputs;
    mod decisions;
    mod packaging;
}

#[path = "offline/adoption.rs"]
mod adoption;
#[path = "offline/children.rs"]
mod children;
#[path = "offline/cleanup_job.rs"]
mod cleanup_job;
#[path = "offline/facts.rs"]
mod facts;
#[path = "offline/frameworks.rs"]
mod frameworks;
#[path = "offline/rules.rs"]
mod rules;
#[path = "offline/versions.rs"]
mod versions;
#[path = "offline/words.rs"]
mod words;
