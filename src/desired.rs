//! Desired shapes of the children of a project, one file per kind. Pure; nothing here decides or reads status.

pub mod build_job;
pub mod build_profile;
pub mod builder_job;
pub mod deployment;
pub mod drift;
pub mod extras;
pub mod init_job;
pub mod job_env;
pub mod meta;
pub mod names;
pub mod network_policy;
pub mod placement;
mod probe;
pub mod secret_mount;
pub mod security;
pub mod service;
pub mod template;
mod volumes;
