//! Whether the caller of an open stream may still listen. The API server is asked each minute.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use super::caller::Token;
use super::event_stream::End;
use super::problem::Problem;
use super::rights::{Right, Rights};

/// Pause between two questions.
const ASK: Duration = Duration::from_mins(1);

/// Time for an answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Questions without an answer after which the stream ends.
const MOST_FAILED: u8 = 3;

/// Asks for the right of a stream.
pub(super) struct Still {
    token: Token,
    right: Right,
    rights: Arc<Rights>,
    asked: Interval,
    failed: u8,
}

impl Still {
    /// The first question is due in a minute.
    pub(super) fn new(token: Token, right: Right, rights: Arc<Rights>) -> Self {
        let mut asked = interval_at(Instant::now() + ASK, ASK);
        asked.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { token, right, rights, asked, failed: 0 }
    }

    /// Completes when a question is due.
    pub(super) async fn due(&mut self) {
        self.asked.tick().await;
    }

    /// Asks. Why the stream ends, if it does.
    pub(super) async fn lost(&mut self) -> Option<End> {
        let answer = timeout(ANSWER, self.rights.require(&self.token, self.right.clone())).await;
        let (failed, end) = judged(answer.ok().as_ref(), self.failed);
        self.failed = failed;
        end
    }
}

/// The questions in a row without an answer, and why the stream ends, if it does. One question without an answer takes no right
/// away.
fn judged(answer: Option<&Result<(), Problem>>, failed: u8) -> (u8, Option<End>) {
    match answer {
        Some(Ok(())) => (0, None),
        Some(Err(problem)) if matches!(problem.status, 401 | 403) => (0, Some(End::Forbidden)),
        _ => (failed + 1, (failed + 1 >= MOST_FAILED).then_some(End::Unanswered)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_ends_with_a_refusal_or_after_three_questions_without_an_answer() {
        let refused = Err(Problem::forbidden("watch", "projectdeployments.doce.dev", "shops", None));
        let fails = Err(Problem::unavailable("no answer"));
        let reason = |(_, end): (u8, Option<End>)| end.map(End::reason);
        assert_eq!(reason(judged(Some(&refused), 0)), Some("forbidden"));
        assert_eq!(reason(judged(Some(&Err(Problem::bad_token())), 0)), Some("forbidden"));
        assert_eq!(judged(Some(&fails), 0).0, 1);
        assert_eq!((reason(judged(None, 1)), judged(None, 1).0), (None, 2));
        assert_eq!(reason(judged(Some(&fails), 2)), Some("unanswered"));
        assert_eq!(judged(Some(&Ok(())), 2).0, 0, "an answer counts anew");
    }
}
