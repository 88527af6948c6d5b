//! `kubectl doce` as people use it: the real program, as a user with only the `ClusterRole` `edit` in one namespace.

#[path = "cli/deploys.rs"]
mod deploys;
#[path = "cli/explains.rs"]
mod explains;
#[path = "cli/logs.rs"]
mod logs;
#[path = "cli/reads.rs"]
mod reads;
#[path = "cli/requests.rs"]
mod requests;
#[path = "cli/texts.rs"]
mod texts;
#[path = "../harness/user.rs"]
#[allow(dead_code, reason = "the node tests use the rest")]
mod user;
