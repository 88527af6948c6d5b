//! BuildKit: its daemon, in the same pod, in a builder pod or elsewhere, and solves through `buildctl`. It makes no
//! decision about a source.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use super::disk;
use super::log::{Log, each_line};
use super::oom_kills;
use super::outcome::Failure;
use super::program;
use super::registry::Advice;
use super::tunnel::build_end::Tunnel;
use crate::protocol::order::{Profile, Settings};
use crate::protocol::proxies::Proxies;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;
use failure::Ending;
use progress::Progress;

pub(super) use progress::Steps;

mod attributes;
mod failure;
pub(super) mod isolated;
mod progress;
pub(super) mod remote;
pub(super) mod user;

/// Name of the daemon's socket file.
pub(super) const SOCKET: &str = "buildkitd.sock";

const READY: Duration = Duration::from_mins(1);
/// Longest event of BuildKit that is read, in bytes.
const MAX_EVENT: usize = 8 << 20;

/// Where the daemon works and which registries it uses.
pub(super) struct Settled<'a> {
    /// Directory for its socket, configuration and log.
    pub(super) work: &'a Path,
    /// Registries that speak plain HTTP.
    pub(super) plain: &'a [String],
    /// Mirror for docker.io, plain HTTP.
    pub(super) mirror: Option<&'a str>,
    /// CA certificates to trust, as a file.
    pub(super) ca: Option<&'a Path>,
    /// Decides as which user it runs.
    pub(super) profile: Profile,
    /// Directory of the configuration with the registry logins.
    pub(super) logins: &'a Path,
}

/// A daemon that answers.
pub(super) struct Daemon {
    /// Options with which the client finds it.
    options: Vec<String>,
    logins: PathBuf,
    place: Place,
}

/// Where a daemon runs. One that runs only for this build ends when this value is dropped.
enum Place {
    /// In this pod.
    Here(Child),
    /// In the builder pod of this build, at this address.
    Builder(Tunnel, String),
    /// At this address, for many builds.
    Remote(String),
}

/// What to build from which files.
pub(super) struct Solve<'a> {
    pub(super) context: &'a Path,
    /// Directory of the Dockerfile, and its name there.
    pub(super) dockerfile: (&'a Path, &'a str),
    pub(super) settings: &'a Settings,
    /// Repository for the image and the cache.
    pub(super) repository: &'a str,
    pub(super) tag: &'a str,
    /// Whether the repository has the cache of an earlier build.
    pub(super) cached: bool,
    /// Annotations of the image's manifest.
    pub(super) annotations: &'a [(&'a str, String)],
    /// Labels of the image.
    pub(super) labels: &'a [(&'a str, String)],
    /// CA certificates for the steps that mount them, as a secret that no layer contains.
    pub(super) step_ca: Option<&'a Path>,
    /// Id and file of further secrets that the steps may mount.
    pub(super) secrets: &'a [(String, PathBuf)],
    /// The registry speaks plain HTTP. The configuration of a daemon elsewhere does not say so.
    pub(super) insecure: bool,
    /// Proxies for the steps.
    pub(super) proxies: &'a Proxies,
    /// Keeps cache mounts apart from those of other builds on the same daemon.
    pub(super) cache_namespace: Option<&'a str>,
    /// What to do when the registry rejects the image.
    pub(super) advice: &'a Advice,
    /// File that BuildKit writes its metadata to.
    pub(super) metadata: &'a Path,
}

