//! The logins of a `.dockerconfigjson`: which one a repository gets, and the file for `BuildKit`. Credential helpers
//! named in such a file are dropped: nothing from a Secret is ever run.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Key of a Secret of type `kubernetes.io/dockerconfigjson`.
pub(in crate::builder) const CONFIG: &str = ".dockerconfigjson";
/// Names of the registry of docker.io in client configurations and on the network.
const DOCKER: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// A user of a registry.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::builder) struct Login {
    pub(in crate::builder) user: String,
    pub(in crate::builder) password: String,
}

impl Login {
    /// The login in the form of headers and configurations.
    pub(in crate::builder) fn packed(&self) -> String {
        STANDARD.encode(format!("{}:{}", self.user, self.password))
    }
}

/// The login for everything below a path of a registry; an empty path means the whole registry.
#[derive(Clone, PartialEq, Eq)]
struct Entry {
    host: String,
    path: String,
    login: Login,
}

/// The logins that a build may use.
#[derive(Clone, Default, PartialEq, Eq)]
pub(in crate::builder) struct Keyring {
    entries: Vec<Entry>,
}

impl Keyring {
    /// One login for one registry.
    pub(in crate::builder) fn of(host: &str, login: Login) -> Self {
        Self { entries: vec![Entry { host: one_name(host).to_owned(), path: String::new(), login }] }
    }

    /// The same logins and another one. For its registry, no other counts.
    pub(in crate::builder) fn and(mut self, host: &str, login: Login) -> Self {
        self.entries.retain(|entry| entry.host != host);
        self.entries.push(Entry { host: host.to_owned(), path: String::new(), login });
        self
    }

    /// Reads a configuration; None if it is not one. Entries without user and password are dropped.
    pub(in crate::builder) fn parse(config: &str) -> Option<Self> {
        let config = serde_json::from_str::<Value>(config).ok()?;
        let entries = config["auths"].as_object()?.iter().filter_map(|(name, entry)| {
            let name = name.trim_start_matches("https://").trim_start_matches("http://");
            let (host, path) = name.split_once('/').unwrap_or((name, ""));
            // `https://index.docker.io/v1/` names the whole registry.
            let path = if ["v1", "v2"].contains(&path.trim_matches('/')) { "" } else { path };
            let path = path.trim_matches('/').to_owned();
            Some(Entry { host: one_name(host).to_owned(), path, login: login(entry)? })
        });
        Some(Self { entries: entries.collect() })
    }

    pub(in crate::builder) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The login for a repository: the one with the longest path above it.
    pub(in crate::builder) fn login(&self, host: &str, repository: &str) -> Option<&Login> {
        let holds = |entry: &&Entry| {
            entry.host == one_name(host)
                && repository
                    .strip_prefix(entry.path.as_str())
                    .is_some_and(|rest| entry.path.is_empty() || rest.is_empty() || rest.starts_with('/'))
        };
        self.entries.iter().filter(holds).max_by_key(|entry| entry.path.len()).map(|entry| &entry.login)
    }

    /// A client configuration with one login for each registry, because clients look up logins without a path. The
    /// registry of `repository` gets the login for that repository, every other its entry with the shortest path.
    pub(in crate::builder) fn file(&self, repository: &str) -> String {
        let (own, path) = repository.split_once('/').unwrap_or((repository, ""));
        let mut ordered: Vec<&Entry> = self.entries.iter().collect();
        ordered.sort_by_key(|entry| std::cmp::Reverse(entry.path.len()));
        let mut auths = Map::new();
        for entry in ordered {
            let login = if entry.host == one_name(own) { self.login(own, path) } else { Some(&entry.login) };
            let name = if entry.host == DOCKER[0] { "https://index.docker.io/v1/" } else { &entry.host };
            auths.extend(login.map(|login| (name.to_owned(), json!({ "auth": login.packed() }))));
        }
        json!({ "auths": auths }).to_string()
    }
}

fn one_name(host: &str) -> &str {
    if DOCKER.contains(&host) { DOCKER[0] } else { host }
}

fn login(entry: &Value) -> Option<Login> {
    written(entry).or_else(|| packed(entry)).filter(|login| !login.password.is_empty())
}

