//! How long a command waits: one deadline for all the waits of a command.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::arguments::{Timeout, Waiting};

/// When a command stops waiting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    /// None: never.
    at: Option<Instant>,
    limit: Duration,
    /// The command does not wait for the effect.
    pub(super) no_wait: bool,
}

impl Deadline {
    /// The deadline of a command that begins now.
    pub(super) fn of(timeout: &Timeout) -> Self {
        let limit = timeout.timeout;
        // A limit beyond the end of the clock is none.
        let at = (!limit.is_zero()).then(|| Instant::now().checked_add(limit)).flatten();
        Self { at, limit, no_wait: false }
    }

    /// The deadline of a command that begins now and may be asked not to wait.
    pub(super) fn of_waiting(waiting: &Waiting) -> Self {
        Self { no_wait: waiting.no_wait, ..Self::of(&waiting.limit) }
    }

    /// Returns when it is over.
    pub(super) async fn over(self) {
        match self.at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// The limit as a person wrote it, in seconds.
    pub(super) fn seconds(self) -> u64 {
        self.limit.as_secs()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_waits_of_a_command_share_one_deadline() {
        let deadline = Deadline::of(&Timeout { timeout: Duration::from_secs(10) });
        for _ in 0..2 {
            tokio::time::advance(Duration::from_secs(4)).await;
            assert_eq!(deadline.over().now_or_never(), None);
        }
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(deadline.over().now_or_never(), Some(()));
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_and_a_limit_beyond_the_clock_are_never_over() {
        for timeout in [Duration::ZERO, Duration::from_secs(u64::MAX)] {
            let deadline = Deadline::of(&Timeout { timeout });
            tokio::time::advance(Duration::from_hours(100)).await;
            assert_eq!(deadline.over().now_or_never(), None);
        }
    }
}
