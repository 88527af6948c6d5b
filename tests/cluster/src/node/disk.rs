//! The free space that a node needs. Kubernetes answers a full disk with evictions, lost logs and minutes without
//! new pods, and tests that fail for those reasons name everything but the disk.

use std::path::Path;

use crate::{Attempt, Error};

/// With less, a run does not begin. Ten minutes of the node tests took about 3 GB.
const NEEDED: u64 = 4 << 30;

/// Fails if the disk of this directory has less free space than a run needs.
pub(super) fn require_space(dir: &Path) -> Result<(), Error> {
    let disk = rustix::fs::statvfs(dir).attempt(|| format!("read the free space of {}", dir.display()))?;
    enough(dir, disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn enough(dir: &Path, free: u64) -> Result<(), Error> {
    if free >= NEEDED {
        return Ok(());
    }
    let why = format!(
        "the disk of {} has {} MiB free and a node needs {} MiB; free some, or set DOCE_CACHE to a directory on \
         another disk",
        dir.display(),
        free >> 20,
        NEEDED >> 20
    );
    Err(Error::failed("make this machine a node", why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_too_full_is_named_with_what_is_needed() {
        assert!(enough(Path::new("/cache"), NEEDED).is_ok());
        let error = enough(Path::new("/cache"), NEEDED - 1).unwrap_err().to_string();
        assert!(error.contains("/cache has 4095 MiB free and a node needs 4096 MiB"), "{error}");
        assert!(error.contains("DOCE_CACHE"), "{error}");
    }
}
