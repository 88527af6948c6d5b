//! Starts the components of a cluster, waits until each is ready, and ends them in reverse.
//! It knows no component by name and decides no order: who calls it does.

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
/// Between two looks at a condition that no file descriptor announces.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// How long a component may take to end by itself before it is killed.
const END_WITHIN: Duration = Duration::from_secs(10);

/// The processes of one cluster. Dropping it ends nothing: the cluster outlives the launcher.
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
    /// The processes recorded in the cluster's directory, those of an earlier launcher included.
    pub fn open(paths: &Paths, interrupted: Arc<AtomicBool>) -> Result<Self, Error> {
        let mut running = Vec::new();
        for process in process::read(&paths.processes())? {
            running.push(Running { handle: process.handle()?, process, child: None });
        }
        Ok(Self { paths: paths.clone(), running, interrupted })
    }

    /// Starts `command` in its own process group, records it, and waits until `ready` has nothing more to ask for.
    /// Both outputs go to the component's log. `ready` says what is still missing.
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

    /// The first half of `start`, for components that come up side by side.
    pub fn spawn(&mut self, name: &str, mut command: Command) -> Result<(), Error> {
        let log = self.log(name)?;
        let copy = log.try_clone().attempt(|| format!("open the log of {name}"))?;
        // A group of its own: a Ctrl-C meant for the launcher must not reach it, and it is ended with all it started.
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

    /// Waits for a condition while every component stays alive. `check` says what is still missing.
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

    /// Every recorded component is alive, or an error names the first that is not and shows its last lines.
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

    /// Names of the recorded components, in the order of their start.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.running.iter().map(|running| running.process.name.as_str())
    }

    /// Ends one component and what it started; nothing happens when there is none of that name.
    pub fn stop(&mut self, name: &str) -> Result<(), Error> {
        while let Some(at) = self.running.iter().rposition(|running| running.process.name == name) {
            self.running[at].end(END_WITHIN)?;
            self.running.remove(at);
            self.record()?;
        }
        Ok(())
    }

    /// Ends every component, the youngest first, and forgets them.
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
        // A signal ends the poll early, which is as good as the end of the pause: the caller looks again.
        let _early = poll(&mut polled, Some(&timeout));
    }

    fn log(&self, name: &str) -> Result<File, Error> {
        fs::create_dir_all(self.paths.logs()).attempt(|| format!("make {}", self.paths.logs().display()))?;
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
            child.wait().attempt(|| format!("collect {}", self.process.name))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
