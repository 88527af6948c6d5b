//! The mounted Secrets of a source and of an output. Headers and key files are made from them. The log knows every
//! value and hides it; no value is an argument of a program or part of a message.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::outcome::Failure;
use crate::protocol::reason::FailureReason;
use crate::protocol::registry_token::{TOKEN_FILE, USER};
use crate::protocol::report::Stage;

pub(super) use keyring::{CONFIG, Keyring, Login};

mod keyring;

/// Largest value that is read, in bytes.
const MAX_VALUE: u64 = 64 << 10;
/// Shorter values occur everywhere, so they are not hidden.
const SHORTEST: usize = 4;
/// Keys whose values are no secret.
const PUBLIC: [&str; 2] = ["username", "known_hosts"];

/// What a Secret is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Use {
    /// To fetch the source.
    #[default]
    Source,
    /// To push the image, and to pull private base images.
    Push,
}

impl Use {
    /// The field that names the Secret.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Source => "spec.source",
            Self::Push => "spec.build.output.pushSecretRef",
        }
    }

    fn failure(self, message: String) -> Failure {
        match self {
            Self::Source => Failure::new(Stage::Resolve, FailureReason::SourceAuthFailed, message),
            Self::Push => Failure::new(Stage::Push, FailureReason::RegistryDenied, message),
        }
    }
}

/// The keys of a Secret with their values, and the token of the pod for the platform's registry.
#[derive(Default)]
pub(super) struct Credentials {
    of: Use,
    name: Option<String>,
    values: BTreeMap<String, String>,
    token: Option<Token>,
}

/// The login of this pod's `ServiceAccount`.
#[derive(Clone)]
pub(super) struct Token {
    /// The only registry that gets it, `host[:port]`.
    host: String,
    login: Login,
}

impl Token {
    /// Reads the token for the registry `host`; None without such a registry.
    pub(super) fn read(host: Option<&str>, directory: &Path) -> Result<Option<Self>, Failure> {
        let Some(host) = host else { return Ok(None) };
        let password = std::fs::read_to_string(directory.join(TOKEN_FILE)).map_err(|error| {
            Failure::workspace(
                Stage::Resolve,
                "the token for the platform's registry could not be read",
                &error,
            )
        })?;
        let login = Login { user: USER.to_owned(), password: password.trim().to_owned() };
        Ok(Some(Self { host: host.to_owned(), login }))
    }
}

impl Credentials {
    /// Reads the Secret of that name, mounted at `directory`.
    pub(super) fn read(of: Use, name: Option<&str>, directory: &Path) -> Result<Self, Failure> {
        let Some(name) = name else { return Ok(Self { of, ..Self::default() }) };
        let failed = |error| Failure::workspace(Stage::Resolve, "the Secret could not be read", &error);
        let mut values = BTreeMap::new();
        for entry in std::fs::read_dir(directory).into_iter().flatten() {
            let entry = entry.map_err(failed)?;
            let key = entry.file_name().to_string_lossy().into_owned();
            if key.starts_with("..") || std::fs::metadata(entry.path()).map_err(failed)?.len() > MAX_VALUE {
                continue;
            }
            let value = std::fs::read(entry.path()).map_err(failed)?;
            values.insert(key, String::from_utf8_lossy(&value).into_owned());
        }
        if values.is_empty() {
            let message = format!(
                "Secret {name}, referenced by {}, does not exist or is empty; create it in this namespace",
                of.field()
            );
            return Err(of.failure(message));
        }
        Ok(Self { of, name: Some(name.to_owned()), values, token: None })
    }

    /// The same, and for one registry the token of this pod.
    pub(super) fn with(self, token: Option<Token>) -> Self {
        Self { token, ..self }
    }

    /// The login of this pod, if `host` is the registry that it is for.
    pub(super) fn token(&self, host: &str) -> Option<&Login> {
        self.token.as_ref().filter(|token| token.host == host).map(|token| &token.login)
    }

    #[cfg(test)]
    pub(super) fn of(values: &[(&str, &str)]) -> Self {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self { of: Use::Source, name: Some("shop-key".to_owned()), values, token: None }
    }

    /// Whether there is no Secret.
    pub(super) fn none(&self) -> bool {
        self.name.is_none()
    }

