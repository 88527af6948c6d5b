//! The progress and the report of a build. It runs no stage.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::notes::FRAMEWORK;
use super::{Build, Progress};
use crate::builder::buildkit::user::{self, User};
use crate::builder::buildkit::{Daemon, Settled};
use crate::builder::git::Commit;
use crate::builder::outcome::Failure;
use crate::builder::registry::Image;
use crate::protocol::order::{Order, Reference};
use crate::protocol::reason::FailureReason;
use crate::protocol::report::{Built, Failed, LAST_WORDS_SECONDS, Report, Stage};
use crate::text::cut_end;

impl Build {
    /// The report about an image in the repository that builds push to.
    pub(super) async fn built(
        &self,
        image: Image,
        key: &str,
        digest: &str,
        daemon: Option<&Daemon>,
    ) -> Built {
        let place = format!("{}@{}", self.order.repository, image.digest);
        let uid = self.uid(&image, &place, daemon).await;
        let Commit { subject, author, committed_at } = self.progress().commit;
        Built {
            uid,
            key: key.to_owned(),
            source: digest.to_owned(),
            message: subject,
            author,
            committed_at,
            framework: image.annotations.get(FRAMEWORK).cloned(),
            digest: image.digest,
            platform: image.platform,
            ports: image.ports,
            ..Built::default()
        }
    }

    /// The numeric user of an image. A name is looked up inside the image. The operator works without the number, so no
    /// failure here fails the build.
    pub(super) async fn uid(&self, image: &Image, place: &str, daemon: Option<&Daemon>) -> Option<i64> {
        let name = match user::parse(&image.user) {
            User::Number(number) => return Some(number),
            User::Name(name) => name,
        };
        let uid = if let Some(daemon) = daemon {
            daemon.look_up(&name, place, &self.workspace.directory).await
        } else {
            let daemon = self.daemon().await.ok()?;
            let uid = daemon.look_up(&name, place, &self.workspace.directory).await;
            daemon.end().await;
            uid
        };
        let found = uid.map_or_else(|| "not found in the image".to_owned(), |uid| uid.to_string());
        self.log.line(&format!("user {name:?} of the image: {found}"));
        uid
    }

    pub(super) async fn daemon(&self) -> Result<Daemon, Failure> {
        let work = self.workspace.directory.join("buildkit");
        if let Some(remote) = &self.order.remote {
            return Daemon::connect(remote, &self.workspace.logins()).await;
        }
        if let Some(builder) = &self.order.builder {
            return Daemon::join(builder, &work, &self.workspace.logins()).await;
        }
        Daemon::start(&Settled {
            work: &work,
            plain: &plain_registries(&self.order),
            mirror: self.order.mirror.as_deref(),
            ca: self.workspace.ca.as_deref(),
            profile: self.order.profile,
            logins: &self.workspace.logins(),
        })
        .await
    }

    /// Begins a stage in the log. Failures from here on belong to it.
    pub(super) fn enter(&self, stage: Stage, name: &'static str, text: &str) {
        self.change(|progress| progress.stage = Some(stage));
        self.log.stage(name, text);
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn stage(&self) -> Stage {
        self.progress().stage.unwrap_or(Stage::Resolve)
    }

    pub(super) fn timeout(&self, seconds: u64) -> Failure {
        let stage = self.stage();
        let message = format!(
            "the build did not finish within {seconds} s (spec.build.timeoutSeconds minus {LAST_WORDS_SECONDS} s for \
             this report); it was at stage {stage:?}. Make that stage faster, or raise spec.build.timeoutSeconds"
        );
        Failure::new(stage, FailureReason::BuildTimeout, message)
    }
}

/// The image tag of a build key.
pub(super) fn tag(key: &str) -> String {
    format!("k{}", key.get(..40).unwrap_or(key))
}

/// Registries that speak plain HTTP.
pub(super) fn plain_registries(order: &Order) -> Vec<String> {
    let pushed_to = order.repository.split('/').next().filter(|_| order.insecure);
    let own = order.token_registry.as_deref().filter(|_| order.token_registry_insecure);
    let all: BTreeSet<&str> = pushed_to.into_iter().chain(own).collect();
    all.into_iter().map(str::to_owned).collect()
}

/// A reference for messages.
pub(super) fn shown(reference: &Reference) -> String {
    match reference {
        Reference::Branch(name) => format!("branch {name}"),
        Reference::Tag(name) => format!("tag {name}"),
        Reference::Commit(commit) => format!("commit {commit}"),
        Reference::Default => "default branch".to_owned(),
    }
}

/// The report of a failure.
pub(super) fn failed(failure: &Failure, progress: Progress, log: String) -> Report {
    let Progress { source, key, commit, .. } = progress;
    let mut message = super::super::log::printable(&failure.message);
    let excess = message.len().saturating_sub(1500);
    cut_end(&mut message, excess);
    Report::Failed(Failed {
        stage: failure.stage,
        reason: failure.reason.to_string(),
        message,
        log,
        key,
        source,
        subject: commit.subject,
        author: commit.author,
        committed_at: commit.committed_at,
        log_reference: None,
    })
}
