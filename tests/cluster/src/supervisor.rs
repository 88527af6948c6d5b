//! Starts the components of a cluster, waits until each is ready, and ends them in reverse order.
//! It knows no component by name; the caller decides the order.

pub mod process;

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{Attempt, Error, Paths, error::last_lines};
use process::{Handle, Process};

/// How many lines of a log an error shows.
const TAIL: usize = 20;
/// The pause between two checks of a condition that no file descriptor signals.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// How long a component may take to exit before it is killed.
const END_WITHIN: Duration = Duration::from_secs(10);

/// The processes of one cluster. Dropping this ends none of them, because the cluster outlives the launcher.
#[derive(Debug)]
pub struct Supervisor {
    paths: Paths,
    running: Vec<Running>,
    interrupted: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Running {
    process: Process,
    handle: Option<Handle>,
    child: Option<Child>,
}

impl Supervisor {
    /// Reads the processes recorded in the cluster's directory, including those of an earlier launcher.
    pub fn open(paths: &Paths, interrupted: Arc<AtomicBool>) -> Result<Self, Error> {
        let mut running = Vec::new();
        for process in process::read(&paths.processes())? {
            running.push(Running { handle: process.handle()?, process, child: None });
        }
        Ok(Self { paths: paths.clone(), running, interrupted })
    }

    /// Starts `command` in its own process group, records it, and waits until `ready` succeeds.
    /// Standard output and standard error go to the component's log. The error of `ready` says what is still missing.
    pub fn start(
        &mut self,
        name: &str,
        command: Command,
        within: Duration,
        ready: impl FnMut() -> Result<(), String>,
    ) -> Result<(), Error> {
        self.spawn(name, command)?;
        self.wait_ready(name, within, ready)
    }

    /// The first half of `start`, for components that start in parallel.
    pub fn spawn(&mut self, name: &str, mut command: Command) -> Result<(), Error> {
        let log = self.log(name)?;
        let copy = log.try_clone().attempt(|| format!("open the log of {name}"))?;
        // A group of its own, so that a Ctrl-C at the launcher does not reach it and its children end with it.
        command.process_group(0).stdin(Stdio::null()).stdout(log).stderr(copy);
        let child = command
            .spawn()
            .attempt(|| format!("start {name} ({})", command.get_program().to_string_lossy()))?;
        let process = Process::of(name, child.id())?;
        let handle = process.handle()?;
        self.running.push(Running { process, handle, child: Some(child) });
        self.record()
    }

    /// The second half of `start`.
    pub fn wait_ready(
        &self,
        name: &str,
        within: Duration,
        ready: impl FnMut() -> Result<(), String>,
    ) -> Result<(), Error> {
        self.wait_for(&format!("{name} to be ready"), Some(name), within, ready)
    }

    /// Waits for a condition while all components stay alive. The error of `check` says what is still missing.
    pub fn wait(
        &self,
        what: &str,
        within: Duration,
        check: impl FnMut() -> Result<(), String>,
    ) -> Result<(), Error> {
        self.wait_for(what, None, within, check)
    }

    fn wait_for(
        &self,
        what: &str,
        component: Option<&str>,
        within: Duration,
        mut check: impl FnMut() -> Result<(), String>,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + within;
        loop {
            self.all_alive()?;
            let Err(last) = check() else { return Ok(()) };
            if self.interrupted.load(Ordering::SeqCst) {
                return Err(Error::Interrupted { what: what.to_owned() });
            }
            if Instant::now() >= deadline {
                let tail = component.map(|name| {
                    format!("\nthe last lines of {}:\n{}", self.paths.log(name).display(), self.tail(name))
                });
                let tail = tail.unwrap_or_default();
                return Err(Error::Deadline { what: what.to_owned(), within, last, tail });
            }
            self.until_a_death_or(LOOK_AGAIN);
        }
    }

    /// Checks that every recorded component is alive. An error names the first dead one and has its last log lines.
    pub fn all_alive(&self) -> Result<(), Error> {
        match self.running.iter().find(|running| !running.alive()) {
            None => Ok(()),
            Some(dead) => Err(Error::Died {
                name: dead.process.name.clone(),
                log: self.paths.log(&dead.process.name),
                tail: self.tail(&dead.process.name),
            }),
        }
    }

    /// Whether any recorded component is alive.
    #[must_use]
    pub fn any_alive(&self) -> bool {
        self.running.iter().any(Running::alive)
    }

    /// Names of the recorded components, in start order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.running.iter().map(|running| running.process.name.as_str())
    }

    /// Ends the components of this name, with their children. Does nothing if there is none.
    pub fn stop(&mut self, name: &str) -> Result<(), Error> {
        while let Some(at) = self.running.iter().rposition(|running| running.process.name == name) {
            self.running[at].end(END_WITHIN)?;
            self.running.remove(at);
            self.record()?;
        }
        Ok(())
    }

    /// Ends every component, the newest first, and removes their records.
    pub fn stop_all(&mut self) -> Result<(), Error> {
        while let Some(last) = self.running.last_mut() {
            last.end(END_WITHIN)?;
            self.running.pop();
            self.record()?;
        }
        Ok(())
    }

    fn until_a_death_or(&self, timeout: Timespec) {
        let mut polled: Vec<PollFd<'_>> = self
            .running
            .iter()
            .filter_map(|running| running.handle.as_ref())
            .map(|handle| PollFd::new(handle.fd(), PollFlags::IN))
            .collect();
        // A signal ends the poll early. That is harmless: the caller checks its condition again.
        let _early = poll(&mut polled, Some(&timeout));
    }

    fn log(&self, name: &str) -> Result<File, Error> {
        fs::create_dir_all(self.paths.logs())
            .attempt(|| format!("create {}", self.paths.logs().display()))?;
        let path = self.paths.log(name);
        File::options().create(true).append(true).open(&path).attempt(|| format!("open {}", path.display()))
    }

    fn tail(&self, name: &str) -> String {
        let text = fs::read(self.paths.log(name)).unwrap_or_default();
        last_lines(&String::from_utf8_lossy(&text), TAIL)
    }

    fn record(&self) -> Result<(), Error> {
        let all: Vec<&Process> = self.running.iter().map(|running| &running.process).collect();
        process::write(&self.paths.processes(), &all)
    }
}

impl Running {
    fn alive(&self) -> bool {
        self.handle.as_ref().is_some_and(Handle::alive)
    }

    fn end(&mut self, within: Duration) -> Result<(), Error> {
        if let Some(handle) = &self.handle {
            self.process.end(handle, within)?;
        }
        if let Some(child) = &mut self.child {
            child.wait().attempt(|| format!("wait for the exit of {}", self.process.name))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
