//! How much one user may ask for: requests in a second, and open streams.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::caller::User;
use super::problem::Problem;

/// Requests of one address for each request of one user: callers behind a proxy share its address.
const CALLERS_OF_AN_ADDRESS: u32 = 10;

/// Callers that are remembered before those that have rested are forgotten.
const REMEMBERED: usize = 10_000;

struct Rate<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock>,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    fn new(per_second: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(per_second.saturating_mul(TWO));
        Self { limiter: RateLimiter::keyed(quota) }
    }

    fn take(&self, key: &K) -> Result<(), Problem> {
        if self.limiter.len() > REMEMBERED {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Problem::too_many(
                "you send too many requests: wait as long as Retry-After says",
                wait.as_secs() + 1,
            )
        })
    }
}

const TWO: NonZeroU32 = NonZeroU32::new(2).expect("2 is not 0");

/// Limits on requests and streams.
pub(super) struct Limits {
    addresses: Rate<IpAddr>,
    /// Requests with tokens that are not known yet, by address.
    unknown: Rate<IpAddr>,
    users: Rate<User>,
    streams: Arc<Mutex<Streams>>,
    most_streams: usize,
    most_streams_of_a_user: usize,
}

#[derive(Default)]
struct Streams {
    all: usize,
    of: HashMap<User, usize>,
}

/// The place of an open stream. Dropping it frees the place.
pub(super) struct Place {
    streams: Arc<Mutex<Streams>>,
    user: User,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.all -= 1;
        if let Some(count) = streams.of.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                streams.of.remove(&self.user);
            }
        }
    }
}

impl Limits {
    pub(super) fn new(per_second: NonZeroU32, most_streams: usize, most_streams_of_a_user: usize) -> Self {
        Self {
            addresses: Rate::new(
                per_second.saturating_mul(NonZeroU32::new(CALLERS_OF_AN_ADDRESS).unwrap_or(NonZeroU32::MIN)),
            ),
            unknown: Rate::new(per_second),
            users: Rate::new(per_second),
            streams: Arc::default(),
            most_streams,
            most_streams_of_a_user,
        }
    }

    /// A request from this address.
    pub(super) fn request_from(&self, address: IpAddr) -> Result<(), Problem> {
        self.addresses.take(&address)
    }

    /// A request from this address with a token that is not known yet. The API server is asked about it, so invented tokens must
    /// not be free.
    pub(super) fn unknown_token_from(&self, address: IpAddr) -> Result<(), Problem> {
        self.unknown.take(&address)
    }

    /// A request of this user.
    pub(super) fn request_of(&self, user: User) -> Result<(), Problem> {
        self.users.take(&user)
    }

    /// A stream of this user.
    pub(super) fn stream_of(&self, user: User) -> Result<Place, Problem> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.all >= self.most_streams {
            let detail =
                format!("the server has {} open streams and takes no more: try again later", streams.all);
            return Err(Problem::too_many(detail, 30));
        }
        let own = streams.of.get(&user).copied().unwrap_or(0);
        if own >= self.most_streams_of_a_user {
            let detail = format!(
                "you have {own} open streams, and no user may have more, with all tokens together: close one"
            );
            return Err(Problem::too_many(detail, 30));
        }
        streams.all += 1;
        *streams.of.entry(user).or_insert(0) += 1;
        drop(streams);
        Ok(Place { streams: self.streams.clone(), user })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> User {
        User::named(name, "")
    }

    fn limits() -> Limits {
        Limits::new(NonZeroU32::new(5).unwrap(), 3, 2)
    }

    #[test]
    fn a_caller_that_sends_too_much_is_told_when_to_come_back_and_others_are_not_affected() {
        let limits = limits();
        let answers: Vec<_> = (0..30).map(|_| limits.request_of(user("a"))).collect();
        assert!(answers[..10].iter().all(Result::is_ok), "a burst of two seconds");
        assert_eq!(answers[29].as_ref().unwrap_err().status, 429);
        assert!(limits.request_of(user("b")).is_ok());
    }

    #[test]
    fn the_streams_of_one_caller_and_of_all_are_limited_and_a_closed_one_frees_its_place() {
        let limits = limits();
        let first = limits.stream_of(user("a")).unwrap();
        let _second = limits.stream_of(user("a")).unwrap();
        assert!(limits.stream_of(user("a")).is_err_and(|problem| problem.detail.contains("you have 2")));
        let _third = limits.stream_of(user("b")).unwrap();
        assert!(
            limits.stream_of(user("c")).is_err_and(|problem| problem.detail.contains("the server has 3"))
        );
        drop(first);
        assert!(limits.stream_of(user("a")).is_ok());
    }
}
