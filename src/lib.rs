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
//!        │  then: summarize ──► status, events ──► report                           │
//!        └──────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! I/O: `observe`, `places`, `act`, `start`, `report`, `cluster`, `election`, `controller`, `queue`, `probes`, `sweep` (`named` and `choose` apart), `relay` (`request` apart), `build`.
//! Everything
//! else is pure: no client, no clock, the same answer for the same input.
//!
//! # The modules
//!
//! | module | what it is | may use of ours |
//! |---|---|---|
//! | [`crd`] | what a person writes and reads | nothing |
//! | [`version`] | build keys and version hashes | `build::order` |
//! | [`quantity`] | amounts of CPU and memory, compared | nothing |
//! | [`project`] | one object, parsed | `crd`, `version`, `build::order` |
//! | [`ledger`], [`record`] | the memory, as data | `crd::annotations`, `crd::conditions`, `crd::run::Security`, `crd::status::Cause`, `build::report` |
//! | [`desired`] | shapes and names of the children | `project`, `ledger`, `record`, `version`, `quantity`, `crd`, `build`, `reconcile::world::BuildOf` |
//! | [`reconcile`] | the loop; `world`, `asked`, `decide`, `facts`, `summarize`, `turn` are pure | all above; `observe`, `places`, `act`, `start`, `report` also `cluster` |
//! | [`cluster`] | the only door to the API server | `crd`, `project`, `desired::names`, `version`, `reconcile::world::At` |
//! | [`election`] | which of several operators writes | `cluster` |
//! | [`queue`], [`controller`], [`backoff`], [`announcements`] | which project, which build, when | `reconcile`, `cluster`, `crd`, `election` |
//! | [`probes`], [`config`] | health endpoints; settings | `reconcile`, `election`; `desired::build_pods`, `desired::copied`, `build::order` |
//! | [`sweep`] | what no record names goes from the embedded registry; a process of its own | `cluster`, `crd`, `desired::names`, `desired::record`, `build::order` |
//! | [`relay`] | what nodes pull from the embedded registry through; a process of its own | `cluster::with_causes` |
//! | [`build`] | what happens inside a build pod | `version` |
//!
//! Four rules follow: only `cluster` writes; people write only the resource and the operator only children and status;
//! nothing reads `status` to decide; Kubernetes keeps the clocks. `tests/offline/architecture.rs` keeps them.

pub mod announcements;
pub mod backoff;
pub mod build;
pub mod cluster;
pub mod config;
pub mod controller;
pub mod crd;
pub mod desired;
pub mod election;
pub mod ledger;
pub mod probes;
pub mod project;
pub mod quantity;
pub mod queue;
pub mod reconcile;
pub mod record;
pub mod relay;
pub mod sweep;
pub mod version;
