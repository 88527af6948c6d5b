//! Who calls: the token of a request, and whose it is. The API server says so; the answer is kept for a while, so that
//! a push of many layers asks once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::access::Caller;
use crate::cluster::token_reviews::TokenReviews;
use crate::protocol::registry_token::AUDIENCE;

/// Longest token in bytes; those of Kubernetes have about 1,200.
const LONGEST: usize = 8 << 10;
/// How long an answer of the API server counts. A token that is bound to a pod ends with the pod, and only the API server
/// knows when that is. While the API server does not answer, an answer counts until the token expires.
const FRESH: Duration = Duration::from_mins(5);
/// A token counts as expired after this time at the latest.
const LONGEST_LIFE: Duration = Duration::from_hours(24);
/// How long the answer counts that a token is not valid.
const REFUSED: Duration = Duration::from_secs(30);
/// Answers that are kept.
const MOST: usize = 4096;
/// Reviews at the same time, of them for one address, and the longest wait for one.
const REVIEWS: usize = 8;
const REVIEWS_OF_ONE: usize = 2;
const PATIENCE: Duration = Duration::from_secs(10);
/// How user names of `ServiceAccount`s begin.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Whose token a request has, without the repositories that it may open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Caller(Caller),
    /// There is no token, or not in the form of HTTP Basic authentication.
    Missing,
    /// The API server does not accept the token for this registry.
    Invalid,
    /// The API server did not answer.
    Unavailable,
}

/// Recognizes callers.
pub(super) struct Callers {
    reviews: TokenReviews,
    /// `ServiceAccount`s with rights in the whole registry, `namespace:name`.
    nodes: String,
    sweep: String,
    kept: Mutex<HashMap<[u8; 32], Kept>>,
    places: Semaphore,
    of_address: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
}

/// An answer of the API server.
struct Kept {
    caller: Option<Caller>,
    /// When it is asked again.
    fresh: Instant,
    /// When the token expires.
    ends: Instant,
}

impl Callers {
    pub(super) fn new(reviews: TokenReviews, nodes: String, sweep: String) -> Self {
        let places = Semaphore::new(REVIEWS);
        Self { reviews, nodes, sweep, kept: Mutex::default(), places, of_address: Mutex::default() }
    }

    pub(super) async fn identify(&self, headers: &HeaderMap, peer: IpAddr) -> Known {
        let Some(token) = token(headers) else { return Known::Missing };
        let Some(lifetime) = lifetime(&token) else { return Known::Invalid };
        let sum: [u8; 32] = Sha256::digest(&token).into();
        if let Some(known) = self.fresh(&sum) {
            return known;
        }
        let review = async {
            let of_address = self.of_address(peer);
            let _turn = of_address.acquire().await.ok()?;
            let _place = self.places.acquire().await.ok()?;
            if let Some(known) = self.fresh(&sum) {
                return Some(known); // Another request of the same program has asked meanwhile.
            }
            match self.reviews.user(&token, AUDIENCE).await {
                Ok(user) => Some(self.keep(sum, user.and_then(|user| self.caller(&user)), lifetime)),
                Err(error) => {
                    tracing::warn!(error = crate::text::with_causes(&error), "cannot review a token");
                    None
                }
            }
        };
        let reviewed = tokio::time::timeout(PATIENCE, review).await.ok().flatten();
        reviewed.or_else(|| self.last(&sum)).unwrap_or(Known::Unavailable)
    }

    /// The places of one address. Those of addresses that ask nothing are forgotten.
    fn of_address(&self, peer: IpAddr) -> Arc<Semaphore> {
        let mut all = self.of_address.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, places| Arc::strong_count(places) > 1);
        all.entry(peer).or_insert_with(|| Arc::new(Semaphore::new(REVIEWS_OF_ONE))).clone()
    }

    /// An answer that still counts.
    fn fresh(&self, sum: &[u8; 32]) -> Option<Known> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.get(sum).filter(|kept| kept.fresh > Instant::now())?;
        Some(kept.caller.clone().map_or(Known::Invalid, Known::Caller))
    }

    /// The last answer about a token that has not expired, if it was accepted.
    fn last(&self, sum: &[u8; 32]) -> Option<Known> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(sum).filter(|kept| kept.ends > Instant::now())?.caller.clone().map(Known::Caller)
    }

    fn keep(&self, sum: [u8; 32], caller: Option<Caller>, lifetime: Duration) -> Known {
        let now = Instant::now();
        let (fresh, ends) = match caller {
            Some(_) => (now + FRESH.min(lifetime), now + lifetime.min(LONGEST_LIFE)),
            None => (now + REFUSED, now + REFUSED),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.retain(|_, kept| kept.ends > now);
        }
        if kept.len() >= MOST {
            // Everyone can make tokens that are not valid, so they go first.
            let first = kept.iter().min_by_key(|(_, kept)| (kept.caller.is_some(), kept.ends));
            if let Some(first) = first.map(|(sum, _)| *sum) {
                kept.remove(&first);
            }
        }
        let known = caller.clone().map_or(Known::Invalid, Known::Caller);
        kept.insert(sum, Kept { caller, fresh, ends });
        known
    }

    fn caller(&self, user: &str) -> Option<Caller> {
        let account = user.strip_prefix(SERVICE_ACCOUNT)?;
        if account == self.nodes {
            return Some(Caller::Node);
        }
        if account == self.sweep {
            return Some(Caller::Sweep);
        }
        let (namespace, name) = account.split_once(':')?;
        (!namespace.is_empty() && !name.is_empty()).then(|| Caller::Namespace(namespace.to_owned()))
    }
}

