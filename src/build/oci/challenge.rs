//! What a registry asks for before it hands out anything, and what the Secret has to answer. It sends nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde_json::Value;

use crate::build::credentials::Credentials;
use crate::build::outcome::Failure;

const CONFIG: &str = ".dockerconfigjson";

/// Where a token is had: `Bearer realm="…",service="…",scope="…"`.
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

/// The header of the Secret's user at this registry, where it has one there.
pub(super) fn basic(credentials: &Credentials, host: &str) -> Result<Option<String>, Failure> {
    let Some(config) = credentials.value(CONFIG) else { return credentials.basic() };
    let config = serde_json::from_str::<Value>(config).unwrap_or_default();
    let entries =
        config["auths"].as_object().ok_or_else(|| credentials.lacks("readable .dockerconfigjson"))?;
    let entry = entries.iter().find(|(name, _)| is_for(name, host)).map(|(_, entry)| entry);
    let pair = entry.and_then(|entry| {
        let user = entry["username"].as_str().zip(entry["password"].as_str());
        let packed = user.map(|(user, password)| STANDARD.encode(format!("{user}:{password}")));
        packed.or_else(|| entry["auth"].as_str().map(str::to_owned))
    });
    Ok(pair
        .filter(|pair| pair.bytes().all(|byte| byte.is_ascii_graphic()))
        .map(|pair| format!("Basic {pair}")))
}

/// `ghcr.io`, `https://ghcr.io`, `https://index.docker.io/v1/`.
fn is_for(name: &str, host: &str) -> bool {
    let name = name.trim_start_matches("https://").trim_start_matches("http://");
    let name = name.split('/').next().unwrap_or_default();
    name == host || (host == "index.docker.io" && name == "docker.io")
}
