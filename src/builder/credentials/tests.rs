use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn mounted(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

// Bad input 45: Secret of a source that does not exist
#[test]
fn a_missing_or_empty_secret_is_named() {
    for directory in [Path::new("/nowhere"), mounted(&[]).path()] {
        let failure = Credentials::read(Use::Source, Some("shop-git"), directory).map(|_| ()).unwrap_err();
        assert_eq!((failure.stage, failure.reason), (Stage::Resolve, FailureReason::SourceAuthFailed));
        assert!(failure.message.contains("Secret shop-git, referenced by spec.source, does not exist"));
    }
    let push =
        Credentials::read(Use::Push, Some("shop-push"), Path::new("/nowhere")).map(|_| ()).unwrap_err();
    assert_eq!((push.stage, push.reason), (Stage::Push, FailureReason::RegistryDenied));
    assert!(
        push.message
            .contains("Secret shop-push, referenced by spec.build.output.pushSecretRef, does not exist")
    );
    assert!(Credentials::read(Use::Push, None, Path::new("/nowhere")).unwrap().none());
}

#[test]
fn tokens_and_passwords_become_headers() {
    let dir = mounted(&[("username", "ada\n"), ("password", "p:ä ss\n"), ("..data", "x")]);
    let both = Credentials::read(Use::Source, Some("s"), dir.path()).unwrap();
    let expected = Some(format!("Basic {}", STANDARD.encode("ada:p:ä ss")));
    assert_eq!((both.basic(), both.authorization()), (Ok(expected.clone()), Ok(expected)));
    let token = Credentials::of(&[("token", "t0ken")]);
    assert_eq!(token.basic().unwrap().unwrap(), format!("Basic {}", STANDARD.encode("x-access-token:t0ken")));
    assert_eq!(token.authorization().unwrap().unwrap(), "Bearer t0ken");
    let neither = Credentials::of(&[("identity", "key")]).basic().unwrap_err();
    assert!(
        neither.message.contains("has no token, or username and password; add it"),
        "{}",
        neither.message
    );
}

// Bad input 70: token that would begin another header
#[test]
fn a_value_that_injects_a_header_is_rejected_and_not_shown() {
    for key in ["token", "password", "username"] {
        let planted = Credentials::of(&[("password", "fine-word"), (key, "hunter2\r\nX-Evil: 1")]);
        let failure = planted.authorization().unwrap_err();
        assert_eq!(failure.reason, FailureReason::SourceAuthFailed);
        assert!(!failure.message.contains("hunter2"), "{}", failure.message);
    }
}

#[test]
fn all_encodings_of_a_secret_are_known() {
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\nAAAAB3NzaC1yc2EAAAAD\n-----END OPENSSH PRIVATE KEY-----\n";
    let config = format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{}"}}}}}}"#, STANDARD.encode("ada:inside-word"));
    let planted = Credentials::of(&[
        ("username", "ada"),
        ("password", "p@ss w/rd\n"),
        ("identity", key),
        ("known_hosts", "git.example ssh-ed25519 AAAA"),
        (".dockerconfigjson", &config),
        ("short", "abc"),
    ]);
    let secrets = planted.secrets();
    for text in
        ["p@ss w/rd", "p%40ss%20w%2Frd", "b3BlbnNzaC1rZXktdjEA", "AAAAB3NzaC1yc2EAAAAD", "inside-word"]
    {
        assert!(secrets.iter().any(|secret| secret == text), "{text}");
    }
    assert!(secrets.contains(&STANDARD.encode("ada:p@ss w/rd")));
    for text in ["ada", "abc", "git.example ssh-ed25519 AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----"] {
        assert!(!secrets.iter().any(|secret| secret == text), "{text}");
    }
}

#[test]
fn a_registry_login_is_known_in_all_its_forms() {
    let broken = format!("{}\n", STANDARD.encode("ada:line-word"));
    for (entry, hidden) in [
        (
            serde_json::json!({ "username": "ada", "password": "two-fields" }),
            vec!["two-fields".to_owned(), STANDARD.encode("ada:two-fields")],
        ),
        (
            serde_json::json!({ "auth": broken }),
            vec!["line-word".to_owned(), STANDARD.encode("ada:line-word"), broken.clone()],
        ),
        (
            serde_json::json!({ "username": "ada", "password": "one-word", "auth": STANDARD.encode("bob:other-word") }),
            vec!["one-word".to_owned(), "other-word".to_owned(), STANDARD.encode("ada:one-word")],
        ),
        (serde_json::json!({ "identitytoken": "t0ken-word\n" }), vec!["t0ken-word".to_owned()]),
    ] {
        let config = serde_json::json!({ "auths": { "r.example": entry } }).to_string();
        let planted = Credentials::of(&[(CONFIG, &config)]);
        let secrets = planted.secrets();
        for text in hidden {
            assert!(secrets.contains(&text), "{text:?} of {config}");
        }
        // Every text that is sent must be known.
        if let Some(login) = planted.keyring().ok().as_ref().and_then(|ring| ring.login("r.example", "a")) {
            assert!(secrets.contains(&login.packed()) && secrets.contains(&login.password), "{config}");
        }
    }
}

#[test]
fn a_plain_login_is_known_in_its_encoded_form_even_if_git_rejects_it() {
    let odd = Credentials::of(&[("username", "ada"), ("password", "tab\tword\n")]);
    assert!(odd.basic().is_err());
    assert_eq!(odd.keyring_at("r.example").unwrap().login("r.example", "a").unwrap().password, "tab\tword");
    assert!(odd.secrets().contains(&STANDARD.encode("ada:tab\tword")));
}

// Bad input 45: Secret to push with of another type, or without a readable configuration
#[test]
fn a_bad_push_secret_says_what_is_missing_and_what_to_do() {
    let config = r#"{"auths":{"r.example:5000":{"username":"ada","password":"w0rd"}}}"#;
    for (files, part) in [
        (
            &[("username", "ada"), ("password", "pw0rd")][..],
            "its type must be kubernetes.io/dockerconfigjson",
        ),
        (&[(".dockercfg", "{}")], "its type must be kubernetes.io/dockerconfigjson"),
        (&[(".dockerconfigjson", "w0rd{")], "has no readable .dockerconfigjson"),
        (
            &[(".dockerconfigjson", r#"{"auths":{"r.example":{}}}"#)],
            "has no entry with a user name and a password",
        ),
    ] {
        let push = Credentials::read(Use::Push, Some("shop-push"), mounted(files).path()).unwrap();
        let failure = push.keyring().map(|_| ()).unwrap_err();
        assert_eq!((failure.stage, failure.reason), (Stage::Push, FailureReason::RegistryDenied));
        let named = "Secret shop-push, referenced by spec.build.output.pushSecretRef, ";
        assert!(failure.message.starts_with(named) && failure.message.contains(part), "{}", failure.message);
        assert!(!failure.message.contains("w0rd"), "{}", failure.message);
    }
    let push =
        Credentials::read(Use::Push, Some("s"), mounted(&[(".dockerconfigjson", config)]).path()).unwrap();
    assert!(push.keyring().unwrap().login("r.example:5000", "you/shop").is_some());
    assert!(push.secrets().contains(&"w0rd".to_owned()));
    let right = push.advice("r.example:5000/you/shop");
    assert!(right.contains("user in Secret s, referenced by spec.build.output.pushSecretRef,"), "{right}");
    let other = push.advice("other.example/you/shop");
    assert!(other.contains("has no user and password for other.example"), "{other}");
    let none = Credentials::read(Use::Push, None, Path::new("/nowhere")).unwrap();
    assert!(none.keyring().unwrap().is_empty());
    assert!(none.advice("r.example/a").contains("in spec.build.output.pushSecretRef"));
}

#[test]
fn a_source_secret_may_hold_the_registry_login_in_plain_keys() {
    let plain = Credentials::of(&[("username", "ada"), ("password", "one")]);
    let ring = plain.keyring_at("r.example").unwrap();
    assert!(ring.login("r.example", "a/b").is_some() && ring.login("other.example", "a/b").is_none());
    assert!(Credentials::default().keyring_at("r.example").unwrap().is_empty());
}
