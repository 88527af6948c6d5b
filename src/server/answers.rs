//! Answers of the HTTP API as its `OpenAPI` document describes them. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::problem::MEDIA_TYPE;
use super::production::{Look, Production};
use crate::crd::status::HandledRequest;

type Responses = BTreeMap<String, RefOr<Response>>;

fn problems(statuses: &[(&str, &str)]) -> Responses {
    let one = |(status, description): &(&str, &str)| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new().description(*description).content(MEDIA_TYPE, content).build();
        ((*status).to_owned(), RefOr::T(response))
    };
    statuses.iter().map(one).collect()
}

const ALWAYS: &[(&str, &str)] = &[
    ("400", "The request is malformed"),
    ("401", "There is no token, or the API server does not accept it"),
    ("403", "The token lacks the right, or a policy rejects the request"),
    ("404", "There is no such project or object"),
    ("429", "Too many requests or streams: Retry-After says when to try again"),
    ("502", "The API server fails"),
    ("503", "The API server or the operator does not answer"),
    ("504", "The request took too long"),
];

/// The problems of every read.
pub(super) struct Reads;

impl IntoResponses for Reads {
    fn responses() -> Responses {
        problems(ALWAYS)
    }
}

/// The problems of every write.
pub(super) struct Writes;

impl IntoResponses for Writes {
    fn responses() -> Responses {
        let mut all = problems(ALWAYS);
        all.extend(problems(&[
            ("408", "The body did not arrive within 10 seconds"),
            ("409", "The request conflicts with the project as it is"),
            ("412", "The project is not the one of If-Match"),
            ("413", "The body has more than 1 MiB"),
            ("415", "The body has another format than the path takes"),
            ("422", "The API server rejects the project: errors names the fields"),
        ]));
        all
    }
}

/// Projects of a namespace.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProjectList {
    /// The projects, by name.
    #[schema(value_type = Vec<ProjectDeployment>)]
    pub(super) items: Vec<Value>,
    /// Names of the projects of this page that are too large for a list. Read each of them by itself.
    #[serde(rename = "tooLarge", skip_serializing_if = "Vec::is_empty")]
    pub(super) too_large: Vec<String>,
    /// Where the next page begins: the query parameter `continue`. Absent on the last page.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// A project; the document gets its fields from the `CustomResourceDefinition`.
#[derive(ToSchema)]
pub(super) struct ProjectDeployment {}

/// A version of a request and its outcome.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Handled {
    /// Value of the annotation: the argument, `@` and the token.
    value: String,
    /// What the operator did.
    outcome: String,
}

/// What a project does, and what to do next.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    /// State, address, error and running step.
    #[serde(flatten)]
    production: Production,
    /// Reason of the condition Ready.
    reason: String,
    /// What happened and what to do next.
    message: String,
    /// The version that serves.
    #[schema(required)]
    version: Option<String>,
    /// The version that should serve.
    #[schema(required)]
    desired_version: Option<String>,
    /// The target of a rollback to `previous`.
    #[schema(required)]
    previous_version: Option<String>,
    /// The handled requests and their outcomes.
    handled: BTreeMap<String, Handled>,
    /// The latest build, as in `status.build`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    build: Option<Value>,
    /// Why the wanted version does not serve, as in `status.failure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    failure: Option<Value>,
    /// The conditions, as in `status.conditions`.
    #[schema(value_type = Vec<Object>)]
    conditions: Value,
    /// Resource version of the project. The ids of its events are such versions.
    resource_version: String,
}

impl Status {
    /// Of a project.
    pub(super) fn of(object: &Value) -> Self {
        let look = Look::at(object);
        let handled = |(word, request): (&String, &HandledRequest)| {
            let HandledRequest { value, outcome } = request.clone();
            (word.clone(), Handled { value, outcome })
        };
        let status = &look.status;
        Self {
            production: look.production(),
            reason: look.reason().to_owned(),
            message: look.message().to_owned(),
            version: status.version.clone(),
            desired_version: status.desired_version.clone(),
            previous_version: status.previous_version.clone(),
            handled: status.handled.iter().map(handled).collect(),
            build: status.build.as_ref().map(|build| json!(build)),
            failure: status.failure.as_ref().map(|failure| json!(failure)),
            conditions: json!(status.conditions),
            resource_version: version_of(object),
        }
    }
}

/// An accepted request, and where to watch what it does.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Accepted {
    /// The action.
    action: &'static str,
    /// Value of the annotation that carries the request; null if the action changes the spec.
    #[schema(required)]
    request: Option<String>,
    /// Path of the stream of events. Send `resourceVersion` as Last-Event-ID to get what happens from now on.
    watch: String,
    /// Resource version of the project with the request.
    resource_version: String,
    /// The project with the request.
    status: Status,
}

impl Accepted {
    /// The answer to an action that made the project `object`.
    pub(super) fn new(action: &'static str, request: Option<String>, path: &str, object: &Value) -> Self {
        let watch = format!("{path}/events");
        Self { action, request, watch, resource_version: version_of(object), status: Status::of(object) }
    }

    /// Path of the stream of events.
    pub(super) fn watch(&self) -> &str {
        &self.watch
    }
}

/// The resource version of an object.
pub(super) fn version_of(object: &Value) -> String {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}

/// The schema of a project for the `OpenAPI` document, from the `CustomResourceDefinition`.
pub(super) fn project_schema() -> Value {
    let definition = serde_json::to_value(crate::crd::definition()).unwrap_or_default();
    let mut schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    plain(&mut schema);
    schema["description"] =
        json!("A project, as kubectl get projectdeployment shows it, without managed fields.");
    schema["properties"]["metadata"] = json!({
        "type": "object",
        "required": ["name"],
        "description": "Metadata of the object. Only name, labels and annotations are yours to set.",
        "properties": {
            "name": { "type": "string", "maxLength": 40, "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$" },
            "labels": { "type": "object", "additionalProperties": { "type": "string" } },
            "annotations": { "type": "object", "additionalProperties": { "type": "string" } },
        },
    });
    schema["required"] = json!(["metadata", "spec"]);
    schema
}

/// Turns a schema of a definition into JSON Schema: without what only Kubernetes knows.
fn plain(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("x-kubernetes-int-or-string").is_some() {
                map.insert("type".to_owned(), json!(["integer", "string"]));
            }
            if map.remove("nullable") == Some(Value::Bool(true))
                && let Some(Value::String(kind)) = map.get("type")
            {
                let kinds = json!([kind, "null"]);
                map.insert("type".to_owned(), kinds);
            }
            let kept = |name: &String| !name.starts_with("x-kubernetes-");
            let old = std::mem::take(map);
            *map = old.into_iter().filter(|(name, _)| kept(name)).collect::<Map<_, _>>();
            map.values_mut().for_each(plain);
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}
