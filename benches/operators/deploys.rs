//! First deploys, one at a time.

use std::time::{Duration, Instant};

use super::figures::Figures;
use super::session::{PATIENCE, Session, image};

/// Number of projects.
const DEPLOYS: usize = 50;

pub(crate) async fn run(session: &Session<'_>) -> Figures {
    let [mut deployment, mut service, mut ready]: [Vec<Duration>; 3] = Default::default();
    for n in 0..DEPLOYS {
        let (name, image) = (format!("app-{n:02}"), image(1));
        let effects = session.effects(&name, &image);
        let sent = Instant::now();
        session.create(&name, &image).await;
        let deadline = sent + PATIENCE;
        deployment.push(effects.deployment.by(deadline).await - sent);
        service.push(effects.service.by(deadline).await - sent);
        ready.push(effects.ready.by(deadline).await - sent);
        effects.complete.by(deadline).await;
    }
    let mut figures = Figures::default();
    figures.times("first request → Deployment seen", deployment);
    figures.times("first request → Service seen", service);
    figures.times("first request → Ready seen", ready);
    figures
}
