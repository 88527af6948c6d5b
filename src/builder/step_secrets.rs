//! Secrets for build steps: `spec.build.secrets` as the kubelet mounted them, passed to BuildKit as files. No value is
//! an argument, and the log hides all of them.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::credentials;
use super::dockerfile::offer;
use super::outcome::Failure;
use crate::protocol::order::BuildSecret;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// Largest secret that BuildKit passes to a step, in bytes.
const MAX_VALUE: u64 = 500 << 10;

/// The secrets of one build.
#[derive(Default)]
pub(super) struct StepSecrets {
    /// Id and file of each secret.
    files: Vec<(String, PathBuf)>,
    /// Texts that must not be shown.
    hidden: Vec<String>,
    /// Why a secret is missing.
    missing: Option<String>,
}

impl StepSecrets {
    /// Reads the files of `wanted` in `mount`. A secret for an environment variable is copied below `copies`, without
    /// the line break that editors and `echo` append.
    pub(super) fn read(wanted: &[BuildSecret], mount: &Path, copies: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::workspace(Stage::Resolve, "a Secret of spec.build.secrets could not be read", &error)
        };
        let mut read = Self::default();
        for secret in wanted {
            let file = mount.join(&secret.id);
            let size = std::fs::metadata(&file).map(|data| data.len());
            match size {
                Err(_) => read.missing = read.missing.or_else(|| Some(missing(secret))),
                Ok(MAX_VALUE..) => read.missing = read.missing.or_else(|| Some(too_long(secret))),
                Ok(_) => {
                    let value = std::fs::read(&file).map_err(failed)?;
                    let text = String::from_utf8_lossy(&value);
                    read.hidden.extend(parts(&text));
                    let file = if offer::is_variable(&secret.id) {
                        let value = text.trim_end_matches(['\n', '\r']);
                        copy(value, copies, &secret.id).map_err(failed)?
                    } else {
                        file
                    };
                    read.files.push((secret.id.clone(), file));
                }
            }
        }
        Ok(read)
    }

    /// Id and file of each secret; fails if one is missing.
    pub(super) fn files(&self) -> Result<&[(String, PathBuf)], Failure> {
        match &self.missing {
            None => Ok(&self.files),
            Some(why) => Err(Failure::new(Stage::Build, FailureReason::BuildSecretMissing, why.clone())),
        }
    }

    /// Every text that must not be shown.
    pub(super) fn hidden(&self) -> Vec<String> {
        credentials::unshown(self.hidden.clone())
    }
}

fn missing(BuildSecret { id, secret, key }: &BuildSecret) -> String {
    format!(
        "key {key} of Secret {secret}, referenced by spec.build.secrets for {id}, does not exist. Create it in this \
         namespace: kubectl create secret generic {secret} --from-literal={key}=…"
    )
}

fn too_long(BuildSecret { id, secret, key }: &BuildSecret) -> String {
    format!(
        "key {key} of Secret {secret}, referenced by spec.build.secrets for {id}, is larger than {} KiB, the limit for \
         a step. Shorten it",
        MAX_VALUE >> 10
    )
}

/// Writes a value to a file that only this user can read.
fn copy(value: &str, directory: &Path, id: &str) -> std::io::Result<PathBuf> {
    if !directory.is_dir() {
        std::fs::DirBuilder::new().mode(0o700).create(directory)?;
    }
    let file = directory.join(id);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(&file)?.write_all(value.as_bytes())?;
    Ok(file)
}

/// The value of a secret and its secret parts. Programs print parts of the files that they read, such as the token of a
/// `.npmrc`, the password of a `.netrc` or of a URL, and the strings of a JSON text.
fn parts(value: &str) -> Vec<String> {
    let mut found = vec![value.trim_end_matches(['\n', '\r']).to_owned()];
    for line in value.lines().map(str::trim).filter(|line| !line.starts_with("-----")) {
        found.push(line.to_owned());
        found
            .extend(line.split_once('=').map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_owned()));
        let words: Vec<&str> = line.split_whitespace().collect();
        let named = words.windows(2).filter(|pair| ["password", "password:"].contains(&pair[0]));
        found.extend(named.map(|pair| pair[1].trim_matches(['"', '\'']).to_owned()));
        found.extend(words.iter().filter_map(|word| password(word)));
    }
    if let Ok(value) = serde_json::from_str::<Value>(value) {
        strings(&value, &mut found);
    }
    found
}

