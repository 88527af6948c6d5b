//! The stages of a build in their order, and what ends it early: its deadline or a signal. Each stage is its own
//! function; none is skipped silently.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::future::{Either, select};

use super::buildkit;
use super::credentials::{Credentials, Keyring, Token, Use};
use super::detect::Recipe;
use super::git::Commit;
use super::http::{Http, Rules};
use super::log::Log;
use super::outcome::{self, Failure};
use super::registry::{self, Registry};
use super::step_secrets::StepSecrets;
use super::termination;
use crate::protocol::order::{
    BUILD_SECRETS_DIR, CA_BUNDLE_ENV, Order, PUSH_SECRET_DIR, REMOTE_SECRET_DIR, SECRET_DIR, Source,
};
use crate::protocol::proxies::Proxies;
use crate::protocol::reason::FailureReason;
use crate::protocol::registry_token::TOKEN_DIR;
use crate::protocol::report::{Built, EXIT_FAULT, LAST_WORDS_SECONDS, Report, Stage};
use crate::version::build_key;

mod facts;
mod kept_log;
mod large_files;
mod notes;
mod origin;
mod replaced_cache;
mod stages;
mod submodules;
mod watched;
mod workspace;

use facts::{failed, plain_registries};
use origin::Origin;
use workspace::Workspace;

/// One running build.
struct Build {
    order: Order,
    log: Log,
    workspace: Workspace,
    registry: Registry,
    http: Http,
    /// Credentials for the source.
    credentials: Credentials,
    /// Credentials for pushing images.
    push: Credentials,
    /// Secrets that steps may mount.
    step_secrets: StepSecrets,
    progress: Mutex<Progress>,
}

/// Progress of a build: what the report of a failure says about the source.
#[derive(Clone, Debug, Default)]
struct Progress {
    stage: Option<Stage>,
    source: Option<String>,
    key: Option<String>,
    commit: Commit,
    /// Digest of the cache before the build.
    cache: Option<String>,
}

