//! The program in a builder pod. It holds no secret of a project: what the steps of a build need comes from the build pod
//! with each request, and leaves with the pod.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::buildkit::{Daemon, SOCKET, Settled};
use super::certificates;
use super::log::Log;
use super::termination;
use super::tunnel::builder_end::{self, End, State};
use crate::protocol::builder_key::{
    BUILDER_KEY_ENV, BUILDER_PORT, BUILDER_SETTINGS_ENV, BuilderKey, BuilderSettings,
};
use crate::protocol::order::{CA_BUNDLE_ENV, Profile};

/// Time for the build pod to ask why the daemon ended.
const LAST_QUESTIONS: Duration = Duration::from_secs(10);

/// See [`super::serve`].
pub(super) async fn run() -> ExitCode {
    let log = Log::new(Instant::now());
    let why = match serve(&super::working_directory(), &log).await {
        Ok(End::Done) => {
            log.line("the build has ended");
            return ExitCode::SUCCESS;
        }
        Ok(End::Lost) => "the connection of the build pod broke".to_owned(),
        Ok(End::NoClient) => "the build pod did not connect".to_owned(),
        Err(why) => why,
    };
    log.line(&format!("error: {why}"));
    ExitCode::FAILURE
}

async fn serve(directory: &Path, log: &Log) -> Result<End, String> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let key = BuilderKey::parse(&variable(BUILDER_KEY_ENV));
    let key = key.ok_or_else(|| format!("{BUILDER_KEY_ENV} has no valid key"))?;
    let settings: BuilderSettings = serde_json::from_str(&variable(BUILDER_SETTINGS_ENV))
        .map_err(|error| format!("cannot read {BUILDER_SETTINGS_ENV}: {error}"))?;
    let work = directory.join("buildkit");
    std::fs::create_dir_all(&work).map_err(|error| format!("cannot create {}: {error}", work.display()))?;
    let ca = certificates::write(directory, &variable(CA_BUNDLE_ENV))
        .map_err(|error| format!("cannot write the CA certificates: {error}"))?;
    let listener = builder_end::listen(BUILDER_PORT)
        .await
        .map_err(|error| format!("cannot listen on port {BUILDER_PORT}: {error}"))?;
    let socket = work.join(SOCKET);
    let (state, seen) = watch::channel(State::Starts);
    let settled = Settled {
        work: &work,
        plain: &settings.plain_registries,
        mirror: settings.mirror.as_deref(),
        ca: ca.as_deref(),
        profile: Profile::Isolated,
        logins: &work, // Nothing: the build pod sends its logins with each request.
    };
    tokio::select! {
        end = builder_end::serve(listener, &key, seen, &socket) => {
            end.map_err(|error| format!("cannot use the key: {error}"))
        }
        why = daemon(&settled, &state, log) => Err(why),
        // Not a success: Kubernetes would forget why it ended the pod.
        () = termination::requested() => Err("the pod was ended before its build".to_owned()),
    }
}

/// Runs the daemon and returns why it ended. If it does not start, the build pod reads why from its connection, and ends it.
async fn daemon(settled: &Settled<'_>, state: &watch::Sender<State>, log: &Log) -> String {
    match Daemon::start(settled).await {
        Ok(mut daemon) => {
            log.line("the build daemon is ready");
            state.send_replace(State::Ready);
            let why = format!("the build daemon ended: {}", daemon.exited().await);
            log.line(&why);
            tokio::time::sleep(LAST_QUESTIONS).await;
            why
        }
        Err(failure) => {
            log.line(&format!("error: {failure}"));
            state.send_replace(State::Failed(failure.message));
            std::future::pending().await
        }
    }
}
