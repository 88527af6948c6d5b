//! The daemon in the builder pod of this build.

use std::path::Path;

use super::super::disk;
use super::super::outcome::Failure;
use super::super::tunnel::build_end::Tunnel;
use super::super::tunnel::builder_end::listen;
use super::{Daemon, Place, SOCKET};
use crate::protocol::builder_key::{BUILDER_KEY_ENV, BuilderKey, NEEDS_BUILDER_PORT};
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// The failure of a builder pod that cannot be used, with what to check.
pub(super) fn unavailable(address: &str, why: &str) -> Failure {
    if disk::is_full(why) {
        return disk::full(Stage::Build, "the daemon of the builder pod did not start");
    }
    let (pod, namespace) = names(address);
    let message = format!(
        "the builder pod {pod} in namespace {namespace} is not usable: {why}. Ask the platform owner to check: kubectl \
         describe job {pod} -n {namespace}"
    );
    Failure::new(Stage::Build, FailureReason::BuilderUnavailable, message)
}

/// The failure of a build whose builder pod went away. Only the platform owner sees why.
pub(super) fn lost(address: &str) -> Failure {
    let (pod, namespace) = names(address);
    let message = format!(
        "the builder pod {pod} in namespace {namespace} ended during the build, or its node did. Most often the build \
         needs more memory or disk than it may use: raise spec.build.resources.limits, or ask the platform owner about \
         build.resources of the chart and for the reason: kubectl get events -n {namespace}"
    );
    Failure::new(Stage::Build, FailureReason::BuilderLost, message)
}

/// Name and namespace of the builder pod at this address.
fn names(address: &str) -> (&str, &str) {
    let mut place = address.split(['.', ':']);
    (place.next().unwrap_or_default(), place.nth(1).unwrap_or_default())
}

impl Daemon {
    /// Waits until the daemon of the builder pod at `address` (`host:port`) answers. `work` is for a socket file.
    pub(in super::super) async fn join(address: &str, work: &Path, logins: &Path) -> Result<Self, Failure> {
        let key = std::env::var(BUILDER_KEY_ENV).ok().and_then(|text| BuilderKey::parse(&text));
        let Some(key) = key else {
            let message = format!("the build pod has no valid {BUILDER_KEY_ENV}");
            return Err(Failure::new(Stage::Build, FailureReason::InvalidOrder, message));
        };
        let failed =
            |error| Failure::workspace(Stage::Build, "the socket directory could not be created", &error);
        std::fs::create_dir_all(work).map_err(failed)?;
        let socket = work.join(SOCKET);
        // The open port makes the pod ready, which a build that seldom needs a builder uses to get one.
        let _needs_builder = listen(NEEDS_BUILDER_PORT).await;
        let opened = Tunnel::open(address, &key, &socket).await;
        let tunnel = opened.map_err(|why| unavailable(address, &why))?;
        Ok(Self {
            options: vec!["--addr".to_owned(), format!("unix://{}", socket.display())],
            logins: logins.to_owned(),
            place: Place::Builder(tunnel, address.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unusable_builder_pod_is_a_fault_that_names_it_and_its_namespace() {
        let failure = unavailable("builder-0a1b.doce-builders.doce-builds.svc:1234", "no answer");
        let said = "the builder pod builder-0a1b in namespace doce-builds is not usable: no answer. Ask the platform \
            owner to check: kubectl describe job builder-0a1b -n doce-builds";
        assert_eq!(failure.message, said);
        assert!(FailureReason::FAULTS.contains(&failure.reason));
    }
}
