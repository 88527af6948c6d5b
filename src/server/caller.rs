//! Who calls: the bearer token of a request, its fingerprint, and its user. Pure. The token itself is in no log, no key and no
//! error.

use std::fmt;

use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};

use super::problem::Problem;

/// Longest accepted token, in bytes. Tokens of Kubernetes have about 1 KiB, those of some identity providers up to 8 KiB.
const MAX_TOKEN: usize = 16 << 10;

/// Hash of a token. It tells callers apart without keeping their tokens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Fingerprint([u8; 32]);

/// Hash of a user. Limits count by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct User([u8; 32]);

impl User {
    /// The user with this name and uid, as the API server says them.
    #[must_use]
    pub(super) fn named(name: &str, uid: &str) -> Self {
        Self(Sha256::digest(format!("{}:{name}{uid}", name.len())).into())
    }

    /// A user whose name the API server does not say: its token counts instead.
    #[must_use]
    pub(super) fn of_token(token: Fingerprint) -> Self {
        Self(token.0)
    }
}

/// The bearer token of a request. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token {
    header: HeaderValue,
    fingerprint: Fingerprint,
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

impl Token {
    /// The token of a request, or the answer 401.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let header = headers.get(header::AUTHORIZATION).ok_or_else(Problem::no_token)?;
        let text = header.to_str().map_err(|_| Problem::no_token())?;
        let (scheme, token) = text.split_once(' ').ok_or_else(Problem::no_token)?;
        let token = token.trim();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || !token.bytes().all(plain) {
            return Err(Problem::no_token());
        }
        if token.len() > MAX_TOKEN {
            return Err(Problem::large_token(MAX_TOKEN));
        }
        let mut header =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Problem::no_token())?;
        header.set_sensitive(true);
        Ok(Self { header, fingerprint: Fingerprint(Sha256::digest(token).into()) })
    }

    /// Tells this caller apart from others.
    #[must_use]
    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The header for a request to the API server.
    #[must_use]
    pub(super) fn header(&self) -> &HeaderValue {
        &self.header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Result<Token, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        Token::of(&headers)
    }

    #[test]
    fn only_a_bearer_token_is_a_login() {
        assert_eq!(of("Bearer abc.def").unwrap().header(), "Bearer abc.def");
        assert_eq!(of("bearer  abc").unwrap().header(), "Bearer abc");
        for refused in ["Bearer", "Bearer ", "Basic YTpi", "abc", "Bearer a b", "Bearer a,b"] {
            assert_eq!(of(refused).unwrap_err().status, 401, "{refused}");
        }
        let large = of(&format!("Bearer {}", "a".repeat(MAX_TOKEN + 1))).unwrap_err();
        assert!(large.status == 401 && large.detail.contains("larger than 16 KiB"), "{}", large.detail);
        assert_eq!(Token::of(&HeaderMap::new()).unwrap_err().status, 401);
    }

    #[test]
    fn a_token_is_never_printed_and_two_tokens_have_two_fingerprints() {
        let one = of("Bearer planted").unwrap();
        assert!(
            !format!("{one:?}").contains("planted") && !format!("{:?}", one.header()).contains("planted")
        );
        assert_eq!(one.fingerprint(), of("Bearer planted").unwrap().fingerprint());
        assert_ne!(one.fingerprint(), of("Bearer other").unwrap().fingerprint());
    }

    #[test]
    fn users_with_another_name_or_uid_are_others() {
        assert_eq!(User::named("ann", "1"), User::named("ann", "1"));
        for (name, uid) in [("ann", "2"), ("ann1", ""), ("an", "n1"), ("", "ann1")] {
            assert_ne!(User::named("ann", "1"), User::named(name, uid));
        }
    }
}
