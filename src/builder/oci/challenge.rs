//! Answers the authentication challenge of a registry from the Secret. It sends nothing.

use reqwest::Url;

use crate::builder::credentials::{CONFIG, Credentials};
use crate::builder::outcome::Failure;

/// The URL of the token service, from `Bearer realm="…",service="…",scope="…"`.
pub(super) fn realm(asked: &str, repository: &str) -> Option<Url> {
    let fields = asked.strip_prefix("Bearer ").or_else(|| asked.strip_prefix("bearer "))?;
    let field = |name: &str| {
        let at = fields.find(&format!("{name}=\""))? + name.len() + 2;
        fields[at..].split('"').next()
    };
    let mut url = Url::parse(field("realm")?).ok()?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let scope = field("scope").map_or_else(|| format!("repository:{repository}:pull"), str::to_owned);
    url.query_pairs_mut().append_pair("scope", &scope);
    if let Some(service) = field("service") {
        url.query_pairs_mut().append_pair("service", service);
    }
    Some(url)
}

/// The header for the login at this repository, if there is one: that of the pod or of the Secret.
pub(super) fn basic(
    credentials: &Credentials,
    host: &str,
    repository: &str,
) -> Result<Option<String>, Failure> {
    if let Some(login) = credentials.token(host) {
        return Ok(Some(format!("Basic {}", login.packed())));
    }
    if credentials.value(CONFIG).is_none() {
        return credentials.basic();
    }
    let ring = credentials.keyring()?;
    Ok(ring.login(host, repository).map(|login| format!("Basic {}", login.packed())))
}
