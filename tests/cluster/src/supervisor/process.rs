//! One started process, told apart from any later one that got the same number.
//! It signals a process only through a descriptor that was checked to be that process.

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

/// How long the system may take to end a process that was killed; a machine may stand still for a while.
const KILLED_WITHIN: Duration = Duration::from_mins(5);

/// What must be known of a process to end it later from another launcher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The component.
    pub name: String,
    /// Its process and process group number.
    pub pid: u32,
    /// When it started, in clock ticks since boot: a number used again has another start.
    pub started: u64,
    /// The boot in which that was.
    pub boot: String,
}

/// A descriptor of a process: stays with it, whatever happens to its number.
#[derive(Debug)]
pub struct Handle(OwnedFd);

impl Process {
    /// The process with this number, as it is now.
    pub fn of(name: &str, pid: u32) -> Result<Self, Error> {
        let started = started(pid).attempt(|| format!("see when {name} (process {pid}) started"))?;
        Ok(Self { name: name.to_owned(), pid, started, boot: boot()? })
    }

    /// The process if it is still there.
    pub fn handle(&self) -> Result<Option<Handle>, Error> {
        if self.boot != boot()? {
            return Ok(None);
        }
        let fd = match pidfd_open(self.number()?, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(Errno::SRCH) => return Ok(None),
            Err(errno) => return Err(errno).attempt(|| format!("open {} (process {})", self.name, self.pid)),
        };
        // Only now is the number pinned, so only now does the start time prove anything.
        Ok(started(self.pid).is_ok_and(|started| started == self.started).then_some(Handle(fd)))
    }

    /// Asks the process and its group to end, and kills what is left of them after `within`.
    pub fn end(&self, handle: &Handle, within: Duration) -> Result<(), Error> {
        if handle.alive() {
            let _gone = pidfd_send_signal(&handle.0, Signal::TERM);
            handle.wait(within);
        }
        // The group's number cannot be taken by another process while a member lives; without members this fails with
        // "no such process", which is what is wanted.
        let group = self.number()?;
        if test_kill_process_group(group).is_ok() {
            let _gone = kill_process_group(group, Signal::KILL);
        }
        if handle.wait(KILLED_WITHIN) {
            return Ok(());
        }
        Err(Error::failed(format!("end {} (process {})", self.name, self.pid), "it survived being killed"))
    }

    fn number(&self) -> Result<Pid, Error> {
        i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or_else(|| {
            Error::failed(format!("find {}", self.name), format!("{} is no process number", self.pid))
        })
    }
}

impl Handle {
    /// Whether the process has not ended; one that nobody has collected counts as ended.
    #[must_use]
    pub fn alive(&self) -> bool {
        !self.wait(Duration::ZERO)
    }

    /// The descriptor, which becomes readable when the process ends.
    #[must_use]
    pub fn fd(&self) -> &OwnedFd {
        &self.0
    }

    /// Waits until the process has ended, at most `within`; says whether it has.
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

/// Reads a record of processes; none when there is no file.
pub fn read(path: &Path) -> Result<Vec<Process>, Error> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.attempt(|| format!("read {}", path.display()))?,
    };
    serde_json::from_slice(&text)
        .map_err(|error| Error::failed(format!("understand {}", path.display()), error))
}

/// Writes a record of processes so that a reader sees the old or the new one, never half of it.
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

/// Field 22 of a stat line. The second field is the program's name in parentheses and may itself hold blanks and more
/// parentheses, so the count starts behind the last one.
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
    fn a_programs_name_does_not_disturb_its_start_time() {
        let fields: Vec<String> = (3..=30).map(|field| field.to_string()).collect();
        let stat = format!("17 (a) (b c) {}", fields.join(" "));
        assert_eq!(start_time(&stat), Some(22));
        assert_eq!(start_time("17 nothing"), None);
    }

    #[test]
    fn a_number_used_again_is_another_process() {
        let ours = Process::of("test", std::process::id()).unwrap();
        assert!(ours.handle().unwrap().is_some_and(|handle| handle.alive()));
        let earlier = Process { started: ours.started - 1, ..ours.clone() };
        assert!(earlier.handle().unwrap().is_none());
        let before_boot = Process { boot: "another".to_owned(), ..ours };
        assert!(before_boot.handle().unwrap().is_none());
    }
}
