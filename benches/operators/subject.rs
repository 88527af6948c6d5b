//! The three subjects that are compared: what a user sends to each, and when each reports that it is ready.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::DynamicObject;
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::{Value, json};

/// The port of every app.
const PORT: u16 = 8080;

/// Who turns an image into a Deployment and a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The benchmark's own client creates both.
    Plain,
    /// The operator in tests/bench/lean-operator.
    Lean,
    /// doce-operator.
    Doce,
}

impl Subject {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Lean, Self::Doce];

    /// Its name in `BENCH_SUBJECTS`, and in the names of namespaces.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Lean => "lean",
            Self::Doce => "doce",
        }
    }

    /// Its name in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Plain => "no operator",
            Self::Lean => "lean operator",
            Self::Doce => "doce-operator",
        }
    }

    /// The user as which its operator sends requests; none without an operator.
    pub(crate) fn user(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Lean => Some("bench:lean-operator"),
            Self::Doce => Some("bench:doce-operator"),
        }
    }

    /// The kind that a user writes and whose Ready counts.
    pub(crate) fn resource(self) -> ApiResource {
        match self {
            Self::Plain => ApiResource::erase::<Deployment>(&()),
            Self::Lean => ApiResource::from_gvk(&GroupVersionKind::gvk("bench.doce.dev", "v1", "App")),
            Self::Doce => ApiResource::erase::<ProjectDeployment>(&()),
        }
    }

    /// The objects that a user creates for one project, in this order.
    pub(crate) fn objects(self, name: &str, image: &str) -> Vec<(ApiResource, DynamicObject)> {
        let specs = match self {
            Self::Plain => vec![
                (self.resource(), deployment(name, image)),
                (ApiResource::erase::<Service>(&()), service(name)),
            ],
            Self::Lean => vec![(self.resource(), json!({ "image": image, "port": PORT }))],
            Self::Doce => vec![(self.resource(), project(image))],
        };
        let object = |(resource, spec): (ApiResource, Value)| {
            let object = DynamicObject::new(name, &resource).data(json!({ "spec": spec }));
            (resource, object)
        };
        specs.into_iter().map(object).collect()
    }

    /// The merge patch with which a user sets another image.
    pub(crate) fn change(self, image: &str) -> Value {
        match self {
            Self::Plain => json!({ "spec": { "template": template(image) } }),
            Self::Lean => json!({ "spec": { "image": image } }),
            Self::Doce => json!({ "spec": { "source": { "image": { "reference": image } } } }),
        }
    }

    /// The merge patch with which a user rolls back to `image`, the previous one. Only doce-operator has a request for
    /// that. The others get the image again.
    pub(crate) fn rollback(self, image: &str) -> Value {
        match self {
            Self::Plain | Self::Lean => self.change(image),
            Self::Doce => json!({ "metadata": { "annotations": { "doce.dev/rollback": "previous@bench" } } }),
        }
    }

    /// True if the object that the user wrote reports that `image` is ready.
    pub(crate) fn is_ready(self, object: &DynamicObject, image: &str) -> bool {
        let data = &object.data;
        let wanted = match self {
            Self::Plain => return is_complete(object, image),
            Self::Lean => &data["spec"]["image"],
            Self::Doce => &data["spec"]["source"]["image"]["reference"],
        };
        let conditions = data["status"]["conditions"].as_array().into_iter().flatten();
        let ready = |condition: &Value| {
            condition["type"] == "Ready"
                && condition["status"] == "True"
                && condition["observedGeneration"].as_i64() == object.metadata.generation
        };
        wanted == image
            && data["status"]["observedGeneration"].as_i64() == object.metadata.generation
            && conditions.into_iter().any(ready)
    }
}

/// True if the pods of a Deployment run this image, as far as its spec says.
pub(crate) fn has_image(deployment: &DynamicObject, image: &str) -> bool {
    deployment.data["spec"]["template"]["spec"]["containers"][0]["image"] == image
}

/// True if the rollout of this image has ended: its one pod is available, and no other one is left.
pub(crate) fn is_complete(deployment: &DynamicObject, image: &str) -> bool {
    let status = &deployment.data["status"];
    has_image(deployment, image)
        && status["observedGeneration"].as_i64() == deployment.metadata.generation
        && ["replicas", "updatedReplicas", "availableReplicas"].iter().all(|count| status[count] == 1)
}

/// The guard is 0 as in a plain Deployment: otherwise every Ready would come that much later.
fn project(image: &str) -> Value {
    json!({
        "source": { "image": { "reference": image } },
        "run": { "port": PORT },
        "rollout": { "minReadySeconds": 0 },
    })
}

fn deployment(name: &str, image: &str) -> Value {
    json!({
        "replicas": 1,
        "selector": { "matchLabels": { "app": name } },
        "template": {
            "metadata": { "labels": { "app": name } },
            "spec": template(image)["spec"],
        },
    })
}

fn template(image: &str) -> Value {
    let container = json!({ "name": "app", "image": image, "ports": [{ "containerPort": PORT }] });
    json!({ "spec": { "containers": [container] } })
}

fn service(name: &str) -> Value {
    let ports = json!([{ "port": 80, "targetPort": PORT }]);
    json!({ "type": "NodePort", "selector": { "app": name }, "ports": ports })
}
