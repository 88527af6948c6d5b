//! Desired shapes of the children of a project, one file per kind. Pure; nothing here decides or reads status.

pub mod build_job;
pub mod build_profile;
pub mod deployment;
pub mod extras;
pub mod init_job;
pub mod meta;
pub mod names;
mod probe;
pub mod secret_mount;
pub mod security;
pub mod service;
pub mod drift;
pub mod template;
pub mod job_env;
mod volumes;