/// Runs the build; see [`super::run()`].
pub(super) async fn run() -> ExitCode {
    let started = Instant::now();
    let build = Build::from_environment(started);
    let report = match &build {
        Ok(build) => {
            let report = build.report(started).await;
            // Written before the log is pushed: a later failure cannot hide how the build ended.
            let _ = write(&report);
            let log = build.keep_log(&report).await;
            report.with_log(log)
        }
        Err(failure) => {
            Log::new(started).line(&format!("error: {failure}"));
            failed(failure, Progress::default(), String::new())
        }
    };
    let code = match write(&report) {
        Ok(()) => outcome::exit_code(&report),
        Err(error) => {
            Log::new(started).line(&format!("error: cannot write the report: {error}"));
            EXIT_FAULT
        }
    };
    if let Ok(build) = &build {
        build.forget_cache(&report).await; // The report is written; only the end of the Job waits for this.
    }
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn write(report: &Report) -> std::io::Result<()> {
    let path = std::env::var_os("DOCE_TERMINATION_LOG").unwrap_or_else(|| "/dev/termination-log".into());
    std::fs::write(&path, outcome::encode(report.clone()))
}

impl Build {
    fn from_environment(started: Instant) -> Result<Self, Failure> {
        let text = std::env::var("DOCE_ORDER").unwrap_or_default();
        let order: Order = serde_json::from_str(&text).map_err(|error| {
            let message = format!(
                "cannot read DOCE_ORDER: {error}; the operator and the build image must have the same version"
            );
            Failure::new(Stage::Resolve, FailureReason::InvalidOrder, message)
        })?;
        let extra = std::env::var(CA_BUNDLE_ENV).unwrap_or_default();
        let workspace = Workspace::prepare(super::working_directory(), &extra)?;
        let unusable = |error: &dyn std::fmt::Display| {
            Failure::workspace(Stage::Resolve, "the registry client could not be created", error)
        };
        let token = Token::read(order.token_registry.as_deref(), Path::new(TOKEN_DIR))?;
        let credentials = Credentials::read(Use::Source, order.secret.as_deref(), Path::new(SECRET_DIR))?;
        let credentials = credentials.with(token.clone());
        let push = Credentials::read(Use::Push, order.push_secret.as_deref(), Path::new(PUSH_SECRET_DIR))?;
        let push = push.with(token);
        let step_secrets =
            StepSecrets::read(&order.build_secrets, Path::new(BUILD_SECRETS_DIR), &workspace.step_secrets())?;
        if let Some(remote) = &order.remote {
            buildkit::remote::check(remote, Path::new(REMOTE_SECRET_DIR))?;
        }
        let keyring = keyring(&order.source, &credentials, &push)?;
        workspace.write_logins(&keyring, &order.repository)?;
        let proxies = Proxies::from_environment();
        let registry =
            Registry::new(plain_registries(&order), order.mirror.clone(), &extra, keyring, &proxies);
        let registry = registry.map_err(|error| unusable(&error))?;
        let rules = if order.public_source { Rules::public() } else { Rules::default() };
        let rules = rules.and(order.token_registry.as_deref());
        let http = Http::new(&extra, rules, proxies).map_err(|error| unusable(&error))?;
        let log =
            Log::hiding(started, &[credentials.secrets(), push.secrets(), step_secrets.hidden()].concat());
        let progress = Mutex::default();
        Ok(Self { order, log, workspace, registry, http, credentials, push, step_secrets, progress })
    }

    /// Runs the stages until they end, the deadline is near, or the pod must terminate.
    async fn report(&self, started: Instant) -> Report {
        let seconds = self.order.deadline_seconds.saturating_sub(LAST_WORDS_SECONDS).max(1);
        let deadline = tokio::time::Instant::from_std(started + Duration::from_secs(seconds));
        let result = tokio::select! {
            result = self.stages() => result,
            () = tokio::time::sleep_until(deadline) => Err(self.timeout(seconds)),
            () = termination::requested() => Err(Failure::new(self.stage(), FailureReason::Cancelled, "the build was cancelled")),
        };
        match result {
            Ok(mut built) => {
                built.message = built.message.map(|text| self.log.hide(&text));
                built.author = built.author.map(|text| self.log.hide(&text));
                let how = if built.reused { "already built, " } else { "" };
                self.log.end("done", &format!("{how}{}", built.digest));
                Report::Built(built)
            }
            Err(mut failure) => {
                failure.message = self.log.hide(&failure.message);
                // Taken first, so that the log in the report does not repeat its message.
                let tail = self.log.tail();
                self.log.line(&format!("error: {}: {failure}", failure.reason));
                self.log.end("failed", &format!("{} at {:?}", failure.reason, failure.stage));
                let mut progress = self.progress();
                progress.commit = progress.commit.shown(|text| self.log.hide(&text));
                failed(&failure, progress, tail)
            }
        }
    }

    async fn stages(&self) -> Result<Built, Failure> {
        if let Source::Image { reference } = &self.order.source {
            return self.prebuilt(reference).await;
        }
        let (digest, origin) = self.resolve().await?;
        let key = build_key(&digest, &self.order.settings);
        self.check_output().await?;
        self.change(|progress| progress.key = Some(key.clone()));
        if let Some(built) = self.ask(&key, &digest).await? {
            return Ok(built);
        }
        self.step_secrets.files()?;
        let mut daemon = pin!(self.daemon());
        let mut started = None;
        let source = pin!(self.source(&origin, &digest));
        let source = if self.order.remote.is_some() {
            source.await // Its daemon runs already, and may restart during a long fetch.
        } else {
            // The daemon needs a second to start. If both fail, the source is what the user can change.
            match select(source, daemon.as_mut()).await {
                Either::Left((source, _)) => source,
                Either::Right((daemon, source)) => {
                    started = Some(daemon);
                    source.await
                }
            }
        };
        let (context, recipe) = source?;
        self.enter(Stage::Build, "build", recipe.framework());
        let dockerfile = self.dockerfile(&context, &recipe)?;
        let daemon = match started {
            Some(daemon) => daemon?,
            None => daemon.await?,
        };
        let built = self.build(&daemon, &context, &recipe, dockerfile, (&key, &digest)).await;
        daemon.end().await;
        built
    }

    /// Fetches the source. Returns the directory to build and how to build it.
    async fn source(&self, origin: &Origin, digest: &str) -> Result<(PathBuf, Recipe), Failure> {
        let inner = self.fetch(origin, digest).await?;
        let context = self.verify().await?;
        let recipe = self.detect(&context)?;
        let context = self.context(&context, &recipe).to_owned();
        self.large_files(origin, &inner, &context).await?;
        Ok((context, recipe))
    }
}

/// The registry logins of the build. A prebuilt image is read with the Secret of its source, and nothing is pushed.
fn keyring(source: &Source, credentials: &Credentials, push: &Credentials) -> Result<Keyring, Failure> {
    let Source::Image { reference } = source else { return push.keyring() };
    let reference = registry::parse(reference).map_err(|error| error.of_source())?;
    credentials.keyring_at(reference.resolve_registry())
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod kept_log_tests;

#[cfg(test)]
mod large_file_tests;

#[cfg(test)]
mod proxy_tests;

#[cfg(test)]
mod source_tests;

#[cfg(test)]
mod submodule_tests;

#[cfg(test)]
mod watched_tests;
