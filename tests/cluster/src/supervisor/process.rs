//! One started process, distinguished from any later process with the same PID.
//! It sends signals only through a descriptor that it has verified to be that process.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal, test_kill_process_group,
    },
};
use serde::{Deserialize, Serialize};

use crate::{Attempt, Error};

/// How long the kernel may take to end a killed process. Long, because a machine may pause.
const KILLED_WITHIN: Duration = Duration::from_mins(5);

/// What another launcher needs to know about a process to end it later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The component.
    pub name: String,
    /// The PID, which is also the process group ID.
    pub pid: u32,
    /// Start time in clock ticks since boot. A reused PID has a different start time.
    pub started: u64,
    /// ID of the boot in which it started.
    pub boot: String,
}

/// A descriptor of a process. It refers to that process even if its PID is reused.
#[derive(Debug)]
pub struct Handle(OwnedFd);

impl Process {
    /// The process that has this PID now.
    pub fn of(name: &str, pid: u32) -> Result<Self, Error> {
        let started = started(pid).attempt(|| format!("read the start time of {name} (process {pid})"))?;
        Ok(Self { name: name.to_owned(), pid, started, boot: boot()? })
    }

    /// A handle to the process; `None` if it is gone.
    pub fn handle(&self) -> Result<Option<Handle>, Error> {
        if self.boot != boot()? {
            return Ok(None);
        }
        let fd = match pidfd_open(self.number()?, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(Errno::SRCH) => return Ok(None),
            Err(errno) => return Err(errno).attempt(|| format!("open {} (process {})", self.name, self.pid)),
        };
        // The open descriptor keeps the PID from being reused, so the start time is compared only now.
        Ok(started(self.pid).is_ok_and(|started| started == self.started).then_some(Handle(fd)))
    }

    /// Sends SIGTERM to the process, waits at most `within`, and then kills what is left of its group.
    pub fn end(&self, handle: &Handle, within: Duration) -> Result<(), Error> {
        if handle.alive() {
            let _gone = pidfd_send_signal(&handle.0, Signal::TERM);
            handle.wait(within);
        }
        // No other process can get the ID of the group while a member lives. Without members this fails with "no such
        // process", which is fine.
        let group = self.number()?;
        if test_kill_process_group(group).is_ok() {
            let _gone = kill_process_group(group, Signal::KILL);
        }
        if handle.wait(KILLED_WITHIN) {
            return Ok(());
        }
        Err(Error::failed(
            format!("end {} (process {})", self.name, self.pid),
            "it is still alive after SIGKILL",
        ))
    }

    fn number(&self) -> Result<Pid, Error> {
        i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or_else(|| {
            Error::failed(format!("find {}", self.name), format!("{} is not a valid PID", self.pid))
        })
    }
}

impl Handle {
    /// Whether the process is running. A zombie counts as ended.
    #[must_use]
    pub fn alive(&self) -> bool {
        !self.wait(Duration::ZERO)
    }

    /// The descriptor, which becomes readable when the process ends.
    #[must_use]
    pub fn fd(&self) -> &OwnedFd {
        &self.0
    }

    /// Waits until the process has ended, at most `within`; returns whether it has.
    pub(crate) fn wait(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).ok();
            match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], timeout.as_ref()) {
                Ok(ready) if ready > 0 => return true,
                Err(Errno::INTR) if !left.is_zero() => {}
                _ if left.is_zero() => return false,
                _ => {}
            }
        }
    }
}

/// Reads a record of processes; it is empty if the file does not exist.
pub fn read(path: &Path) -> Result<Vec<Process>, Error> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.attempt(|| format!("read {}", path.display()))?,
    };
    serde_json::from_slice(&text).map_err(|error| Error::failed(format!("parse {}", path.display()), error))
}

/// Writes a record of processes atomically: a reader sees the old or the new one.
pub fn write(path: &Path, processes: &[&Process]) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(processes)
        .map_err(|error| Error::failed(format!("write {}", path.display()), error))?;
    let new = path.with_extension("new");
    fs::write(&new, text).attempt(|| format!("write {}", new.display()))?;
    fs::rename(&new, path).attempt(|| format!("write {}", path.display()))
}

fn started(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    start_time(&stat).ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat has no start time")))
}

/// Field 22 of a stat line. Field 2 is the program's name in parentheses and may itself contain spaces and parentheses,
/// so the count starts after the last one.
fn start_time(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn boot() -> Result<String, Error> {
    const PATH: &str = "/proc/sys/kernel/random/boot_id";
    Ok(fs::read_to_string(PATH).attempt(|| format!("read {PATH}"))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_parentheses_does_not_disturb_its_start_time() {
        let fields: Vec<String> = (3..=30).map(|field| field.to_string()).collect();
        let stat = format!("17 (a) (b c) {}", fields.join(" "));
        assert_eq!(start_time(&stat), Some(22));
        assert_eq!(start_time("17 nothing"), None);
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let ours = Process::of("test", std::process::id()).unwrap();
        assert!(ours.handle().unwrap().is_some_and(|handle| handle.alive()));
        let earlier = Process { started: ours.started - 1, ..ours.clone() };
        assert!(earlier.handle().unwrap().is_none());
        let before_boot = Process { boot: "another".to_owned(), ..ours };
        assert!(before_boot.handle().unwrap().is_none());
    }
}
