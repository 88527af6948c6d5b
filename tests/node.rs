//! Node tests run a real node with kubelet, containerd and kube-proxy, a real registry, real builds, Git over HTTP and
//! real requests through the node port. Helm installs the operator from the chart, as users do. The tests must not run
//! any part of the operator in their own process. Start them with `doce-cluster with node -- cargo test --test node`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a test binary exports nothing")]

#[path = "node/administrator.rs"]
mod administrator;
#[path = "node/authority.rs"]
mod authority;
#[path = "node/client.rs"]
mod client;
#[path = "node/harness.rs"]
mod harness;
#[path = "node/pods.rs"]
mod pods;
#[path = "node/repository.rs"]
mod repository;
#[path = "node/ssh.rs"]
mod ssh;
#[path = "node/stored.rs"]
mod stored;
#[path = "node/told.rs"]
mod told;
#[path = "node/traffic.rs"]
mod traffic;
#[path = "harness/user.rs"]
#[allow(dead_code, reason = "the control-plane tests use the rest")]
mod user;

#[path = "node/all_samples.rs"]
mod all_samples;
#[path = "node/archives.rs"]
mod archives;
#[path = "node/builds.rs"]
mod builds;
#[path = "node/cleanups.rs"]
mod cleanups;
#[path = "node/commits.rs"]
mod commits;
#[path = "node/deploy_keys.rs"]
mod deploy_keys;
#[path = "node/folders.rs"]
mod folders;
#[path = "node/health.rs"]
mod health;
#[path = "node/init.rs"]
mod init;
#[path = "node/kept_logs.rs"]
mod kept_logs;
#[path = "node/life.rs"]
mod life;
#[path = "node/private_registry.rs"]
mod private_registry;
#[path = "node/registry_proxy.rs"]
mod registry_proxy;
#[path = "node/secrets.rs"]
mod secrets;
#[path = "node/security.rs"]
mod security;
#[path = "node/sources.rs"]
mod sources;
#[path = "node/tenants.rs"]
mod tenants;
#[path = "node/undisturbed.rs"]
mod undisturbed;
#[path = "node/wrong_builds.rs"]
mod wrong_builds;
#[path = "node/wrong_sources.rs"]
mod wrong_sources;
