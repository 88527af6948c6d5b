//! The batch API of Git LFS: builds requests and checks responses. Texts only.

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Pointer, Server, missing, server};
use crate::builder::http;
use crate::builder::log::{printable, shortened};
use crate::builder::outcome::Failure;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// The media type of requests and responses.
pub(super) const TYPE: &str = "application/vnd.git-lfs+json";

/// The location of an object, and the headers that its server requires.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) pointer: Pointer,
    pub(super) url: Url,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// What is wrong with a response.
#[derive(Debug)]
pub(super) enum Error {
    /// It does not follow the API.
    Unreadable(String),
    /// It names a location from which builds fetch nothing.
    Forbidden(Pointer, String),
    /// The server does not have the object.
    Missing(Pointer, String),
}

impl Error {
    /// The failure of the build; `place` says which files an object belongs to.
    pub(super) fn failure(self, server: &Server, place: &dyn Fn(&Pointer) -> String) -> Failure {
        let url = server.shown();
        match self {
            Self::Missing(pointer, why) => missing(&place(&pointer), &format!("{url} answers {why:?}")),
            Self::Forbidden(pointer, why) => {
                let message =
                    format!("the Git LFS server at {url} sends the download of {} {why}", place(&pointer));
                Failure::new(Stage::Fetch, FailureReason::SourceForbidden, message)
            }
            Self::Unreadable(why) => {
                let message = format!("{url} does not answer like a Git LFS server: {why}. Check the URL");
                Failure::new(Stage::Fetch, FailureReason::SourceUnreachable, message)
            }
        }
    }
}

/// The request for some objects.
pub(super) fn question(wanted: &[&Pointer]) -> String {
    let objects: Vec<Value> =
        wanted.iter().map(|Pointer { oid, size }| json!({ "oid": oid, "size": size })).collect();
    json!({ "operation": "download", "transfers": ["basic"], "hash_algo": "sha256", "objects": objects })
        .to_string()
}

#[derive(Deserialize)]
struct Answer {
    transfer: Option<String>,
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    oid: String,
    actions: Option<Actions>,
    error: Option<ObjectError>,
}

#[derive(Deserialize)]
struct Actions {
    download: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct ObjectError {
    code: Value,
    message: Option<String>,
}

/// The location of each object, from the response of `server`. Objects that were not requested are ignored.
pub(super) fn answer(text: &[u8], wanted: &[&Pointer], server: &Url) -> Result<Vec<Download>, Error> {
    let answer: Answer =
        serde_json::from_slice(text).map_err(|error| Error::Unreadable(printable(&error.to_string())))?;
    if let Some(transfer) = answer.transfer.filter(|transfer| !transfer.is_empty() && transfer != "basic") {
        let transfer = shortened(&printable(&transfer), 40);
        return Err(Error::Unreadable(format!("it offers transfer {transfer:?} instead of \"basic\"")));
    }
    wanted.iter().map(|pointer| download(pointer, &answer.objects, server)).collect()
}

fn download(pointer: &Pointer, objects: &[Object], server: &Url) -> Result<Download, Error> {
    let lacks = |why: String| Error::Missing(pointer.clone(), why);
    let object = objects.iter().find(|object| object.oid == pointer.oid);
    let object = object.ok_or_else(|| lacks("no entry for this object".to_owned()))?;
    if let Some(ObjectError { code, message }) = &object.error {
        let message = message.as_deref().unwrap_or_default();
        return Err(lacks(shortened(&printable(&format!("{code} {message}")), 200)));
    }
    let action = object.actions.as_ref().and_then(|actions| actions.download.as_ref());
    let action = action.ok_or_else(|| lacks("no download location".to_owned()))?;
    let forbidden = |why: &str| Error::Forbidden(pointer.clone(), why.to_owned());
    let url = http::follow(server, &action.href).map_err(forbidden)?;
    let headers = action.header.as_ref().map(server::headers).transpose();
    let headers = headers.map_err(|why| forbidden(&format!("to a place that {why}")))?.unwrap_or_default();
    Ok(Download { pointer: pointer.clone(), url, headers })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer() -> Pointer {
        Pointer { oid: "a".repeat(64), size: 3 }
    }

    fn read(answered: &Value) -> Result<Vec<Download>, Error> {
        let server = Url::parse("https://h/shop.git/info/lfs/objects/batch").unwrap();
        answer(answered.to_string().as_bytes(), &[&pointer()], &server)
    }

    fn object(rest: &Value) -> Value {
        let mut object = json!({ "oid": "a".repeat(64), "size": 3 });
        object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({ "transfer": "basic", "objects": [object] })
    }

    #[test]
    fn the_server_decides_where_an_object_is_downloaded() {
        let href = "https://store.example/x?signature=y";
        let action = json!({ "href": href, "header": { "Authorization": "RemoteAuth z" }, "expires_in": 60 });
        let found = read(&object(&json!({ "actions": { "download": action } }))).unwrap();
        assert_eq!((found[0].url.as_str(), found[0].headers.len()), (href, 1));
        let plain =
            read(&object(&json!({ "actions": { "download": { "href": "/x", "header": null } } }))).unwrap();
        assert_eq!(plain[0].url.as_str(), "https://h/x");
    }

    #[test]
    fn objects_with_another_transport_or_a_password_in_the_url_are_rejected() {
        for href in ["http://h/x", "file:///etc/passwd", "ssh://h/x", "https://ada:planted@h/x", "https://"] {
            let error = read(&object(&json!({ "actions": { "download": { "href": href } } }))).unwrap_err();
            let failure = error.failure(&Server::at("https://h/x").unwrap(), &|_| "\"logo.png\"".to_owned());
            assert_eq!(failure.reason, FailureReason::SourceForbidden, "{href}");
            assert!(
                failure.message.contains("logo.png") && !failure.message.contains("planted"),
                "{failure}"
            );
        }
    }

    #[test]
    fn a_missing_object_is_reported_with_the_message_of_the_server() {
        for (answer, word) in [
            (object(&json!({ "error": { "code": 404, "message": "Object does not exist" } })), "404 Object"),
            (object(&json!({})), "no download location"),
            (object(&json!({ "actions": {} })), "no download location"),
            (json!({ "objects": [] }), "no entry for this object"),
            (json!({ "objects": [{ "oid": "b" }] }), "no entry for this object"),
        ] {
            let error = read(&answer).unwrap_err();
            let failure = error.failure(&Server::at("https://h/x").unwrap(), &|_| "\"logo.png\"".to_owned());
            assert_eq!(failure.reason, FailureReason::LargeFileMissing, "{failure}");
            assert!(
                failure.message.contains(word) && failure.message.contains("git lfs push --all"),
                "{failure}"
            );
        }
        for answer in [json!({}), json!([]), json!({ "transfer": "tus", "objects": [] })] {
            assert!(matches!(read(&answer), Err(Error::Unreadable(_))), "{answer}");
        }
    }
}
