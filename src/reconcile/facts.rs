//! Facts read from Kubernetes objects. Pure. Only these modules interpret the status of children, and they turn the
//! timestamps of objects into facts.

pub mod build;
mod exit;
pub mod health;
pub mod init;
mod last_words;
mod listening;
pub mod outside;
pub mod pod;
mod pull;
pub mod rollout;
mod security;
