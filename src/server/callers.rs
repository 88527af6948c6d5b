//! Whose token it is: the API server says so, asked with the token itself (`SelfSubjectReview`). Limits count by it, so a user
//! with ten tokens has one share. Answers are kept for some minutes. Nothing is kept of a token that is not accepted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::Api;
use kube::api::PostParams;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;

use super::caller::{Fingerprint, Token, User};
use super::door::Door;
use super::metrics::Metrics;
use super::problem::Problem;
use super::refusal::problem;

/// Time for which an answer counts. It decides no right: a token that has expired meanwhile only counts for its user.
const KEPT: Duration = Duration::from_mins(5);

/// Most tokens that are known. One has about 100 bytes.
const MOST: usize = 10_000;

/// Most tokens of one user that are known.
const MOST_OF_A_USER: usize = 100;

/// Most questions at once. Others wait.
const AT_ONCE: usize = 16;

/// Time for a place among them, and for the answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Knows users by their tokens.
pub(super) struct Callers {
    door: Door,
    metrics: Arc<Metrics>,
    known: Mutex<Known>,
    /// Requests with the same token wait for one answer.
    asking: Mutex<HashMap<Fingerprint, Weak<OnceCell<User>>>>,
    places: Semaphore,
}

/// The accepted tokens and their users.
#[derive(Default)]
struct Known(HashMap<Fingerprint, (Instant, User)>);

impl Known {
    fn get(&self, token: Fingerprint, now: Instant) -> Option<User> {
        self.0.get(&token).filter(|(until, _)| *until > now).map(|(_, user)| *user)
    }

    /// A token without room is not kept, so it forgets no other one.
    fn keep(&mut self, token: Fingerprint, user: User, now: Instant) {
        let has_room =
            |known: &HashMap<Fingerprint, (Instant, User)>| known.len() < MOST || known.contains_key(&token);
        if !has_room(&self.0) {
            self.0.retain(|_, (until, _)| *until > now);
        }
        let own = self.0.values().filter(|(_, of)| *of == user).count();
        if has_room(&self.0) && (own < MOST_OF_A_USER || self.0.contains_key(&token)) {
            self.0.insert(token, (now + KEPT, user));
        }
    }
}

/// Forgets a question once the last request that waits for its answer is gone.
struct Asking<'a> {
    callers: &'a Callers,
    token: Fingerprint,
    answer: Option<Arc<OnceCell<User>>>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut asking = locked(&self.callers.asking);
        self.answer = None;
        if asking.get(&self.token).is_some_and(|answer| answer.strong_count() == 0) {
            asking.remove(&self.token);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Callers {
    pub(super) fn new(door: Door, metrics: Arc<Metrics>) -> Self {
        Self {
            door,
            metrics,
            known: Mutex::default(),
            asking: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
        }
    }

    /// The user of a token. `may_ask` bounds the questions about tokens that are not known.
    pub(super) async fn user(
        &self,
        token: &Token,
        may_ask: impl FnOnce() -> Result<(), Problem>,
    ) -> Result<User, Problem> {
        let fingerprint = token.fingerprint();
        let known = locked(&self.known).get(fingerprint, Instant::now());
        if let Some(user) = known {
            return Ok(user);
        }
        may_ask()?;
        let answer = self.question(fingerprint);
        let asking = Asking { callers: self, token: fingerprint, answer: Some(answer.clone()) };
        let asked = answer.get_or_try_init(|| self.ask(token)).await.copied();
        drop(answer);
        drop(asking);
        let user = asked?;
        locked(&self.known).keep(fingerprint, user, Instant::now());
        Ok(user)
    }

    fn question(&self, token: Fingerprint) -> Arc<OnceCell<User>> {
        let mut asking = locked(&self.asking);
        if let Some(answer) = asking.get(&token).and_then(Weak::upgrade) {
            return answer;
        }
        let answer = Arc::default();
        asking.insert(token, Arc::downgrade(&answer));
        answer
    }

    async fn ask(&self, token: &Token) -> Result<User, Problem> {
        let late = || Problem::unavailable("the API server does not say whose token it is: try again");
        let _place = timeout(ANSWER, self.places.acquire()).await.map_err(|_| late())?;
        let reviews: Api<SelfSubjectReview> = Api::all(self.door.of(token));
        let (params, review) = (PostParams::default(), SelfSubjectReview::default());
        let asked = timeout(ANSWER, reviews.create(&params, &review)).await;
        let (answer, user) = match asked {
            Ok(Ok(review)) => {
                let user = review.status.and_then(|status| status.user_info).unwrap_or_default();
                let name = user.username.unwrap_or_default();
                ("known", Ok(User::named(&name, &user.uid.unwrap_or_default())))
            }
            // Some clusters do not say it. Then a token counts for itself.
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 403..=405) => {
                ("unnamed", Ok(User::of_token(token.fingerprint())))
            }
            Ok(Err(error)) => {
                let refused = problem(&error, false);
                (if refused.status == 401 { "refused" } else { "failed" }, Err(refused))
            }
            Err(_) => ("failed", Err(late())),
        };
        self.metrics.identified(answer);
        user
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn token(text: &str) -> Fingerprint {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {text}").parse().unwrap());
        Token::of(&headers).unwrap().fingerprint()
    }

    #[test]
    fn a_known_token_is_forgotten_after_its_time_and_never_for_others() {
        let (mut known, now) = (Known::default(), Instant::now());
        let user = |n: usize| User::named(&format!("u{n}"), "");
        known.keep(token("first"), user(0), now);
        for n in 0..MOST + 10 {
            known.keep(token(&n.to_string()), user(n), now);
        }
        assert_eq!(known.0.len(), MOST);
        assert!(known.get(token("first"), now) == Some(user(0)));
        let later = now + KEPT;
        assert!(known.get(token("first"), later).is_none());
        known.keep(token("late"), user(1), later);
        assert_eq!(known.0.len(), 1, "what is too old makes room");
    }

    #[test]
    fn the_tokens_of_one_user_leave_room_for_those_of_others() {
        let (mut known, now) = (Known::default(), Instant::now());
        for n in 0..MOST {
            known.keep(token(&n.to_string()), User::named("one", ""), now);
        }
        assert_eq!(known.0.len(), MOST_OF_A_USER);
        known.keep(token("other"), User::named("other", ""), now);
        assert!(known.get(token("other"), now).is_some());
    }
}
