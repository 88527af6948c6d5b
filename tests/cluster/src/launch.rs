//! `up` and `down`: which parts a cluster has, and in which order they start and stop.
//! It starts no process itself and knows no flag of any component.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use crate::{
    Attempt, ControlPlane, Error, Mode, Paths, Supervisor, Tools, control_plane, kwok, node, packages, probe,
    progress::{say, seconds},
    state::State,
};

/// Brings the cluster up. Idempotent: it returns a running cluster as it is. It first removes what an incomplete `up`
/// left behind.
pub fn up(paths: &Paths, mode: Mode, interrupted: &Arc<AtomicBool>) -> Result<State, Error> {
    let _lock = lock(paths)?;
    let began = Instant::now();
    if let Some(state) = running(paths, mode, interrupted)? {
        say(format_args!("the cluster in {} is already up ({mode})", paths.dir().display()));
        return Ok(state);
    }
    clear(paths, interrupted)?;
    if paths.logs().is_dir() {
        fs::remove_dir_all(paths.logs()).attempt(|| format!("remove {}", paths.logs().display()))?;
    }
    let tools = Tools::ensure(paths.cache(), Some(mode), interrupted)?;
    say(format_args!("starting a cluster ({mode}) in {}", paths.dir().display()));
    match start(paths, mode, &tools, interrupted) {
        Ok(state) => {
            say(format_args!("the cluster is up after {}", seconds(began)));
            Ok(state)
        }
        Err(error) => {
            // Return the first failure, and only print one of the cleanup.
            if let Err(second) = clear(paths, interrupted) {
                say(format_args!("could not take down what was started: {second}"));
            }
            Err(error)
        }
    }
}

/// Takes the cluster down, even an incomplete one. The logs stay until the next `up`. Returns whether there was a
/// cluster.
pub fn down(paths: &Paths, interrupted: &Arc<AtomicBool>) -> Result<bool, Error> {
    let _lock = lock(paths)?;
    clear(paths, interrupted)
}

/// The recorded state of a cluster that is up.
pub fn state(paths: &Paths) -> Result<State, Error> {
    State::read(paths)?.filter(|state| state.up).ok_or_else(|| {
        Error::failed(
            format!("use the cluster in {}", paths.dir().display()),
            "it is not running: start it with `up`",
        )
    })
}

fn start(paths: &Paths, mode: Mode, tools: &Tools, interrupted: &Arc<AtomicBool>) -> Result<State, Error> {
    packages::install(mode)?;
    let mut state = State::beginning(mode);
    state.write(paths)?;
    let mut supervisor = Supervisor::open(paths, Arc::clone(interrupted))?;
    let address = match mode {
        Mode::ControlPlane => Ipv4Addr::LOCALHOST,
        Mode::Node => {
            node::network::up(paths)?;
            node::network::ADDRESS
        }
    };
    let control_plane = ControlPlane::start(mode, IpAddr::V4(address), paths, tools, &mut supervisor)?;
    let extra = match mode {
        Mode::ControlPlane => {
            kwok::start(paths, tools, &mut supervisor, &control_plane).map(|()| BTreeMap::new())?
        }
        Mode::Node => node::start(paths, tools, &mut supervisor, &control_plane)?,
    };
    state.environment = environment(paths, mode, &control_plane);
    state.environment.extend(extra);
    state.programs = tools.dirs().iter().map(|dir| text(dir)).collect();
    state.up = true;
    state.write(paths)?;
    Ok(state)
}

fn environment(paths: &Paths, mode: Mode, control_plane: &ControlPlane) -> BTreeMap<String, String> {
    [
        ("KUBECONFIG", text(control_plane.kubeconfig())),
        ("DOCE_CLUSTER_DIR", text(paths.dir())),
        ("DOCE_CLUSTER_MODE", mode.to_string()),
        ("DOCE_AUDIT_LOG", text(&paths.audit_log())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The cluster, if it is up and healthy. An unhealthy one is an error, so that the user can inspect it first.
fn running(paths: &Paths, mode: Mode, interrupted: &Arc<AtomicBool>) -> Result<Option<State>, Error> {
    let supervisor = Supervisor::open(paths, Arc::clone(interrupted))?;
    let Some(state) = State::read(paths)?.filter(|state| state.up && supervisor.any_alive()) else {
        return Ok(None);
    };
    let attempt = || format!("bring up the cluster in {}", paths.dir().display());
    if state.mode != mode {
        return Err(Error::failed(attempt(), format!("it runs in mode {}: take it down first", state.mode)));
    }
    let broken = |why: &dyn std::fmt::Display| {
        Error::failed(attempt(), format!("it is unhealthy, take it down first: {why}"))
    };
    supervisor.all_alive().map_err(|error| broken(&error))?;
    let tools = Tools::ensure(paths.cache(), Some(mode), interrupted)?;
    let kubeconfig = state.environment.get("KUBECONFIG").map(PathBuf::from).unwrap_or_default();
    let mut kubectl = control_plane::kubectl(tools.path("kubectl")?, &kubeconfig);
    probe::succeeds(kubectl.args(["get", "--raw", "/readyz"])).map_err(|error| broken(&error))?;
    Ok(Some(state))
}

/// Ends the recorded processes and removes everything except the logs.
fn clear(paths: &Paths, interrupted: &Arc<AtomicBool>) -> Result<bool, Error> {
    let state = State::read(paths)?;
    let mut supervisor = Supervisor::open(paths, Arc::clone(interrupted))?;
    let there = state.is_some() || supervisor.any_alive();
    supervisor.stop_all()?;
    if state.is_some_and(|state| state.mode == Mode::Node) {
        node::stop(paths)?;
    }
    if paths.runtime().is_dir() {
        fs::remove_dir_all(paths.runtime()).attempt(|| format!("remove {}", paths.runtime().display()))?;
    }
    if paths.processes().is_file() {
        fs::remove_file(paths.processes()).attempt(|| format!("remove {}", paths.processes().display()))?;
    }
    State::forget(paths)?;
    Ok(there)
}

/// Only one launcher at a time may change a cluster. The kernel releases the lock when a launcher exits.
fn lock(paths: &Paths) -> Result<File, Error> {
    fs::create_dir_all(paths.dir()).attempt(|| format!("create {}", paths.dir().display()))?;
    let file = File::create(paths.lock()).attempt(|| format!("open {}", paths.lock().display()))?;
    file.lock().attempt(|| format!("lock {}", paths.lock().display()))?;
    Ok(file)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
