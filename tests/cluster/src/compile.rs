//! Compiles a program of the project as one static file. cargo decides what there is to do.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use crate::{Attempt, Error, error::run, progress};

/// Path of the program `name`, which people call `what`.
pub(crate) fn compile(name: &str, what: &str) -> Result<PathBuf, Error> {
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
    progress::say(format_args!("building {what}"));
    let status = cargo()
        .args(["build", "--quiet", "--profile=quick", "--locked", "--package=doce-operator"])
        .args(["--bin", name, "--target", &target])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        // `cargo run` sets this for the launcher itself, and it must not affect this build.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdout(Stdio::null())
        .status()
        .attempt(|| "start cargo".to_owned())?;
    if !status.success() {
        return Err(Error::failed(
            format!("build {what}"),
            format!("cargo ended with {status}; see its output above"),
        ));
    }
    progress::say(format_args!("  took {}", progress::seconds(began)));
    let directory = metadata["target_directory"].as_str().unwrap_or("target");
    Ok(Path::new(directory).join(target).join("quick").join(name))
}
