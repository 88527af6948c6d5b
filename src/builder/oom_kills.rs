//! Counts how often the kernel killed programs of this pod for exceeding its memory limit. It only reads counters.

/// The counters of the kernel, with control groups of version 2 and of version 1 (Linux, `admin-guide/cgroup-v2` and
/// `cgroup-v1/memory`): a line `oom_kill <number>`.
const COUNTERS: [&str; 2] = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];

/// Programs of this pod killed so far; 0 if there is no counter.
pub(super) fn ended() -> u64 {
    let texts = COUNTERS.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    texts.map(|text| kills(&text)).fold(0, u64::saturating_add)
}

fn kills(text: &str) -> u64 {
    let numbers = text.lines().filter_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
    numbers.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_of_both_cgroup_versions_are_read() {
        assert_eq!(kills("low 0\nhigh 0\nmax 31\noom 2\noom_kill 1\noom_group_kill 0\n"), 1);
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), 3);
        assert_eq!(kills("oom_kill_disable 1\nunder_oom 0\n"), 0);
    }
}
