//! The supervisor with real processes that start, exit and hang.

use super::*;

const SOON: Duration = Duration::from_mins(5);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn supervisor() -> (tempfile::TempDir, Paths, Supervisor) {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::new(dir.path().to_owned(), dir.path().join("cache"));
    let supervisor = Supervisor::open(&paths, Arc::default()).unwrap();
    (dir, paths, supervisor)
}

#[test]
fn a_component_that_exits_is_reported_with_its_last_lines() {
    let (_dir, _paths, mut supervisor) = supervisor();
    let never = || Err("it never becomes ready".to_owned());
    let error = supervisor.start("etcd", shell("echo no space >&2; exit 3"), SOON, never).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("etcd exited unexpectedly"), "{text}");
    assert!(text.ends_with("no space"), "{text}");
}

#[test]
fn a_component_that_is_not_ready_in_time_is_reported_with_what_is_missing() {
    let (_dir, _paths, mut supervisor) = supervisor();
    let never = || Err("port 1 is closed".to_owned());
    let error = supervisor.start("etcd", shell("exec sleep 600"), Duration::ZERO, never).unwrap_err();
    assert!(error.to_string().contains("waiting for etcd to be ready: port 1 is closed"), "{error}");
    supervisor.stop_all().unwrap();
}

#[test]
fn another_launcher_ends_a_component_and_its_children() {
    let (dir, paths, mut first) = supervisor();
    let child = dir.path().join("child");
    // The shell ignores SIGTERM, so it and its child have to be killed.
    let script =
        format!("trap '' TERM; sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait; wait", child.display());
    let ready = || fs::metadata(&child).map(drop).map_err(|error| error.to_string());
    first.start("kubelet", shell(&script), SOON, ready).unwrap();
    let pid: u32 = fs::read_to_string(&child).unwrap().trim().parse().unwrap();
    let child = Process::of("sleep", pid).unwrap().handle().unwrap().unwrap();

    let mut second = Supervisor::open(&paths, Arc::default()).unwrap();
    assert_eq!(second.names().collect::<Vec<_>>(), ["kubelet"]);
    assert!(second.any_alive());
    second.running[0].end(Duration::ZERO).unwrap();
    assert!(!second.any_alive());
    assert!(child.wait(SOON), "the child of the component is still alive");
}

#[test]
fn a_signal_ends_a_wait() {
    let (_dir, _paths, supervisor) = supervisor();
    supervisor.interrupted.store(true, Ordering::SeqCst);
    let error = supervisor.wait("rain", SOON, || Err("it is dry".to_owned())).unwrap_err();
    assert_eq!(error.to_string(), "interrupted while waiting for rain");
}