/// The password of a request; any user name goes with it.
fn token(headers: &HeaderMap) -> Option<String> {
    let (scheme, packed) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || packed.len() > 2 * LONGEST {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(packed.trim()).ok()?).ok()?;
    let (_, token) = pair.split_once(':')?;
    (!token.is_empty() && token.len() <= LONGEST).then(|| token.to_owned())
}

/// What a token says of itself. Nothing of it counts before the API server has accepted the token.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    aud: Vec<String>,
    exp: i64,
}

/// How long a token says that it is valid, if it says that it is for this registry: the API server need not be asked
/// about any other.
fn lifetime(token: &str) -> Option<Duration> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    let seconds = claims.exp.saturating_sub(jiff::Timestamp::now().as_second());
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0)?;
    claims.aud.iter().any(|audience| audience == AUDIENCE).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(header: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, header.parse().unwrap());
        token(&headers)
    }

    fn says(claims: &str) -> Option<Duration> {
        lifetime(&format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims)))
    }

    #[test]
    fn the_token_is_the_password_of_any_user() {
        let packed = STANDARD.encode("anyone:a.b:c");
        assert_eq!(asked(&format!("Basic {packed}")).as_deref(), Some("a.b:c"));
        assert_eq!(asked(&format!("basic {packed}")).as_deref(), Some("a.b:c"));
        let long = STANDARD.encode(format!("u:{}", "x".repeat(LONGEST + 1)));
        for header in [
            "Bearer a.b.c",
            "Basic",
            "Basic !!",
            "Basic dXNlcg==",
            "Basic dXNlcjo=",
            &format!("Basic {long}"),
        ] {
            assert_eq!(asked(header), None, "{header}");
        }
    }

    #[test]
    fn only_a_token_for_this_registry_that_has_not_expired_is_reviewed() {
        let soon = jiff::Timestamp::now().as_second() + 600;
        let left = says(&format!(r#"{{"aud":["doce-registry"],"exp":{soon}}}"#)).unwrap();
        assert!((590..=600).contains(&left.as_secs()), "{left:?}");
        for claims in [
            format!(r#"{{"aud":["https://kubernetes.default.svc"],"exp":{soon}}}"#),
            r#"{"aud":["doce-registry"],"exp":1000}"#.to_owned(),
            r#"{"aud":["doce-registry"]}"#.to_owned(),
            "[]".to_owned(),
        ] {
            assert_eq!(says(&claims), None, "{claims}");
        }
        assert_eq!(lifetime("no token"), None);
    }

    fn callers() -> Callers {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let reviews = TokenReviews::new(kube::Client::try_from(config).unwrap());
        Callers::new(reviews, "doce-system:nodes".to_owned(), "doce-system:sweep".to_owned())
    }

    #[tokio::test]
    async fn a_service_account_is_its_namespace_except_those_of_the_nodes_and_the_sweep() {
        let callers = callers();
        let tenant = |name: &str| Some(Caller::Namespace(name.to_owned()));
        assert_eq!(callers.caller("system:serviceaccount:shop:default"), tenant("shop"));
        assert_eq!(callers.caller("system:serviceaccount:doce-system:nodes"), Some(Caller::Node));
        assert_eq!(callers.caller("system:serviceaccount:doce-system:sweep"), Some(Caller::Sweep));
        assert_eq!(callers.caller("system:serviceaccount:doce-system:other"), tenant("doce-system"));
        assert_eq!(callers.caller("system:serviceaccount:evil:nodes"), tenant("evil"));
        for user in [
            "jane",
            "system:node:one",
            "system:serviceaccount:",
            "system:serviceaccount:x",
            "system:serviceaccount::x",
        ] {
            assert_eq!(callers.caller(user), None, "{user}");
        }
    }

    #[tokio::test]
    async fn invalid_tokens_never_push_out_a_caller() {
        let callers = callers();
        let sum = |number: usize| Sha256::digest(number.to_string()).into();
        callers.keep(sum(0), Some(Caller::Node), FRESH);
        for number in 1..=2 * MOST {
            callers.keep(sum(number), None, FRESH);
        }
        assert_eq!(callers.kept.lock().unwrap().len(), MOST);
        assert_eq!(callers.fresh(&sum(0)), Some(Known::Caller(Caller::Node)));
        assert_eq!(callers.fresh(&sum(2 * MOST)), Some(Known::Invalid));
    }
}
