//! Facts read off Kubernetes' own objects. Pure: timestamps of objects become facts here, and nowhere else is the status
//! of a child interpreted.

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
