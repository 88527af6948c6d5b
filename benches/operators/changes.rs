//! Image changes and rollbacks, one at a time.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::crowd;
use super::figures::Figures;
use super::session::{PATIENCE, Session, image};

/// Number of projects. The image of each changes once and goes back once.
const PROJECTS: usize = 50;

pub(crate) async fn run(session: &mut Session<'_>) -> Figures {
    crowd::deploy(session, PROJECTS).await;
    session.quiet(Duration::from_secs(3)).await;
    let (old, new) = (image(1), image(2));
    let [mut changed, mut returned, mut ready]: [Vec<Duration>; 3] = Default::default();
    for name in (0..PROJECTS).map(crowd::name) {
        let (patched, served) = change(session, &name, &session.subject.change(&new), &new).await;
        changed.push(patched);
        ready.push(served);
    }
    session.quiet(Duration::from_secs(3)).await;
    for name in (0..PROJECTS).map(crowd::name) {
        returned.push(roll_back(session, &name, &old).await);
    }
    let mut figures = Figures::default();
    figures.times("image change: request → Deployment patched", changed);
    figures.times("image change: request → Ready seen", ready);
    figures.times("rollback: request → Deployment patched", returned);
    figures
}

/// Sets an image. Returns the times until the Deployment has it and until the project is Ready with it.
async fn change(session: &Session<'_>, name: &str, patch: &Value, image: &str) -> (Duration, Duration) {
    let effects = session.effects(name, image);
    let sent = Instant::now();
    session.patch(name, patch).await;
    let deadline = sent + PATIENCE;
    let patched = effects.deployment.by(deadline).await - sent;
    let ready = effects.ready.by(deadline).await - sent;
    effects.complete.by(deadline).await;
    (patched, ready)
}

/// Rolls back to an image. Returns the time until the Deployment has it. A rollback leaves the spec of a
/// `ProjectDeployment` as it is, so its end is the end of the rollout.
async fn roll_back(session: &Session<'_>, name: &str, image: &str) -> Duration {
    let effects = session.effects(name, image);
    let sent = Instant::now();
    session.patch(name, &session.subject.rollback(image)).await;
    let patched = effects.deployment.by(sent + PATIENCE).await - sent;
    effects.complete.by(sent + PATIENCE).await;
    patched
}