impl Daemon {
    /// Starts the daemon and waits until it answers.
    pub(super) async fn start(settled: &Settled<'_>) -> Result<Self, Failure> {
        let file = |name: &str| settled.work.join(name);
        let failed =
            |error| Failure::workspace(Stage::Build, "the build daemon could not be configured", &error);
        std::fs::create_dir_all(settled.work).map_err(failed)?;
        let config = attributes::daemon_config(settled.plain, settled.mirror);
        std::fs::write(file("buildkitd.toml"), config).map_err(failed)?;
        let log = std::fs::File::create(file("buildkitd.log")).map_err(failed)?;
        let address = format!("unix://{}", file(SOCKET).display());

        let mut command = daemon(settled.profile);
        command.arg("--addr").arg(&address).arg("--config").arg(file("buildkitd.toml"));
        clean(&mut command, settled.ca);
        command.stdout(log.try_clone().map_err(failed)?).stderr(log);
        let process = program::start(&mut command).map_err(|error| unavailable(&error.to_string()))?;
        let options = vec!["--addr".to_owned(), address];
        let logins = settled.logins.to_owned();
        let mut daemon = Self { options, logins, place: Place::Here(process) };
        daemon.wait(&file("buildkitd.log")).await?;
        Ok(daemon)
    }

    async fn wait(&mut self, log: &Path) -> Result<(), Failure> {
        let last_output = || {
            let text = std::fs::read(log).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<&str> = text.lines().rev().take(3).collect();
            super::log::printable(&lines.into_iter().rev().collect::<Vec<_>>().join(" | "))
        };
        let started = Instant::now();
        let mut tick = tokio::time::interval(Duration::from_millis(150));
        loop {
            tick.tick().await;
            let mut command = self.buildctl();
            let answer = program::output(command.args(["debug", "workers"]), 64 << 10, READY).await;
            if answer.is_ok_and(|output| output.success) {
                return Ok(());
            }
            if let Place::Here(process) = &mut self.place
                && let Ok(Some(status)) = process.try_wait()
            {
                return Err(unavailable(&format!("it exited with {status}: {}", last_output())));
            }
            if started.elapsed() > READY {
                let why = format!("it did not answer within {} s: {}", READY.as_secs(), last_output());
                return Err(unavailable(&why));
            }
        }
    }

    /// Builds and pushes; returns the digest of the image's manifest. Calls `pushing` once the image is built.
    pub(super) async fn solve(
        &self,
        solve: &Solve<'_>,
        log: &Log,
        pushing: impl Fn(),
    ) -> Result<(String, Steps), Failure> {
        let mut command = self.buildctl();
        command.args(attributes::solve(solve));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let killed = self.kills().await;
        let mut progress = Progress::default();
        let ended = tokio::select! {
            ended = run(&mut command, &mut progress, log, pushing) => ended,
            () = self.lost() => Err("the connection broke".to_owned()),
        };
        if !ended.as_ref().is_ok_and(ExitStatus::success) {
            let killed = self.kills().await > killed;
            if let Place::Builder(tunnel, address) = &self.place
                && tunnel.is_lost()
            {
                return Err(isolated::lost(address));
            }
            ended.map_err(|error| self.unavailable(&error))?;
            let mut ending = ending(&progress, killed);
            // The file is in the source, so an ignore file excludes it from the build.
            let left_out = failure::missing(&ending).is_some_and(|file| solve.context.join(file).exists());
            ending.left_out = left_out;
            log.last_output(&ending.output);
            return Err(failure::classify(&ending, solve.advice));
        }
        let metadata = std::fs::read(solve.metadata).unwrap_or_default();
        let digest = attributes::digest(&metadata)
            .ok_or_else(|| self.unavailable("it reported no digest for the image that it pushed"))?;
        Ok((digest, progress.steps()))
    }

    fn buildctl(&self) -> Command {
        let mut command = Command::new("buildctl");
        command.args(&self.options);
        clean(&mut command, None);
        command.env("DOCKER_CONFIG", &self.logins);
        command
    }

    /// Programs that the kernel ended for memory so far, where the daemon runs.
    async fn kills(&self) -> u64 {
        match &self.place {
            Place::Here(_) => oom_kills::ended(),
            Place::Builder(tunnel, _) => tunnel.kills().await.unwrap_or(0),
            Place::Remote(_) => 0,
        }
    }

