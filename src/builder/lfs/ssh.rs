//! `git-lfs-authenticate`: the host of a repository over ssh says where its large files are and how they are opened. It reads
//! and writes texts; `git` runs the program.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::server::{self, Server};
use crate::builder::log::{printable, shortened};
use crate::builder::outcome::Failure;
use crate::protocol::reason::Reason;
use crate::protocol::report::Stage;

/// What ssh is given after its settings: the port, the user, the host, and the line that the host runs. None for a URL that
/// is not one of ssh.
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

/// A path as one word for the shell of the host. No path with a quote gets so far.
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

/// The server that the host names; the one that is `guessed` where it only says how to open it.
pub(in crate::builder) fn answer(text: &[u8], guessed: &str) -> Result<Server, Failure> {
    let failed = |why: &str| {
        let message = format!("the host of the repository answers git-lfs-authenticate with {why}");
        Failure::new(Stage::Fetch, Reason::SourceForbidden, message)
    };
    let answer: Answer = serde_json::from_slice(text).map_err(|error| {
        failed(&format!("what is no JSON of it: {}", shortened(&printable(&error.to_string()), 200)))
    })?;
    let url = answer.href.filter(|href| !href.is_empty()).unwrap_or_else(|| guessed.to_owned());
    let headers = answer.header.as_ref().map(server::headers).transpose();
    let headers = headers.map_err(|why| failed(&format!("an answer that {why}")))?.unwrap_or_default();
    Ok(Server { headers, ..Server::at(&url)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_asked_as_git_lfs_asks() {
        let line = |url: &str| arguments(url).unwrap().join(" ");
        assert_eq!(line("git@h:you/shop.git"), "-T -lgit -- h git-lfs-authenticate you/shop.git download");
        assert_eq!(
            line("ssh://git@h:2222/you/shop.git"),
            "-T -p2222 -lgit -- h git-lfs-authenticate you/shop.git download"
        );
        assert_eq!(line("ssh://[fd00::1]:22/x"), "-T -p22 -- fd00::1 git-lfs-authenticate x download");
        // What the shell of the host would read otherwise is one word of it.
        assert_eq!(line("git@h:a;reboot"), "-T -lgit -- h git-lfs-authenticate 'a;reboot' download");
        assert_eq!(arguments("git@h:a';reboot'"), None);
        assert_eq!(arguments("https://h/x"), None);
    }

    #[test]
    fn the_host_says_where_the_files_are_and_what_opens_them() {
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
            assert_eq!(answer(bad.as_bytes(), guessed).unwrap_err().reason, Reason::SourceForbidden, "{bad}");
        }
    }
}
