//! Removes what outlives containerd and kubelet: containers, their shims, mounts and control groups.
//! It ends only processes in the node's own control groups and shims of its own containerd.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    mount::{UnmountFlags, unmount},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use crate::{Attempt, Error};

/// The control group of each hierarchy below which the kubelet puts all pods.
const GROUP: &str = "kubepods";
const HIERARCHIES: &str = "/sys/fs/cgroup";
/// How long to wait until killed processes are gone. Long, because a machine may pause.
const WITHIN: Duration = Duration::from_mins(5);

/// The existing control groups of pods; empty before a kubelet has run.
pub(super) fn groups() -> Vec<PathBuf> {
    let hierarchies = fs::read_dir(HIERARCHIES).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut roots: Vec<PathBuf> = hierarchies.filter(|path| path.is_dir() && !path.is_symlink()).collect();
    // With cgroup v2 there is one hierarchy, and its root is the directory itself.
    roots.push(PathBuf::from(HIERARCHIES));
    roots.into_iter().map(|root| root.join(GROUP)).filter(|group| group.is_dir()).collect()
}

/// Kills every container and every shim of the containerd that listens on `socket`.
pub(super) fn kill(socket: &Path) -> Result<(), Error> {
    let deadline = Instant::now() + WITHIN;
    loop {
        let mut left = shims(socket)?;
        left.extend(members(&groups())?);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Error::failed(
                "end the containers",
                format!("processes {left:?} are still alive after SIGKILL"),
            ));
        }
        for pid in left {
            kill_and_wait(pid)?;
        }
    }
}

/// Unmounts every mount below `dir`, the newest first.
pub(super) fn unmount_below(dir: &Path) -> Result<(), Error> {
    const TABLE: &str = "/proc/self/mountinfo";
    let table = fs::read_to_string(TABLE).attempt(|| format!("read {TABLE}"))?;
    let points = table.lines().filter_map(mount_point).filter(|point| point.starts_with(dir));
    for point in points.collect::<Vec<_>>().into_iter().rev() {
        match unmount(&point, UnmountFlags::DETACH) {
            // Already gone, together with the mount that contained it.
            Err(Errno::INVAL | Errno::NOENT) | Ok(()) => {}
            Err(errno) => return Err(errno).attempt(|| format!("unmount {}", point.display())),
        }
    }
    Ok(())
}

/// Removes the control groups of pods, which must have no processes.
pub(super) fn remove_groups() -> Result<(), Error> {
    groups().iter().try_for_each(|group| remove_group(group))
}

fn remove_group(group: &Path) -> Result<(), Error> {
    for inner in directories(group)? {
        remove_group(&inner)?;
    }
    fs::remove_dir(group).attempt(|| format!("remove the control group {}", group.display()))
}

fn members(groups: &[PathBuf]) -> Result<Vec<i32>, Error> {
    let mut found = Vec::new();
    for group in groups {
        let list = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        found.extend(list.lines().filter_map(|line| line.parse::<i32>().ok()));
        found.extend(members(&directories(group)?)?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn directories(group: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.attempt(|| format!("list {}", group.display()))?,
    };
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

fn shims(socket: &Path) -> Result<Vec<i32>, Error> {
    let processes = fs::read_dir("/proc").attempt(|| "list /proc".to_owned())?.flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    Ok(numbers
        .filter(|pid| is_shim(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default(), socket))
        .collect())
}

fn is_shim(command_line: &[u8], socket: &Path) -> bool {
    let words: Vec<&[u8]> = command_line.split(|byte| *byte == 0).collect();
    let socket = socket.as_os_str().as_encoded_bytes();
    words.first().is_some_and(|program| {
        Path::new(&text(program)).file_name() == Some("containerd-shim-runc-v2".as_ref())
    }) && words.windows(2).any(|pair| pair[0] == b"-address" && pair[1] == socket)
}

fn kill_and_wait(pid: i32) -> Result<(), Error> {
    let attempt = || format!("kill process {pid} of a container");
    let Some(number) = Pid::from_raw(pid) else { return Ok(()) };
    let process = match pidfd_open(number, PidfdFlags::empty()) {
        // SRCH: it has ended meanwhile. INVAL: it has ended, and only a remainder of its last thread is listed.
        Err(Errno::SRCH | Errno::INVAL) => return Ok(()),
        other => other.attempt(attempt)?,
    };
    match pidfd_send_signal(&process, Signal::KILL) {
        Err(Errno::SRCH) | Ok(()) => {}
        Err(errno) => return Err(errno).attempt(attempt),
    }
    let second = Timespec { tv_sec: 1, tv_nsec: 0 };
    poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&second)).map(drop).attempt(attempt)
}

/// The fifth field of a line of the mount table. The kernel escapes spaces as `\040`.
fn mount_point(line: &str) -> Option<PathBuf> {
    let field = line.split(' ').nth(4)?.as_bytes();
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [byte, after @ ..] = rest {
        let code =
            (*byte == b'\\' && after.len() >= 3).then(|| std::str::from_utf8(&after[..3]).ok()).flatten();
        if let Some(code) = code.and_then(|code| u8::from_str_radix(code, 8).ok()) {
            path.push(code);
            rest = &after[3..];
        } else {
            path.push(*byte);
            rest = after;
        }
    }
    Some(PathBuf::from(OsString::from_vec(path)))
}

fn text(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_mount_points_are_decoded() {
        let line = r"36 35 98:0 /root /mnt/with\040blank rw,noatime shared:1 - ext3 /dev/root rw";
        assert_eq!(mount_point(line), Some(PathBuf::from("/mnt/with blank")));
        assert_eq!(mount_point("36 35"), None);
    }

    #[test]
    fn shims_of_another_containerd_are_left_alone() {
        let line = b"/usr/bin/containerd-shim-runc-v2\0-namespace\0k8s.io\0-address\0/c/containerd.sock\0";
        assert!(is_shim(line, Path::new("/c/containerd.sock")));
        assert!(!is_shim(line, Path::new("/run/containerd/containerd.sock")));
        assert!(!is_shim(b"sh\0-address\0/c/containerd.sock\0", Path::new("/c/containerd.sock")));
    }
}
