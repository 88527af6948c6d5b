//! Who may do what in the registry. Pure: from the caller and the request to what the registry is asked.

use http::{Method, StatusCode};
use reqwest::Url;

use crate::distribution::{is_digest, is_repository, is_tag};

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    /// A program of this namespace: it reads and writes the repositories below the namespace's name.
    Namespace(String),
    /// The registry proxy of a node, or a container runtime that reads through it: it reads every image.
    Node,
    /// The sweep: it lists, reads, replaces and deletes manifests everywhere.
    Sweep,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The registry is asked for this path and query.
    Passed(String),
    /// Status, code of the OCI distribution specification, and message for people.
    Refused(StatusCode, &'static str, String),
}

/// Longest path in bytes: a name of 255 characters and a digest.
const LONGEST: usize = 512;
/// Longest query in bytes: the registry keeps the state of an upload there.
const LONGEST_QUERY: usize = 2048;

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    /// Whether this is a registry.
    Version,
    /// The list of repositories.
    Catalog,
    /// Something in this repository.
    In(&'a str, Content),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Manifest,
    Blob,
    Tags,
    Referrers,
    /// The place where an upload begins.
    Uploads,
    /// An upload that has begun.
    Upload,
}

/// Decides about a request. If `only_reads`, no caller writes here.
pub(super) fn decide(
    caller: &Caller,
    only_reads: bool,
    method: &Method,
    path: &str,
    query: Option<&str>,
) -> Answer {
    let Some(part) = part(path) else {
        let message = format!("{} is not a path of the OCI distribution API", shown(path));
        return Answer::Refused(StatusCode::NOT_FOUND, "UNSUPPORTED", message);
    };
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if only_reads && !reads {
        let message = format!("{method} is not allowed here: this address only serves reads");
        return Answer::Refused(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message);
    }
    if !allows(caller, part, method, reads) {
        return Answer::Refused(StatusCode::FORBIDDEN, "DENIED", denial(caller, part, method));
    }
    match asked(caller, part, query) {
        Some(query) if query.is_empty() => Answer::Passed(path.to_owned()),
        Some(query) => Answer::Passed(format!("{path}?{query}")),
        None => {
            let message = format!("the query is longer than {LONGEST_QUERY} bytes");
            Answer::Refused(StatusCode::BAD_REQUEST, "UNSUPPORTED", message)
        }
    }
}

/// Whether a path that passed is of an upload, not of a manifest.
pub(super) fn is_upload(asked: &str) -> bool {
    let path = asked.split('?').next().unwrap_or_default();
    matches!(part(path), Some(Part::In(_, Content::Uploads | Content::Upload)))
}

/// Whether the caller may do this.
fn allows(caller: &Caller, part: Part<'_>, method: &Method, reads: bool) -> bool {
    match (caller, part) {
        (_, Part::Version)
        | (Caller::Sweep, Part::Catalog | Part::In(_, Content::Tags))
        | (Caller::Node, Part::In(_, Content::Manifest | Content::Blob)) => reads,
        (Caller::Sweep, Part::In(_, Content::Manifest)) => {
            reads || matches!(*method, Method::PUT | Method::DELETE)
        }
        (Caller::Namespace(namespace), Part::In(name, content)) => {
            is_own(namespace, name) && (reads || writes(content, method))
        }
        _ => false,
    }
}

/// What the caller is told if it may not do this.
fn denial(caller: &Caller, part: Part<'_>, method: &Method) -> String {
    match (caller, part) {
        (Caller::Node, _) => "a node reads only manifests and blobs of images".to_owned(),
        (Caller::Sweep, _) => format!("the sweep may not {method} here"),
        (Caller::Namespace(namespace), Part::In(name, _)) if !is_own(namespace, name) => format!(
            "a token of namespace {namespace} opens only the repositories below {namespace}/, not {name}"
        ),
        (Caller::Namespace(_), Part::In(..)) => {
            format!("{method} is not allowed here: push, read and delete images")
        }
        (Caller::Namespace(namespace), _) => format!(
            "a token of namespace {namespace} opens only the repositories below {namespace}/, and no list of all"
        ),
    }
}