    /// Completes when the builder pod, or its node, is gone.
    async fn lost(&self) {
        match &self.place {
            Place::Builder(tunnel, _) => tunnel.lost().await,
            Place::Here(_) | Place::Remote(_) => std::future::pending().await,
        }
    }

    /// Completes when a daemon in this pod exits, and says how.
    pub(super) async fn exited(&mut self) -> String {
        match &mut self.place {
            Place::Here(process) => match process.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            Place::Builder(..) | Place::Remote(_) => std::future::pending().await,
        }
    }

    /// The build needs it no more.
    pub(super) async fn end(self) {
        if let Place::Builder(tunnel, _) = self.place {
            tunnel.end().await;
        }
    }

    fn unavailable(&self, why: &str) -> Failure {
        match &self.place {
            Place::Here(_) => unavailable(why),
            Place::Builder(_, address) => isolated::unavailable(address, why),
            Place::Remote(address) => remote::unavailable(address, why),
        }
    }
}

/// Runs BuildKit's client and logs its progress. Calls `pushing` once the image is built.
async fn run(
    command: &mut Command,
    progress: &mut Progress,
    log: &Log,
    pushing: impl Fn(),
) -> Result<ExitStatus, String> {
    let mut child = program::start(command).map_err(|error| error.to_string())?;
    if let Some(stderr) = child.stderr.take() {
        let mut pushed = false;
        each_line(stderr, MAX_EVENT, |line| {
            let lines = progress.take(line);
            if progress.is_pushing() && !pushed {
                pushed = true;
                log.note(progress.steps().to_string());
                pushing();
            }
            for line in &lines {
                log.line(line);
            }
        })
        .await;
        for line in progress.finish() {
            log.line(&line);
        }
        if !pushed {
            log.note(progress.steps().to_string());
        }
    }
    child.wait().await.map_err(|error| error.to_string())
}

/// Without root the daemon needs its own user namespace, in which a step cannot mount a process file system.
fn daemon(profile: Profile) -> Command {
    match profile {
        Profile::Isolated | Profile::Rootless => {
            let mut command = Command::new("rootlesskit");
            command.arg("buildkitd").arg("--oci-worker-no-process-sandbox");
            command
        }
        Profile::Userns | Profile::Privileged | Profile::Remote => Command::new("buildkitd"),
    }
}

/// Removes the variables of the build from the environment of a program and adds the certificates.
fn clean(command: &mut Command, ca: Option<&Path>) {
    let own =
        std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("DOCE_"));
    for name in own {
        command.env_remove(name);
    }
    command.envs(ca.map(|ca| ("SSL_CERT_FILE", ca)));
}

fn ending(progress: &Progress, out_of_memory: bool) -> Ending {
    let said = progress.said();
    let failed = progress.failed(failure::last(&said).unwrap_or_default());
    let (step, error, output) = failed.map_or((None, None, vec![]), |(step, error, output)| {
        (Some(step.to_owned()), Some(error.to_owned()), output)
    });
    Ending { said, step, error, output, out_of_memory, left_out: false }
}

fn unavailable(why: &str) -> Failure {
    if disk::is_full(why) {
        return disk::full(Stage::Build, "the build daemon did not start");
    }
    let message = format!("the build daemon is not usable: {why}; check that nodes allow user namespaces");
    Failure::new(Stage::Build, FailureReason::BuilderUnavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_daemon_grants_entitlements_to_steps() {
        for profile in [Profile::Isolated, Profile::Rootless, Profile::Userns, Profile::Privileged] {
            let command = daemon(profile);
            let arguments: Vec<_> =
                command.as_std().get_args().map(|argument| argument.to_string_lossy()).collect();
            assert!(arguments.iter().all(|argument| !argument.contains("entitlement")), "{arguments:?}");
        }
        let config = attributes::daemon_config(&["r:5000".to_owned()], Some("m:5001"));
        assert!(!config.contains("entitlement"), "{config}");
    }
}
