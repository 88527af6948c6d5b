//! The kind of a request, as plans name it: verb and resource. This module reads only method and address.

use std::fmt;
use std::str::FromStr;

use http::{Method, Uri};

/// Verb and resource, with the subresource: `PATCH deployments`, `LIST jobs`, `PUT projectdeployments/status`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Call {
    /// GET, LIST, WATCH, POST, PUT, PATCH, DELETE or DRYRUN.
    pub verb: String,
    /// Plural name of the resource.
    pub resource: String,
}

impl Call {
    /// Returns the kind of a request.
    pub(crate) fn of(method: &Method, uri: &Uri) -> Self {
        let parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
        let cluster_wide = if parts.first() == Some(&"apis") { 3 } else { 2 };
        let namespaced = parts.iter().position(|part| *part == "namespaces").map(|at| at + 2);
        let after = parts.get(namespaced.unwrap_or(cluster_wide)..).unwrap_or_default();
        let (resource, named) = match after {
            [resource, _, sub, ..] => (format!("{resource}/{sub}"), true),
            [resource, _] => ((*resource).to_owned(), true),
            [resource] => ((*resource).to_owned(), false),
            [] => (parts.last().copied().unwrap_or_default().to_owned(), true),
        };
        let watched = uri.query().is_some_and(|query| query.split('&').any(|part| part == "watch=true"));
        let verb = match *method {
            _ if uri.query().is_some_and(|query| query.contains("dryRun=All")) => "DRYRUN", // It stores nothing.
            Method::GET if watched => "WATCH",
            Method::GET if named => "GET",
            Method::GET => "LIST",
            _ => method.as_str(),
        };
        Self { verb: verb.to_owned(), resource }
    }

    /// True if it changes something.
    pub(crate) fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "GET" | "LIST" | "WATCH" | "DRYRUN")
    }

    /// True if it is about Events, on which nothing depends.
    pub(crate) fn is_event(&self) -> bool {
        self.resource == "events"
    }

    /// True if this pattern matches the kind `other`. `WRITE *` is any write except those of Events, `LIST *` any list.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        match (self.verb.as_str(), self.resource.as_str()) {
            ("WRITE", "*") => other.is_write() && !other.is_event(),
            (verb, "*") => verb == other.verb,
            _ => self == other,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.verb, self.resource)
    }
}

impl FromStr for Call {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (verb, resource) =
            text.split_once(' ').ok_or_else(|| format!("{text:?} is not a request: VERB resource"))?;
        Ok(Self { verb: verb.to_owned(), resource: resource.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_named_by_verb_resource_and_subresource() {
        let call = |method: Method, uri: &str| Call::of(&method, &uri.parse().unwrap()).to_string();
        let apps = "/apis/apps/v1/namespaces/n/deployments";
        assert_eq!(call(Method::PATCH, &format!("{apps}/shop?fieldManager=m")), "PATCH deployments");
        assert_eq!(call(Method::GET, &format!("{apps}/shop")), "GET deployments");
        assert_eq!(call(Method::GET, &format!("{apps}?labelSelector=a")), "LIST deployments");
        assert_eq!(call(Method::GET, &format!("{apps}?watch=true&timeoutSeconds=60")), "WATCH deployments");
        let status = "/apis/doce.dev/v1alpha1/namespaces/n/projectdeployments/shop/status";
        assert_eq!(call(Method::PUT, status), "PUT projectdeployments/status");
        assert_eq!(call(Method::GET, "/api/v1/services"), "LIST services");
        assert_eq!(call(Method::GET, "/version"), "GET version");
    }

    #[test]
    fn a_star_matches_every_resource_except_writes_of_events() {
        let call = |text: &str| text.parse::<Call>().unwrap();
        assert!(call("LIST *").matches(&call("LIST jobs")) && !call("LIST *").matches(&call("GET jobs")));
        assert!(call("WRITE *").matches(&call("DELETE jobs")));
        assert!(
            !call("WRITE *").matches(&call("POST events")) && !call("WRITE *").matches(&call("GET jobs"))
        );
    }
}