/// The password in a URL.
fn password(word: &str) -> Option<String> {
    let (_, rest) = word.split_once("://")?;
    let (user, _) = rest.split('/').next()?.rsplit_once('@')?;
    Some(user.split_once(':').map_or(user, |(_, password)| password).to_owned())
}

/// The strings of a JSON text that are not user names.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        Value::Object(fields) => {
            let secret =
                fields.iter().filter(|(name, _)| !["username", "user", "email"].contains(&name.as_str()));
            secret.for_each(|(_, value)| strings(value, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn wanted(id: &str) -> BuildSecret {
        BuildSecret { id: id.to_owned(), secret: "registry".to_owned(), key: id.to_owned() }
    }

    #[test]
    fn a_variable_loses_its_trailing_line_break_and_a_file_is_unchanged() {
        let (mount, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(mount.path().join("NPM_TOKEN"), "npm_0123456789\n").unwrap();
        std::fs::write(mount.path().join(".npmrc"), "//r.example/:_authToken=npm_abcdef\n").unwrap();
        let copies = work.path().join("secrets");
        let read =
            StepSecrets::read(&[wanted("NPM_TOKEN"), wanted(".npmrc")], mount.path(), &copies).unwrap();
        let files = read.files().unwrap();
        assert_eq!(files[0], ("NPM_TOKEN".to_owned(), copies.join("NPM_TOKEN")));
        assert_eq!(std::fs::read_to_string(&files[0].1).unwrap(), "npm_0123456789");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&copies), mode(&files[0].1)), (0o700, 0o600));
        assert_eq!(files[1], (".npmrc".to_owned(), mount.path().join(".npmrc")));
        let hidden = read.hidden();
        for secret in ["npm_0123456789", "npm_abcdef"] {
            assert!(hidden.iter().any(|text| text == secret), "{hidden:?}");
        }
    }

    #[test]
    fn a_missing_secret_is_named_with_the_command_that_creates_it() {
        let mount = tempfile::tempdir().unwrap();
        std::fs::write(mount.path().join("LARGE"), "x".repeat(600 << 10)).unwrap();
        let read = |id| StepSecrets::read(&[wanted(id)], mount.path(), mount.path()).unwrap();
        let failure = read("NPM_TOKEN").files().unwrap_err();
        assert_eq!(failure.reason, FailureReason::BuildSecretMissing);
        let command = "kubectl create secret generic registry --from-literal=NPM_TOKEN=";
        assert!(failure.message.contains(command), "{failure}");
        assert!(read("LARGE").files().unwrap_err().message.contains("500 KiB"));
    }

    #[test]
    fn passwords_inside_a_secret_file_are_hidden_too() {
        for (value, secret) in [
            ("machine git.example login ada password hunter2222", "hunter2222"),
            ("machine git.example\n  login ada\n  password hunter2222\n", "hunter2222"),
            ("https://ada:hunter2222@pypi.example/simple", "hunter2222"),
            ("https://hunter2222@pypi.example/simple", "hunter2222"),
            ("[global]\nindex-url = https://ada:hunter2222@pypi.example/simple", "hunter2222"),
            (r#"{"http-basic":{"r.example":{"username":"ada","password":"hunter2222"}}}"#, "hunter2222"),
            ("//r.example/:_authToken=hunter2222", "hunter2222"),
            ("always-auth=true\n_auth = \"aHVudGVyMg==\"", "aHVudGVyMg=="),
        ] {
            assert!(parts(value).iter().any(|part| part == secret), "{value}: {:?}", parts(value));
        }
        assert!(!parts(r#"{"a":{"username":"ada-lovelace"}}"#).contains(&"ada-lovelace".to_owned()));
    }
}
