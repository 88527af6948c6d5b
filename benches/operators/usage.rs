//! CPU time and memory of a process, as `/proc` reports them.

use std::fs;

/// Clock ticks per second in `/proc/<pid>/stat`: a constant of Linux for programs in user space.
const TICKS: f64 = 100.0;

/// Memory of a process in KiB.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// Resident now (`VmRSS`).
    pub(crate) resident: u32,
    /// Of it, what is not the program's own text (`RssAnon`).
    pub(crate) anonymous: u32,
    /// Most that was ever resident (`VmHWM`).
    pub(crate) peak: u32,
}

/// Seconds that a process has used, in user space and in the kernel.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name, in parentheses, may contain spaces. The two times are fields 14 and 15, and field 3 follows the name.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u32>().unwrap());
    f64::from(ticks.sum::<u32>()) / TICKS
}

pub(crate) fn memory(pid: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim_end_matches("kB").trim().parse().unwrap()
    };
    Memory { resident: field("VmRSS"), anonymous: field("RssAnon"), peak: field("VmHWM") }
}
