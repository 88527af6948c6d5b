//! `with`: runs one command with a cluster of its own and takes the cluster down when the command ends.
//! It keeps only the logs, and only if the command failed.

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

/// How many directories with logs of failed commands are kept.
const KEEP: usize = 5;

/// Runs `command` with a new cluster in its environment. Returns the exit code for the launcher: that of the command,
/// or 128 plus the number of the signal that ended it.
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
        return Err(Error::failed("run a command", "no command was given: write it after `--`"));
    };
    let attempt = || format!("run {}", program.to_string_lossy());
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).attempt(|| "listen for signals".to_owned())?;
    let mut command = Command::new(program);
    command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
    for name in env::vars_os().map(|(name, _)| name).filter(|name| of_our_own_package(name)) {
        command.env_remove(name);
    }
    // At a terminal the command stays in the foreground process group, so Ctrl-C reaches all of its processes. Without
    // a terminal it gets a group of its own, so that the launcher can pass a signal on to all of its processes.
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
            // An error means that it has just exited, which was the purpose of the signal.
            let _gone = if grouped { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
        }
    });
    let status = child.wait().attempt(attempt);
    listening.close();
    let _joined = passing_on.join();
    status
}

/// A variable in which `cargo run` describes the launcher's own package. If the command starts a cargo with it, that
/// cargo sees changed inputs of build scripts and compiles half of the dependencies again.
fn of_our_own_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Creates a directory that belongs to this launcher while the returned file is open. Takes down clusters whose
/// launcher has exited.
fn own_directory(
    clusters: &Path,
    cache: &Path,
    interrupted: &Arc<AtomicBool>,
) -> Result<(PathBuf, File), Error> {
    fs::create_dir_all(clusters).attempt(|| format!("create {}", clusters.display()))?;
    let lock = clusters.join("lock");
    let lock = File::create(&lock).attempt(|| format!("open {}", lock.display()))?;
    lock.lock().attempt(|| format!("lock {}", clusters.display()))?;
    for dir in directories(clusters, "with-")? {
        let owner = File::create(dir.join("owner")).attempt(|| format!("open {}/owner", dir.display()))?;
        if owner.try_lock().is_ok() {
            say(format_args!("removing {}: its launcher was killed", dir.display()));
            launch::down(&Paths::new(dir.clone(), cache.to_owned()), interrupted)?;
            fs::remove_dir_all(&dir).attempt(|| format!("remove {}", dir.display()))?;
        }
    }
    let dir = clusters.join(format!("with-{}", process::id()));
    fs::create_dir_all(&dir).attempt(|| format!("create {}", dir.display()))?;
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
    fn a_command_does_not_inherit_cargo_variables_of_the_launcher() {
        let of_ours = |name: &str| of_our_own_package(OsStr::new(name));
        assert!(of_ours("CARGO_PKG_NAME") && of_ours("CARGO_MANIFEST_DIR"));
        assert!(!of_ours("CARGO_TARGET_DIR") && !of_ours("CARGO") && !of_ours("PATH"));
    }

    #[test]
    fn the_launcher_returns_the_exit_code_of_the_command() {
        let run = |script: &str| {
            let command = ["sh", "-c", script].map(OsString::from);
            code(run(&command, &[("GREETING".to_owned(), "7".to_owned())]).unwrap())
        };
        assert_eq!(run("exit 0"), 0);
        assert_eq!(run("exit $GREETING"), 7);
        assert_eq!(run("kill -TERM $$"), 128 + 15);
    }
}
