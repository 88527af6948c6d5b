//! `git-lfs-authenticate`: the host of a repository over ssh returns the location of its large files and the headers
//! for them. Texts only; `git` runs the program.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::server::{self, Server};
use crate::builder::log::{printable, shortened};
use crate::builder::outcome::Failure;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// The arguments of ssh after its settings: the port, the user, the host, and the command for the host. None if the URL
/// is not an ssh URL.
pub(in crate::builder) fn arguments(url: &str) -> Option<Vec<String>> {
    let (authority, path) = if let Some(rest) = url.strip_prefix("ssh://") {
        rest.split_once('/')?
    } else {
        url.split_once(':').filter(|(authority, _)| authority.contains('@'))?
    };
    let (user, place) =
        authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let mut arguments = vec!["-T".to_owned()];
    arguments.extend(port.map(|port| format!("-p{port}")));
    arguments.extend(user.map(|user| format!("-l{user}")));
    arguments.extend(["--".to_owned(), host.to_owned()]);
    arguments.push(format!("git-lfs-authenticate {} download", word(path)?));
    Some(arguments)
}

/// A path as one word for the shell of the host. Paths with a quote are rejected earlier.
fn word(path: &str) -> Option<String> {
    let plain = path.chars().all(|char| char.is_ascii_alphanumeric() || "._-/~+".contains(char));
    if plain { Some(path.to_owned()) } else { (!path.contains('\'')).then(|| format!("'{path}'")) }
}

#[derive(Deserialize)]
struct Answer {
    href: Option<String>,
    #[serde(default)]
    header: Option<Map<String, Value>>,
}

/// The server that the host names; `guessed` if the host returns only headers.
pub(in crate::builder) fn answer(text: &[u8], guessed: &str) -> Result<Server, Failure> {
    let failed = |why: &str| {
        let message = format!("the host of the repository answers git-lfs-authenticate with {why}");
        Failure::new(Stage::Fetch, FailureReason::SourceForbidden, message)
    };
    let answer: Answer = serde_json::from_slice(text).map_err(|error| {
        failed(&format!("invalid JSON: {}", shortened(&printable(&error.to_string()), 200)))
    })?;
    let url = answer.href.filter(|href| !href.is_empty()).unwrap_or_else(|| guessed.to_owned());
    let headers = answer.header.as_ref().map(server::headers).transpose();
    let headers = headers.map_err(|why| failed(&format!("a response that {why}")))?.unwrap_or_default();
    Ok(Server { headers, ..Server::at(&url)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ssh_command_matches_that_of_git_lfs() {
        let line = |url: &str| arguments(url).unwrap().join(" ");
        assert_eq!(line("git@h:you/shop.git"), "-T -lgit -- h git-lfs-authenticate you/shop.git download");
        assert_eq!(
            line("ssh://git@h:2222/you/shop.git"),
            "-T -p2222 -lgit -- h git-lfs-authenticate you/shop.git download"
        );
        assert_eq!(line("ssh://[fd00::1]:22/x"), "-T -p22 -- fd00::1 git-lfs-authenticate x download");
        // Text that the shell of the host would interpret is quoted as one word.
        assert_eq!(line("git@h:a;reboot"), "-T -lgit -- h git-lfs-authenticate 'a;reboot' download");
        assert_eq!(arguments("git@h:a';reboot'"), None);
        assert_eq!(arguments("https://h/x"), None);
    }

    #[test]
    fn the_ssh_answer_gives_the_server_url_and_its_headers() {
        let guessed = "https://h/x.git/info/lfs";
        let named =
            br#"{"href":"https://lfs.example/x","header":{"Authorization":"RemoteAuth t"},"expires_in":60}"#;
        let server = answer(named, guessed).unwrap();
        assert_eq!((server.shown().as_str(), server.headers.len()), ("https://lfs.example/x", 1));
        let opened = answer(br#"{"header":{"Authorization":"RemoteAuth t"}}"#, guessed).unwrap();
        assert_eq!((opened.shown().as_str(), opened.headers.len()), (guessed, 1));
        assert_eq!(answer(b"{}", guessed).unwrap().shown(), guessed);
        for bad in
            ["Welcome", r#"{"href":"file:///etc"}"#, r#"{"href":"https://a:b@h/x"}"#, r#"{"header":{"A":1}}"#]
        {
            assert_eq!(
                answer(bad.as_bytes(), guessed).unwrap_err().reason,
                FailureReason::SourceForbidden,
                "{bad}"
            );
        }
    }
}
