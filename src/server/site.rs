//! Which project a path means. Pure. Names that no object can have are rejected here: they become parts of paths at the API
//! server.

use super::problem::Problem;
use super::store::Key;

/// Namespace and name of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A name that an object can have.
fn is_name(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
        && edge(bytes.first())
        && edge(bytes.last())
}

/// The namespace of a path.
pub(super) fn namespace(text: String) -> Result<String, Problem> {
    if is_name(&text) {
        Ok(text)
    } else {
        Err(Problem::new(http::StatusCode::NOT_FOUND, "there is no such namespace"))
    }
}

/// The name of an object below a project.
pub(super) fn name(text: String) -> Result<String, Problem> {
    if is_name(&text) {
        Ok(text)
    } else {
        Err(Problem::new(http::StatusCode::NOT_FOUND, "there is no such object"))
    }
}

impl Site {
    /// The project that a path names.
    pub(super) fn new(namespace: String, name: String) -> Result<Self, Problem> {
        if is_name(&namespace) && is_name(&name) {
            return Ok(Self { namespace, name });
        }
        Err(Problem::no_project(&namespace, &name))
    }

    /// The project with the id `namespace.name`, or with a name in `default`.
    pub(super) fn of_id(id: &str, default: Option<&str>) -> Result<Self, Problem> {
        let (namespace, name) = match (id.split_once('.'), default) {
            (Some((namespace, name)), _) => (namespace, name),
            (None, Some(default)) => (default, id),
            (None, None) => {
                let detail = format!(
                    "there is no project \"{id}\": write namespace.name, because the server has no default namespace \
                     (server.defaultNamespace of the chart)"
                );
                return Err(Problem::new(http::StatusCode::NOT_FOUND, detail));
            }
        };
        Self::new(namespace.to_owned(), name.to_owned())
    }

    /// Its key in the store.
    #[must_use]
    pub(super) fn key(&self) -> Key {
        (self.namespace.clone(), self.name.clone())
    }

    /// Its path.
    #[must_use]
    pub(super) fn path(&self) -> String {
        format!("/api/v1/namespaces/{}/projects/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_namespace_and_a_name_or_a_name_in_the_default_namespace() {
        let site =
            |namespace: &str, name: &str| Site { namespace: namespace.to_owned(), name: name.to_owned() };
        assert_eq!(Site::of_id("shops.site", None).unwrap(), site("shops", "site"));
        assert_eq!(Site::of_id("site", Some("main")).unwrap(), site("main", "site"));
        assert!(Site::of_id("site", None).is_err_and(|problem| problem.detail.contains("namespace.name")));
    }

    #[test]
    fn a_name_that_no_object_can_have_does_not_reach_the_api_server() {
        for name in ["", "..", "a/b", "A", "a_b", "a.b", "-a", "a-", "%2e", &"a".repeat(64)] {
            assert_eq!(Site::new("shops".to_owned(), name.to_owned()).unwrap_err().status, 404, "{name}");
        }
        assert!(Site::of_id("a/../b.c", None).is_err() && Site::of_id("a.b.c", None).is_err());
    }
}
