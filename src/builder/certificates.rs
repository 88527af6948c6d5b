//! The CA certificates that programs of a pod trust.

use std::path::{Path, PathBuf};

/// Where Linux distributions keep the certificates that programs trust.
const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The file with the certificates of the image.
pub(super) fn of_the_system() -> PathBuf {
    std::env::var_os("SSL_CERT_FILE").map_or_else(|| PathBuf::from(SYSTEM_BUNDLE), PathBuf::from)
}

/// Writes a file with the system's certificates and `extra` (PEM) into the directory. `None` if `extra` is empty.
pub(super) fn write(directory: &Path, extra: &str) -> std::io::Result<Option<PathBuf>> {
    if extra.trim().is_empty() {
        return Ok(None);
    }
    let system = std::fs::read_to_string(of_the_system()).unwrap_or_default();
    let file = directory.join("ca.pem");
    std::fs::write(&file, format!("{system}\n{extra}\n"))?;
    Ok(Some(file))
}
