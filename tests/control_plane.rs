//! Control-plane tests run a real API server, controller manager and scheduler; kwok simulates the pods. They may talk
//! to that API server and run the operator in their own process. They must not read the operator's memory, and each has
//! its own namespace. Start them with `doce-cluster with control-plane -- cargo test --test control_plane`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::large_futures, reason = "each test is one future")]

#[path = "control_plane/harness.rs"]
#[allow(dead_code, reason = "the chaos tests use the rest")]
mod harness;

#[path = "control_plane/admission.rs"]
mod admission;
#[path = "control_plane/api.rs"]
mod api;
#[path = "control_plane/apply.rs"]
mod apply;
#[path = "control_plane/at_rest.rs"]
mod at_rest;
#[path = "control_plane/first_deploy.rs"]
mod first_deploy;

#[path = "control_plane/bounded_memory.rs"]
mod bounded_memory;
#[path = "control_plane/build_pods.rs"]
mod build_pods;
#[path = "control_plane/builder_pods.rs"]
mod builder_pods;
#[path = "control_plane/chart.rs"]
mod chart;
#[path = "control_plane/cleanups.rs"]
mod cleanups;
#[path = "control_plane/cli.rs"]
mod cli;
#[path = "control_plane/conditions.rs"]
mod conditions;
#[path = "control_plane/exposure.rs"]
mod exposure;
#[path = "control_plane/init_commands.rs"]
mod init_commands;
#[path = "control_plane/judging.rs"]
mod judging;
#[path = "control_plane/kubectl.rs"]
mod kubectl;
#[path = "control_plane/lifecycle.rs"]
mod lifecycle;
#[path = "control_plane/lost_images.rs"]
mod lost_images;
#[path = "control_plane/mending.rs"]
mod mending;
#[path = "control_plane/other_hands.rs"]
mod other_hands;
#[path = "control_plane/pod_security.rs"]
mod pod_security;
#[path = "control_plane/pods_come_and_go.rs"]
mod pods_come_and_go;
#[path = "control_plane/policies.rs"]
mod policies;
#[path = "control_plane/polls.rs"]
mod polls;
#[path = "control_plane/queue.rs"]
mod queue;
#[path = "control_plane/readiness.rs"]
mod readiness;
#[path = "control_plane/registry_login.rs"]
mod registry_login;
#[path = "control_plane/requests.rs"]
mod requests;
#[path = "control_plane/several_operators.rs"]
mod several_operators;
#[path = "control_plane/story.rs"]
mod story;
#[path = "control_plane/sweep.rs"]
mod sweep;
#[path = "control_plane/wrong_but_accepted.rs"]
mod wrong_but_accepted;