    /// A value without the line break that editors and `echo` append.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.values
            .get(key)
            .map(|value| value.trim_end_matches(['\n', '\r']))
            .filter(|value| !value.is_empty())
    }

    /// The failure of a Secret that lacks something.
    pub(super) fn lacks(&self, what: &str) -> Failure {
        let name = self.name.as_deref().unwrap_or_default();
        self.of.failure(format!("Secret {name}, referenced by {}, has no {what}; add it", self.of.field()))
    }

    /// The logins of a Secret of type `kubernetes.io/dockerconfigjson`, and the token of this pod.
    pub(super) fn keyring(&self) -> Result<Keyring, Failure> {
        self.of_secret().map(|ring| self.and_token(ring))
    }

    fn and_token(&self, ring: Keyring) -> Keyring {
        self.token.iter().fold(ring, |ring, token| ring.and(&token.host, token.login.clone()))
    }

    fn of_secret(&self) -> Result<Keyring, Failure> {
        if self.none() {
            return Ok(Keyring::default());
        }
        let wanted = "readable .dockerconfigjson: its type must be kubernetes.io/dockerconfigjson, as created by \
                      kubectl create secret docker-registry";
        let ring = self.value(CONFIG).and_then(Keyring::parse).ok_or_else(|| self.lacks(wanted))?;
        if ring.is_empty() {
            return Err(self.lacks("entry with a user name and a password in its .dockerconfigjson"));
        }
        Ok(ring)
    }

    /// The logins of a Secret that may instead have one user name and password, for `host`.
    pub(super) fn keyring_at(&self, host: &str) -> Result<Keyring, Failure> {
        match self.plain().filter(|_| self.value(CONFIG).is_none()) {
            Some(login) => Ok(self.and_token(Keyring::of(host, login))),
            None => self.keyring(),
        }
    }

    /// The login of the plain keys; a token is the password of any user.
    fn plain(&self) -> Option<Login> {
        let password = self.value("password").or_else(|| self.value("token"))?;
        let user = self.value("username").unwrap_or("x-access-token");
        Some(Login { user: user.to_owned(), password: password.to_owned() })
    }

    /// What to do when the registry of `repository` rejects a request: which Secret or field to check.
    pub(super) fn advice(&self, repository: &str) -> String {
        let field = self.of.field();
        if repository.split('/').next().is_some_and(|host| self.token(host).is_some()) {
            return "the platform's registry accepts only a token of this namespace's ServiceAccount: see the log of \
                    its registry proxy"
                .to_owned();
        }
        let Some(name) = &self.name else {
            return format!("reference a Secret of type kubernetes.io/dockerconfigjson in {field}");
        };
        let (host, path) = repository.split_once('/').unwrap_or((repository, ""));
        let found = self.keyring_at(host).is_ok_and(|ring| ring.login(host, path).is_some());
        if found {
            format!(
                "check that the user in Secret {name}, referenced by {field}, is correct and has permission"
            )
        } else {
            format!("Secret {name}, referenced by {field}, has no user and password for {host}: add them")
        }
    }

    /// User name and password for basic authentication.
    pub(super) fn basic(&self) -> Result<Option<String>, Failure> {
        if self.none() {
            return Ok(None);
        }
        let login = self.plain().ok_or_else(|| self.lacks("token, or username and password"))?;
        header(&format!("{}{}", login.user, login.password))?;
        Ok(Some(format!("Basic {}", login.packed())))
    }

    /// The header for a plain download: basic with a user name, else the token as bearer.
    pub(super) fn authorization(&self) -> Result<Option<String>, Failure> {
        match self.value("token").filter(|_| self.value("username").is_none()) {
            Some(token) => header(token).map(|()| Some(format!("Bearer {token}"))),
            None => self.basic(),
        }
    }

    /// Every text that must not be shown: the values, their lines, and their encoded forms.
    pub(super) fn secrets(&self) -> Vec<String> {
        let secret = self.values.iter().filter(|(key, _)| !PUBLIC.contains(&key.as_str()));
        let mut found: Vec<String> = Vec::new();
        for (_, value) in secret {
            // The first and last line are the same in every key.
            found.extend(
                value.lines().filter(|line| !line.starts_with("-----")).map(|line| line.trim().to_owned()),
            );
            found.push(value.trim_end_matches(['\n', '\r']).to_owned());
            found.extend(keyring::secrets(value));
        }
        found.extend(self.plain().map(|login| login.packed()));
        found
            .extend(self.token.iter().flat_map(|token| [token.login.packed(), token.login.password.clone()]));
        unshown(found)
    }
}

/// Secret texts and their URL-encoded forms, the longest first, without those too short to hide.
pub(super) fn unshown(mut found: Vec<String>) -> Vec<String> {
    let encoded: Vec<String> = found.iter().map(|value| percent(value)).collect();
    found.extend(encoded);
    found.retain(|value| value.len() >= SHORTEST);
    found.sort_by_key(|value| std::cmp::Reverse(value.len()));
    found.dedup();
    found
}

/// The value percent-encoded for a URL.
fn percent(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Rejects a value that could end its header and begin another.
fn header(value: &str) -> Result<(), Failure> {
    if value.chars().any(char::is_control) { Err(unreadable(Stage::Resolve)) } else { Ok(()) }
}

/// The failure of a value that cannot be sent.
pub(super) fn unreadable(stage: Stage) -> Failure {
    let message = "a value in the Secret of spec.source contains a line break or control character; remove it from the Secret";
    Failure::new(stage, FailureReason::SourceAuthFailed, message)
}

#[cfg(test)]
mod tests;
