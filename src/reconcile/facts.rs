//! Facts read from Kubernetes objects. Pure. Only these modules interpret the status of children, and they turn the
//! timestamps of objects into facts.

pub mod build;
mod exit;
mod exposed_ports;
pub mod health;
pub mod init;
mod last_output;
pub mod outside;
pub mod pod;
mod pull;
pub mod rollout;
mod security;
