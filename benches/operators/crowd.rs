//! Many projects at once.

use std::time::{Duration, Instant};

use futures::StreamExt as _;

use super::session::{Session, image};

/// Requests of users that run at the same time.
const WORKERS: usize = 16;
/// Longest wait for all projects, and the additional time for each.
const PATIENCE: (Duration, Duration) = (Duration::from_mins(5), Duration::from_millis(500));

/// Times from the first request.
pub(crate) struct Times {
    /// Until every Deployment and Service was seen.
    pub(crate) exist: Duration,
    /// Until every project was Ready.
    pub(crate) ready: Duration,
}

/// The name of project `n` of a crowd.
pub(crate) fn name(n: usize) -> String {
    format!("app-{n:04}")
}

/// Creates `count` projects with the first image and waits until all of them are ready.
pub(crate) async fn deploy(session: &Session<'_>, count: usize) -> Times {
    let image = image(1);
    let effects: Vec<_> = (0..count).map(|n| session.effects(&name(n), &image)).collect();
    let begin = Instant::now();
    let create = async |n: usize| session.create(&name(n), &image).await;
    futures::stream::iter(0..count).map(create).buffer_unordered(WORKERS).collect::<()>().await;
    let deadline = begin + PATIENCE.0 + PATIENCE.1 * u32::try_from(count).unwrap();
    let (mut exist, mut ready) = (begin, begin);
    for effects in effects {
        exist = exist.max(effects.deployment.by(deadline).await).max(effects.service.by(deadline).await);
        ready = ready.max(effects.ready.by(deadline).await).max(effects.complete.by(deadline).await);
    }
    Times { exist: exist - begin, ready: ready - begin }
}
