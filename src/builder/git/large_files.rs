//! Reads where a repository keeps its large files: from `.lfsconfig`, or over ssh from its host.

use std::path::Path;

use tokio::process::Command;

use super::super::lfs::ssh;
use super::super::outcome::Failure;
use super::super::program;
use super::{ASK, Access, Git, LOCAL, failure};
use crate::protocol::report::Stage;

/// Longest `.lfsconfig` in bytes, and longest answer of a host.
const MAX_TEXT: u64 = 64 << 10;

impl Git {
    /// The settings that Git reads from a file, without includes; none if it is not a regular file.
    pub(in super::super) async fn settings(&self, file: &Path) -> Result<Option<Vec<u8>>, Failure> {
        let plain = file.symlink_metadata().is_ok_and(|data| data.is_file() && data.len() <= MAX_TEXT);
        if !plain {
            return Ok(None);
        }
        let mut command = self.git();
        command.args(["config", "--no-includes", "--list", "-z", "--file"]).arg(file);
        let output = program::output(&mut command, 2 * MAX_TEXT, LOCAL).await;
        let output = output.map_err(|error| failure::program(Stage::Fetch, &self.url, &error))?;
        Ok(output.success.then_some(output.stdout))
    }

    /// The answer of the host of a repository over ssh to `git-lfs-authenticate`; none if it has no such program.
    pub(in super::super) async fn authenticate(&self) -> Result<Option<Vec<u8>>, Failure> {
        let Access::Ssh(settings) = &self.access else { return Ok(None) };
        let Some(arguments) = ssh::arguments(&self.url) else { return Ok(None) };
        let mut command = Command::new("ssh");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()));
        command.env("LC_ALL", "C").env("HOME", "/nonexistent").arg("-F").arg(settings).args(arguments);
        let output = program::output(&mut command, MAX_TEXT, ASK).await;
        let output = output.map_err(|error| failure::program(Stage::Fetch, &self.url, &error))?;
        Ok(output.success.then_some(output.stdout))
    }
}
