//! The signals that end a program of a pod.

use tokio::signal::unix::{SignalKind, signal};

/// Completes when the kubelet, or a person at a terminal, ends the program.
pub(super) async fn requested() {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
        // Without handlers, the signals end the process as usual.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
