//! `with`: a cluster of its own for one command, gone when the command is.
//! It leaves nothing but the logs, and those only of a command that failed.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::IsTerminal,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{self, Command, ExitStatus},
    sync::{Arc, atomic::AtomicBool},
    thread,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{Attempt, Error, Mode, Paths, launch, progress::say};

/// So many logs of failed commands are kept.
const KEEP: usize = 5;

/// Runs `command` with a new cluster in its environment and returns the exit code to end with: the command's, or 128
/// and the number of the signal that ended it.
pub fn with(
    mode: Mode,
    command: &[OsString],
    cache: &Path,
    interrupted: &Arc<AtomicBool>,
) -> Result<u8, Error> {
    let clusters = cache.join("clusters");
    let (dir, _owned) = own_directory(&clusters, cache, interrupted)?;
    let paths = Paths::new(dir, cache.to_owned());
    let outcome = launch::up(&paths, mode, interrupted).and_then(|state| {
        let path = env::var("PATH").unwrap_or_default();
        run(command, &state.variables(&path).into_iter().collect::<Vec<_>>())
    });
    launch::down(&paths, interrupted)?;
    if outcome.as_ref().is_ok_and(ExitStatus::success) {
        fs::remove_dir_all(paths.dir()).attempt(|| format!("remove {}", paths.dir().display()))?;
    } else {
        let kept = keep_logs(&paths, &clusters)?;
        say(format_args!("the logs of the cluster are in {}", kept.display()));
    }
    outcome.map(code)
}

fn run(command: &[OsString], variables: &[(String, String)]) -> Result<ExitStatus, Error> {
    let [program, arguments @ ..] = command else {
        return Err(Error::failed("run a command", "none is given: write it behind `--`"));
    };
    let attempt = || format!("run {}", program.to_string_lossy());
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).attempt(|| "listen for signals".to_owned())?;
    let mut command = Command::new(program);
    command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
    for name in env::vars_os().map(|(name, _)| name).filter(|name| of_our_own_package(name)) {
        command.env_remove(name);
    }
    // At a terminal the command stays in the foreground with us and Ctrl-C reaches all of it. Without one, it gets a
    // group of its own, so that a signal sent to us can be passed on to all that it has started.
    let grouped = !std::io::stdin().is_terminal();
    if grouped {
        command.process_group(0);
    }
    let mut child = command.spawn().attempt(attempt)?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let listening = signals.handle();
    let passing_on = thread::spawn(move || {
        for signal in signals.forever() {
            let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) else { continue };
            // It may just have ended, which is what the signal wanted.
            let _gone = if grouped { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
        }
    });
    let status = child.wait().attempt(attempt);
    listening.close();
    let _joined = passing_on.join();
    status
}

/// What `cargo run` says of the launcher's own package. A cargo that the command starts would take it for a change of
/// what its build scripts were made with, and compile half of the dependencies again.
fn of_our_own_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// A new directory that is ours as long as the returned file is open. Clusters whose owner is gone are taken down.
fn own_directory(
    clusters: &Path,
    cache: &Path,
    interrupted: &Arc<AtomicBool>,
) -> Result<(PathBuf, File), Error> {
    fs::create_dir_all(clusters).attempt(|| format!("make {}", clusters.display()))?;
    let lock = clusters.join("lock");
    let lock = File::create(&lock).attempt(|| format!("open {}", lock.display()))?;
    lock.lock().attempt(|| format!("lock {}", clusters.display()))?;
    for dir in directories(clusters, "with-")? {
        let owner = File::create(dir.join("owner")).attempt(|| format!("open {}/owner", dir.display()))?;
        if owner.try_lock().is_ok() {
            say(format_args!("clearing {}, whose launcher was killed", dir.display()));
            launch::down(&Paths::new(dir.clone(), cache.to_owned()), interrupted)?;
            fs::remove_dir_all(&dir).attempt(|| format!("remove {}", dir.display()))?;
        }
    }
    let dir = clusters.join(format!("with-{}", process::id()));
    fs::create_dir_all(&dir).attempt(|| format!("make {}", dir.display()))?;
    let owner = File::create(dir.join("owner")).attempt(|| format!("open {}/owner", dir.display()))?;
    owner.lock().attempt(|| format!("lock {}", dir.display()))?;
    Ok((dir, owner))
}

fn keep_logs(paths: &Paths, clusters: &Path) -> Result<PathBuf, Error> {
    let kept = clusters.join(format!("failed-{}", process::id()));
    if kept.is_dir() {
        fs::remove_dir_all(&kept).attempt(|| format!("remove {}", kept.display()))?;
    }
    fs::rename(paths.dir(), &kept)
        .attempt(|| format!("move {} to {}", paths.dir().display(), kept.display()))?;
    let mut all = directories(clusters, "failed-")?;
    all.sort_by_key(|dir| fs::metadata(dir).and_then(|data| data.modified()).ok());
    for old in all.iter().rev().skip(KEEP) {
        fs::remove_dir_all(old).attempt(|| format!("remove {}", old.display()))?;
    }
    Ok(kept.join("logs"))
}

fn directories(parent: &Path, prefix: &str) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(parent).attempt(|| format!("list {}", parent.display()))?;
    Ok(entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cargo_in_the_command_hears_nothing_of_our_package() {
        let of_ours = |name: &str| of_our_own_package(OsStr::new(name));
        assert!(of_ours("CARGO_PKG_NAME") && of_ours("CARGO_MANIFEST_DIR"));
        assert!(!of_ours("CARGO_TARGET_DIR") && !of_ours("CARGO") && !of_ours("PATH"));
    }

    #[test]
    fn the_exit_code_is_the_commands() {
        let run = |script: &str| {
            let command = ["sh", "-c", script].map(OsString::from);
            code(run(&command, &[("GREETING".to_owned(), "7".to_owned())]).unwrap())
        };
        assert_eq!(run("exit 0"), 0);
        assert_eq!(run("exit $GREETING"), 7);
        assert_eq!(run("kill -TERM $$"), 128 + 15);
    }
}