fn writes(content: Content, method: &Method) -> bool {
    match content {
        Content::Manifest => matches!(*method, Method::PUT | Method::DELETE),
        Content::Uploads => *method == Method::POST,
        Content::Upload => matches!(*method, Method::PATCH | Method::PUT | Method::DELETE),
        Content::Blob | Content::Tags | Content::Referrers => false,
    }
}

fn is_own(namespace: &str, repository: &str) -> bool {
    repository.strip_prefix(namespace).is_some_and(|rest| rest.starts_with('/'))
}

/// The query for the registry, with the parameters that it may have here; `None` if it is too long. An upload that
/// would begin with a blob of another namespace begins empty: the specification lets a registry answer so.
fn asked(caller: &Caller, part: Part<'_>, query: Option<&str>) -> Option<String> {
    let query = query.unwrap_or_default();
    if query.len() > LONGEST_QUERY {
        return None;
    }
    let known: &[&str] = match part {
        Part::Catalog | Part::In(_, Content::Tags) => &["n", "last"],
        Part::In(_, Content::Referrers) => &["artifactType"],
        Part::In(_, Content::Uploads) => &["mount", "from", "digest"],
        Part::In(_, Content::Upload) => &["digest", "_state"],
        Part::Version | Part::In(_, Content::Manifest | Content::Blob) => &[],
    };
    let mut url = Url::parse("http://registry/").ok()?;
    let given = Url::parse(&format!("http://registry/?{query}")).ok()?;
    let mut given: Vec<(String, String)> = given
        .query_pairs()
        .filter(|(name, _)| known.contains(&name.as_ref()))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let foreign = |(name, value): &(String, String)| name == "from" && !may_mount(caller, value);
    if given.iter().any(foreign) || !given.iter().any(|(name, _)| name == "from") {
        given.retain(|(name, _)| !["mount", "from"].contains(&name.as_str()));
    }
    url.query_pairs_mut().extend_pairs(given);
    Some(url.query().unwrap_or_default().to_owned())
}

fn may_mount(caller: &Caller, from: &str) -> bool {
    matches!(caller, Caller::Namespace(namespace) if is_repository(from) && is_own(namespace, from))
}

/// Reads a path; `None` if it is not one of the API, or has anything that another program could interpret differently.
fn part(path: &str) -> Option<Part<'_>> {
    let rest = path.strip_prefix("/v2").filter(|_| path.len() <= LONGEST)?;
    match rest {
        "" | "/" => return Some(Part::Version),
        "/_catalog" => return Some(Part::Catalog),
        _ => {}
    }
    let (name, content, last) = content(rest.strip_prefix('/')?)?;
    let sound = match content {
        Content::Manifest => is_tag(last) || is_digest(last),
        Content::Blob | Content::Referrers => is_digest(last),
        Content::Tags | Content::Uploads => true,
        Content::Upload => last.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
    };
    (sound && is_repository(name)).then_some(Part::In(name, content))
}

/// The name of the repository, the kind of content, and the last part of the path.
fn content(rest: &str) -> Option<(&str, Content, &str)> {
    if let Some(name) = rest.strip_suffix("/tags/list") {
        return Some((name, Content::Tags, ""));
    }
    if let Some(name) = rest.strip_suffix("/blobs/uploads").or_else(|| rest.strip_suffix("/blobs/uploads/")) {
        return Some((name, Content::Uploads, ""));
    }
    let (before, last) = rest.rsplit_once('/').filter(|(_, last)| !last.is_empty())?;
    let kinds = [
        ("/blobs/uploads", Content::Upload),
        ("/blobs", Content::Blob),
        ("/manifests", Content::Manifest),
        ("/referrers", Content::Referrers),
    ];
    kinds.into_iter().find_map(|(suffix, content)| Some((before.strip_suffix(suffix)?, content, last)))
}

fn shown(path: &str) -> String {
    crate::text::bounded(&path.escape_debug().to_string(), 200)
}

#[cfg(test)]
mod tests;
