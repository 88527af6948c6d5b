//! Bodies of requests. Pure.

use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::body_tree::Tree;
use super::problem::Problem;
use super::site::Site;

/// Formats of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `application/json` or `application/merge-patch+json`.
    Merge,
    /// `application/apply-patch+yaml`.
    Apply,
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn unsupported(allowed: &str) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the Content-Type must be {allowed}"))
}

/// A patch and its format.
pub(super) fn patch(headers: &HeaderMap, body: &[u8]) -> Result<(Format, Value), Problem> {
    let (format, patch) = match media_type(headers).as_str() {
        "application/merge-patch+json" | "application/json" => (Format::Merge, of_json(body)?),
        "application/apply-patch+yaml" => (Format::Apply, of_yaml(body)?),
        _ => return Err(unsupported("application/merge-patch+json or application/apply-patch+yaml")),
    };
    if patch.is_object() {
        Ok((format, patch))
    } else {
        Err(Problem::bad_request("the body is not an object"))
    }
}

/// A new project, as JSON.
pub(super) fn object(headers: &HeaderMap, body: &[u8]) -> Result<Value, Problem> {
    if media_type(headers) != "application/json" {
        return Err(unsupported("application/json"));
    }
    let object: Value = of_json(body)?;
    if object.is_object() { Ok(object) } else { Err(Problem::bad_request("the body is not an object")) }
}

/// The options of an action, as JSON. No body means all defaults.
pub(super) fn options<T: DeserializeOwned + Default>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    if body.is_empty() {
        return Ok(T::default());
    }
    if media_type(headers) != "application/json" {
        return Err(unsupported("application/json"));
    }
    // serde would take a list for an object.
    match of_json(body)? {
        Value::Null => Ok(T::default()),
        options @ Value::Object(_) => serde_json::from_value(options).map_err(|error| not_taken(&error)),
        _ => Err(Problem::bad_request("the body is not an object")),
    }
}

fn not_taken(error: &serde_json::Error) -> Problem {
    Problem::bad_request(format!("the body is not what the path takes: {error}"))
}

fn of_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let Tree(value) = serde_json::from_slice(body).map_err(|error| not_taken(&error))?;
    serde_json::from_value(value).map_err(|error| not_taken(&error))
}

fn of_yaml(body: &[u8]) -> Result<Value, Problem> {
    let tree: Result<Tree, _> = serde_yaml::from_slice(body);
    tree.map(|Tree(value)| value)
        .map_err(|error| Problem::bad_request(format!("the body is not YAML: {error}")))
}

/// Makes the object that of `site`: sets what the path says, and rejects what contradicts it.
pub(super) fn placed(
    mut object: Value,
    namespace: &str,
    name: Option<&str>,
    complete: bool,
) -> Result<Value, Problem> {
    let api_version = format!("{}/v1alpha1", crate::crd::GROUP);
    let mut expected = vec![("/apiVersion", api_version.as_str()), ("/kind", "ProjectDeployment")];
    expected.push(("/metadata/namespace", namespace));
    expected.extend(name.map(|name| ("/metadata/name", name)));
    if object.get("metadata").is_some_and(|metadata| !metadata.is_object()) {
        return Err(Problem::bad_request("metadata is not an object"));
    }
    for (pointer, value) in &expected {
        if let Some(there) = object.pointer(pointer).filter(|there| *there != *value) {
            let field = pointer.trim_start_matches('/').replace('/', ".");
            return Err(Problem::bad_request(format!("{field} is {there}, but the path says \"{value}\"")));
        }
    }
    if complete {
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!("ProjectDeployment");
        object["metadata"]["namespace"] = json!(namespace);
        if let Some(name) = name {
            object["metadata"]["name"] = json!(name);
        }
    }
    Ok(object)
}

/// A patch of `site`.
pub(super) fn patch_of(site: &Site, (format, patch): (Format, Value)) -> Result<Value, Problem> {
    placed(patch, &site.namespace, Some(&site.name), format == Format::Apply)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(kind: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_str(kind).unwrap())])
    }

    #[test]
    fn a_patch_says_its_format() {
        let merge = patch(&headers("application/merge-patch+json"), br#"{"spec":{}}"#).unwrap();
        assert_eq!(merge, (Format::Merge, json!({ "spec": {} })));
        let apply =
            patch(&headers("application/apply-patch+yaml; charset=utf-8"), b"spec: {replicas: 2}").unwrap();
        assert_eq!(apply, (Format::Apply, json!({ "spec": { "replicas": 2 } })));
        assert_eq!(patch(&headers("text/plain"), b"{}").unwrap_err().status, 415);
        assert_eq!(patch(&headers("application/json"), b"[]").unwrap_err().status, 400);
        assert_eq!(patch(&headers("application/json"), b"{").unwrap_err().status, 400);
    }

    #[test]
    fn aliases_cannot_make_a_body_large() {
        let apply = |text: &str| patch(&headers("application/apply-patch+yaml"), text.as_bytes());
        assert!(apply("a: &a [1]\nb: *a").is_ok());
        let (zeros, aliases) = (vec!["0"; 10_000].join(","), vec!["*a"; 1000].join(","));
        for bomb in [
            format!("{{a: &a [{zeros}], b: [{aliases}]}}"),
            format!("{{a: &a {}, b: [{aliases}]}}", "x".repeat(10_000)),
            format!("{{a: &a {{k: [{zeros}]}}, b: [{aliases}]}}"),
        ] {
            let problem = apply(&bomb).unwrap_err();
            assert_eq!(problem.status, 400);
            assert!(problem.detail.contains("values"), "{}", problem.detail);
        }
        let many = format!("{{\"a\":[{}]}}", vec!["{}"; 30_000].join(","));
        assert_eq!(patch(&headers("application/json"), many.as_bytes()).unwrap_err().status, 400);
    }

    #[test]
    fn the_options_of_an_action_are_an_object_or_nothing() {
        let of = |text: &str| {
            options::<std::collections::BTreeMap<String, u8>>(&headers("application/json"), text.as_bytes())
        };
        assert_eq!(of("").unwrap(), of("null").unwrap());
        assert_eq!(of(r#"{"a":1}"#).unwrap()["a"], 1);
        assert_eq!((of("[]").unwrap_err().status, of("1").unwrap_err().status), (400, 400));
    }

    #[test]
    fn an_object_gets_the_place_of_its_path_and_must_not_contradict_it() {
        let object = placed(json!({ "spec": {} }), "shops", Some("site"), true).unwrap();
        assert_eq!(object["metadata"], json!({ "namespace": "shops", "name": "site" }));
        for wrong in [
            json!({ "metadata": { "namespace": "other" } }),
            json!({ "metadata": { "name": "other" } }),
            json!({ "kind": "Secret" }),
            json!({ "apiVersion": "v1" }),
            json!({ "metadata": [] }),
        ] {
            assert_eq!(
                placed(wrong.clone(), "shops", Some("site"), true).unwrap_err().status,
                400,
                "{wrong}"
            );
        }
    }
}