/// Reads a login from two fields.
fn written(entry: &Value) -> Option<Login> {
    let (user, password) = entry["username"].as_str().zip(entry["password"].as_str())?;
    Some(Login { user: user.to_owned(), password: password.to_owned() })
}

/// Reads a login from one field.
fn packed(entry: &Value) -> Option<Login> {
    let packed = STANDARD.decode(entry["auth"].as_str()?.trim()).ok()?;
    let pair = String::from_utf8(packed).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some(Login { user: user.to_owned(), password: password.to_owned() })
}

/// Every text of a configuration that must not be shown, plain and encoded; none if it is not a configuration.
pub(super) fn secrets(config: &str) -> Vec<String> {
    let Ok(config) = serde_json::from_str::<Value>(config) else { return vec![] };
    let mut found = Vec::new();
    for (_, entry) in config["auths"].as_object().into_iter().flatten() {
        for key in ["password", "auth", "identitytoken", "registrytoken"] {
            let value = entry[key].as_str().unwrap_or_default();
            found.extend([value.to_owned(), value.trim().to_owned()]);
        }
        // Both, though only one is used: the other may belong to another registry.
        for login in [written(entry), packed(entry)].into_iter().flatten() {
            found.extend([login.packed(), login.password]);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user<'a>(ring: &'a Keyring, host: &str, path: &str) -> Option<&'a str> {
        ring.login(host, path).map(|login| login.user.as_str())
    }

    // What `kubectl create secret docker-registry` and `docker login` write.
    fn ring() -> Keyring {
        let auth = STANDARD.encode("packed:p:w");
        let config = json!({
            "auths": {
                "https://index.docker.io/v1/": { "username": "hub", "password": "one", "email": "a@b", "auth": "x" },
                "r.example:5000": { "auth": auth },
                "r.example:5000/you": { "username": "you", "password": "two" },
                "r.example:5000/you/shop": { "username": "shop", "password": "three" },
                "token.example": { "identitytoken": "t" },
                "broken.example": { "auth": "%%%" },
            },
            "credsStore": "evil", "credHelpers": { "r.example:5000": "evil" }, "HttpHeaders": { "X": "y" },
        });
        Keyring::parse(&config.to_string()).unwrap()
    }

    #[test]
    fn a_repository_gets_the_login_with_the_longest_matching_path() {
        let ring = ring();
        for (host, path, expected) in [
            ("r.example:5000", "you/shop", Some("shop")),
            ("r.example:5000", "you/shopping", Some("you")),
            ("r.example:5000", "yours", Some("packed")),
            ("r.example", "you/shop", None),
            ("index.docker.io", "library/node", Some("hub")),
            ("docker.io", "library/node", Some("hub")),
            ("token.example", "x", None),
            ("broken.example", "x", None),
        ] {
            assert_eq!(user(&ring, host, path), expected, "{host}/{path}");
        }
        assert_eq!(ring.login("r.example:5000", "a").unwrap().password, "p:w");
    }

    #[test]
    fn the_login_file_has_one_login_per_registry_and_no_credential_helper() {
        let file: Value = serde_json::from_str(&ring().file("r.example:5000/you/shop")).unwrap();
        let own = STANDARD.encode("shop:three");
        let hub = STANDARD.encode("hub:one");
        let auths =
            json!({ "r.example:5000": { "auth": own }, "https://index.docker.io/v1/": { "auth": hub } });
        assert_eq!(file, json!({ "auths": auths }));
        let elsewhere: Value = serde_json::from_str(&ring().file("other.example/x")).unwrap();
        assert_eq!(elsewhere["auths"]["r.example:5000"]["auth"], STANDARD.encode("packed:p:w"));
    }

    #[test]
    fn other_text_is_not_a_docker_configuration() {
        for text in ["", "{}", "null", "[]", r#"{"auths":[]}"#, r#"{"r.example":{"auth":"x"}}"#, "no json"] {
            assert!(Keyring::parse(text).is_none(), "{text}");
        }
        assert!(Keyring::parse(r#"{"auths":{}}"#).unwrap().is_empty());
    }
}
