//! Makes the operator's own image: its static binary and the certificates of public authorities, without a base image.
//! cargo decides what to compile.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use tar::Builder;

use super::{
    build, layer,
    store::{Descriptor, Store},
};
use crate::{Attempt, Error, compile::compile};

/// The name of the image.
pub(in crate::node) const REFERENCE: &str = "ghcr.io/doce-dev/doce-operator:dev";
/// The variable that names an already built binary to use instead of compiling one.
const BINARY: &str = "DOCE_OPERATOR_BINARY";
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const USER: u32 = 65532;

/// Builds the binary and the image.
pub(super) fn build(store: &Store) -> Result<Descriptor, Error> {
    let binary = env::var_os(BINARY)
        .map_or_else(|| compile("doce-operator", "the operator"), |path| Ok(PathBuf::from(path)))?;
    let read = |path: &Path| fs::read(path).attempt(|| format!("read {}", path.display()));
    let (program, authorities) = (read(&binary)?, read(Path::new(AUTHORITIES))?);
    let layer = store.layer(|out| {
        let mut archive = Builder::new(out);
        layer::regular(&mut archive, "usr/bin/doce-operator", 0o755, 0, &program)?;
        layer::regular(&mut archive, "etc/ssl/certs/ca-certificates.crt", 0o644, 0, &authorities)?;
        archive.into_inner().map(drop).attempt(|| format!("finish the layer of {REFERENCE}"))
    })?;
    let config = json!({
        "User": format!("{USER}:{USER}"),
        "Entrypoint": ["/usr/bin/doce-operator"],
        "Env": ["PATH=/usr/bin", format!("SSL_CERT_FILE={AUTHORITIES}")],
    });
    build::assemble(&[layer], &config, store)
}
