//! Tests without a cluster, a network or a clock: decisions, children, packaging and architecture. They compare
//! generated files with the committed ones (`BLESS=1` rewrites those).

#![allow(clippy::unwrap_used, reason = "a test that fails shows where")]

mod offline {
    mod architecture;
    mod bad_inputs;
    mod decisions;
    mod files;
    mod packaging;
    mod security_page;
}

#[path = "offline/admission.rs"]
mod admission;
#[path = "offline/adoption.rs"]
mod adoption;
#[path = "offline/bounds.rs"]
mod bounds;
#[path = "offline/builder_pods.rs"]
mod builder_pods;
#[path = "offline/children.rs"]
mod children;
#[path = "offline/cleanup_job.rs"]
mod cleanup_job;
#[path = "offline/cli.rs"]
mod cli;
#[path = "offline/facts.rs"]
mod facts;
#[path = "offline/frameworks.rs"]
mod frameworks;
#[path = "offline/metrics.rs"]
mod metrics;
#[path = "offline/rules.rs"]
mod rules;
#[path = "offline/versions.rs"]
mod versions;
#[path = "offline/words.rs"]
mod words;
