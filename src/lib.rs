//! doce-operator: from a source to a URL on your own Kubernetes cluster.
//!
//! # The loop
//!
//! ```text
//!            watches                                                     a person
//!               │                                                            │ kubectl apply, annotate
//!               ▼                                                            ▼
//!    cluster::caches ──► controller ──► reconcile ◄───────────── crd (ProjectDeployment)
//!                                           │
//!        ┌──────────────────────────────────┴───────────────────────────────────────┐
//!        │  observe ──► World ──► decide ──► Step ──► act ──┐                       │
//!        │     ▲      (facts)    (a table)      (one write) │  until no step is left│
//!        │     └────────────────────────────────────────────┘                       │
//!        │  then: status, events ──► report                                         │
//!        └──────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! I/O: `reconcile::{observe, act, report}`, `build_queue::{admit, positions, run}`, `cluster`, `election`, `controller`, `probes`,
//! `gc`, `registry_proxy`, `builder`. Everything else is pure: no client, no clock, the same answer for the same input.
//!
//! # The modules
//!
//! From the ground up; a module uses only what stands above it.
//!
//! | module | what it is |
//! |---|---|
//! | [`text`], [`quantity`] | texts for people, bounded; amounts of CPU and memory |
//! | [`protocol`] | what operator and build pod tell each other: order, target, report, reason |
//! | [`crd`] | what a person writes and reads |
//! | [`version`] | build keys and version hashes |
//! | [`project`] | one object, parsed |
//! | [`platform`] | what the platform owner has set: registries, build pods, what children get besides |
//! | [`memory`] | ledger and records, and their form as `ControllerRevision`s |
//! | [`desired`] | shapes and names of the children |
//! | [`cluster`] | the only door to the API server |
//! | [`reconcile`] | the loop: `observe` (with `facts`, what is read off the children) → `observed` → `target` → `decide` → `act`, then `status` → `report` |
//! | [`build_queue`] | which build starts when |
//! | [`image_cleanup`] | which image in a registry outside the platform's goes, and when |
//! | [`controller`], [`backoff`], [`status_debounce`] | when a project is reconciled, and when its status is written |
//! | [`election`], [`probes`], [`config`] | which of several operators writes; health endpoints; settings |
//! | [`builder`] | what happens inside the pod of a build |
//! | [`gc`] | what no record names goes from the embedded registry; a process of its own |
//! | [`registry_proxy`] | what nodes pull from the embedded registry through; a process of its own |
//!
//! Four rules follow: only `cluster` writes; people write only the resource and the operator only children and status;
//! nothing reads `status` to decide; Kubernetes keeps the clocks. `tests/offline/architecture.rs` keeps them, and has the table of
//! who may use whom.

pub mod backoff;
pub mod build_queue;
pub mod builder;
pub mod cluster;
pub mod config;
pub mod controller;
pub mod crd;
pub mod desired;
pub mod election;
pub mod gc;
pub mod image_cleanup;
pub mod memory;
pub mod platform;
pub mod probes;
pub mod project;
pub mod protocol;
pub mod quantity;
pub mod reconcile;
pub mod registry_proxy;
pub mod status_debounce;
pub mod text;
pub mod version;
