//! Makes the operator's own image: its static binary and the certificates of public authorities, without a base image.
//! cargo decides what to compile.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use serde_json::json;
use tar::Builder;

use super::{
    build, layer,
    store::{Descriptor, Store},
};
use crate::{Attempt, Error, error::run, progress};

/// The name of the image.
pub(in crate::node) const REFERENCE: &str = "ghcr.io/doce-dev/doce-operator:dev";
/// The variable that names an already built binary to use instead of compiling one.
const BINARY: &str = "DOCE_OPERATOR_BINARY";
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const USER: u32 = 65532;

/// Builds the binary and the image.
pub(super) fn build(store: &Store) -> Result<Descriptor, Error> {
    let binary = env::var_os(BINARY).map_or_else(compile, |path| Ok(PathBuf::from(path)))?;
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

fn compile() -> Result<PathBuf, Error> {
    let began = Instant::now();
    // The directory of the sources that this launcher was compiled from. A launcher elsewhere fails here.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = || {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&workspace);
        command
    };
    let metadata =
        run(cargo().args(["metadata", "--format-version=1", "--no-deps"]), "ask cargo for its directories")?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)
        .map_err(|error| Error::failed("parse the output of cargo metadata", error))?;
    let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    progress::say(format_args!("building the operator"));
    let status = cargo()
        .args(["build", "--quiet", "--profile=quick", "--locked", "--bin=doce-operator", "--target", &target])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        // `cargo run` sets this for the launcher itself, and it must not affect this build.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdout(Stdio::null())
        .status()
        .attempt(|| "start cargo".to_owned())?;
    if !status.success() {
        return Err(Error::failed(
            "build the operator",
            format!("cargo ended with {status}; see its output above"),
        ));
    }
    progress::say(format_args!("  took {}", progress::seconds(began)));
    let directory = metadata["target_directory"].as_str().unwrap_or("target");
    Ok(Path::new(directory).join(target).join("quick/doce-operator"))
}
