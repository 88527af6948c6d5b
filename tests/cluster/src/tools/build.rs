//! Builds one pinned tool, so that the cache has all of it or nothing.
//! It runs only `go` and writes only into the cache.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use super::pinned::{Pinned, program};
use crate::{
    Attempt, Error,
    error::last_lines,
    progress::{say, seconds},
    supervisor::process::Process,
};

/// How often a build checks whether it was interrupted.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How long an interrupted build may take to exit before it is killed.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Builds `tool` in a temporary directory of the cache and renames that directory when everything is built.
pub(super) fn into_cache(tool: &Pinned, cache: &Path, interrupted: &AtomicBool) -> Result<(), Error> {
    fs::create_dir_all(cache).attempt(|| format!("create {}", cache.display()))?;
    let place = tool.dir(cache);
    let lock = cache.join("lock");
    let lock = File::create(&lock).attempt(|| format!("open {}", lock.display()))?;
    // One build at a time: parallel builds would only compete for memory and CPU.
    lock.lock().attempt(|| "wait for another build of the tools".to_owned())?;
    if place.is_dir() {
        return Ok(());
    }
    let names: Vec<&str> = tool.programs().collect();
    say(format_args!("building {} ({}), once", tool.name, names.join(", ")));
    let began = Instant::now();
    let work = place.with_extension("unfinished");
    if work.is_dir() {
        fs::remove_dir_all(&work).attempt(|| format!("remove {}", work.display()))?;
    }
    fs::create_dir_all(work.join("bin")).attempt(|| format!("create {}", work.display()))?;
    let main = tool.main.map(|text| ("main.go", text));
    for (name, text) in [("go.mod", tool.go_mod), ("go.sum", tool.go_sum)].into_iter().chain(main) {
        fs::write(work.join(name), text).attempt(|| format!("write {name} into {}", work.display()))?;
    }
    for package in tool.packages() {
        compile(tool, package, &work, interrupted)?;
    }
    fs::rename(&work, &place).attempt(|| format!("move the built {} to {}", tool.name, place.display()))?;
    say(format_args!("built {} in {}", tool.name, seconds(began)));
    Ok(())
}

fn compile(tool: &Pinned, package: &'static str, work: &Path, interrupted: &AtomicBool) -> Result<(), Error> {
    let attempt = || format!("build {} from {package}", program(package));
    let log = work.join("build.log");
    let output = File::create(&log).attempt(|| format!("write {}", log.display()))?;
    let copy = output.try_clone().attempt(|| format!("write {}", log.display()))?;
    let mut child = Command::new("go")
        .arg("build")
        .args(tool.flags())
        .arg("-o")
        .arg(work.join("bin").join(program(package)))
        .arg(if tool.main.is_some() { "." } else { package })
        .current_dir(work)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .env_remove("GOFLAGS")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(copy)
        .spawn()
        .attempt(|| format!("{} (is Go installed?)", attempt()))?;
    let process = Process::of("go build", child.id())?;
    if let Some(handle) = process.handle()? {
        while !handle.wait(LOOK_AGAIN) {
            if interrupted.load(Ordering::SeqCst) {
                process.end(&handle, END_WITHIN)?;
            }
        }
    }
    let status = child.wait().attempt(attempt)?;
    if interrupted.load(Ordering::SeqCst) {
        return Err(Error::Interrupted { what: format!("the build of {}", tool.name) });
    }
    if status.success() {
        return Ok(());
    }
    let output = last_lines(&fs::read_to_string(&log).unwrap_or_default(), 20);
    Err(Error::Command {
        attempt: attempt(),
        program: "go build".to_owned(),
        status: status.to_string(),
        output,
    })
}
