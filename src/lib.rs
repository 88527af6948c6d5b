//! doce-operator: from a source to a URL on your own Kubernetes cluster.
//!
//! # The loop
//!
//! ```text
//!          watches                                      you: kubectl apply, annotate
//!             │                                                     │
//!             ▼                                                     ▼
//!    cluster::caches ──► controller ──► reconcile ◄──── crd (ProjectDeployment)
//!                                           │
//!        ┌──────────────────────────────────┴──────────────────────────────────┐
//!        │  observe ──► Observed ──► target ──► decide ──► Step ──► act ──┐     │
//!        │     ▲        (facts)                (a table)         (a write) │     │
//!        │     └───────────────── until no step is left ───────────────────┘     │
//!        │  then: status, events ──► report                                      │
//!        └───────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! # The words
//!
//! | word | meaning |
//! |---|---|
//! | project | one `ProjectDeployment` |
//! | version, build key | a hash of what makes the image and of `spec.run`; a hash of what makes the image |
//! | record, ledger | `ControllerRevision`s: one remembered version; all memory of a project that changes |
//! | lookup | a build Job that only resolves a branch, a tag or a digest |
//! | target | the version that the operator moves towards: a hold's target, else the pin, else what the spec yields |
//! | on trial, guard, live | never live before; `rollout.minReadySeconds`; available for the guard |
//! | verdict, fault | "this version failed", until a retry; a failure outside the version, retried with backoff |
//! | hold, pin, request | what a rollback leaves in force; `spec.pinnedVersion`; a one-off annotation |
//! | stamp | an annotation of the pod template that replaces the pods |
//! | child, drift | an object that the operator creates; its difference from the desired shape |
//! | predecessor | a child of a deleted project of the same name |
//! | position | where a build waits in the build queue |
//!
//! # The modules
//!
//! | module | what it is |
//! |---|---|
//! | [`text`], [`quantity`], [`distribution`] | bounded texts for people; amounts of CPU and memory; what every client of a registry must know |
//! | [`protocol`] | what operator and build pod tell each other: order, target, report, reason |
//! | [`crd`] | what a person writes and reads |
//! | [`version`] | build keys and version hashes |
//! | [`project`] | one object, parsed |
//! | [`request`] | what a person asks for once, as the annotation that carries it |
//! | [`platform`] | what the platform owner sets: registries, build pods, extra metadata of children |
//! | [`memory`] | ledger and records, and their form as `ControllerRevision`s |
//! | [`desired`] | shapes, names and drift of the children |
//! | [`cluster`] | the only door to the API server |
//! | [`reconcile`] | the loop: `observe` (with `facts`, read from the children) → `observed` → `target` → `decide` → `act`, then `status` → `report` |
//! | [`build_queue`] | which build starts next |
//! | [`builder_pods`] | the pods in the namespace of builds that run BuildKit, one for each running build |
//! | [`image_cleanup`] | the Jobs that delete images in a registry of your own; `reconcile::decide` decides which image goes |
//! | [`view`] | what people see of a project: versions, their differences, the first cause, progress |
//! | [`controller`], [`backoff`], [`status_debounce`] | when a project is reconciled, and when its status is written |
//! | [`election`], [`probes`], [`metrics`], [`config`] | which of several operators writes; endpoints of the operator; what it counts; settings |
//! | [`builder`] | what happens inside the pod of a build and inside its builder pod |
//! | [`cli`] | `kubectl doce`: another program, with the rights of its user and a door of its own |
//! | [`gc`] | the sweep of the embedded registry: deletes what no record names; a process of its own |
//! | [`registry_proxy`] | the only way to the embedded registry, and the read-only proxy through which nodes pull; processes of their own |
//! | [`server`] | the HTTP API; a process of its own |
//!
//! # The rules
//!
//! * Imports go one way. `tests/offline/architecture.rs` has the table, and the list of modules without I/O: they have no
//!   client and no clock, and give the same answer for the same input.
//! * Only `cluster` writes; [`server`] writes with the rights of its callers. People write only the resource; the operator writes only children and status.
//! * Nothing reads `status` to decide.
//! * Kubernetes keeps the clocks: deadlines come from timestamps of objects.

pub mod backoff;
pub mod build_queue;
pub mod builder;
pub mod builder_pods;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod controller;
pub mod crd;
pub mod desired;
pub mod distribution;
pub mod election;
pub mod gc;
pub mod image_cleanup;
pub mod memory;
pub mod metrics;
pub mod platform;
pub mod probes;
pub mod project;
pub mod protocol;
pub mod quantity;
pub mod reconcile;
pub mod registry_proxy;
pub mod request;
pub mod server;
pub mod status_debounce;
pub mod text;
pub mod version;
pub mod view;
