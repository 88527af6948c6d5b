//! The Secret with which build pods reach the BuildKit daemon of the profile `remote`. It is in the namespace of every
//! project, but no project may use it: its holder can build anything with the daemon.

use serde_json::{Value, json};

use super::Platform;
use crate::project::Project;

/// Names of the fields that name a Secret, in a `ProjectDeployment` and in a pod template. A test compares them with the
/// schema of the resource.
const REFERENCES: [&str; 5] = ["secret", "secretRef", "secretKeyRef", "pushSecretRef", "imagePullSecrets"];

impl Platform {
    /// Message to the user if the spec names the Secret of the daemon: the field and what to do.
    #[must_use]
    pub fn daemon_secret_refusal(&self, project: &Project) -> Option<String> {
        let secret = self.daemon_secret()?;
        let build_secrets: Vec<Value> = project
            .build_secrets
            .iter()
            .map(|named| json!({ "secretRef": { "name": named.secret } }))
            .collect();
        let spec = json!({
            "source": project.source,
            "build": {
                "secrets": build_secrets,
                "output": { "pushSecretRef": project.push_secret.as_ref().map(|name| json!({ "name": name })) },
            },
            "run": project.run,
        });
        let field = find(&spec, secret)?;
        Some(format!(
            "spec.{field} names the Secret {secret}, which is for build pods only: it opens the platform's BuildKit daemon \
             (build.remote.secretName of the chart). Name another Secret"
        ))
    }

    /// Message to the user if the pod template of a recorded version names that Secret. Such a version is from before the
    /// platform owner named it.
    #[must_use]
    pub fn daemon_secret_refusal_of_version(&self, version: &str, template: &Value) -> Option<String> {
        let secret = self.daemon_secret()?;
        let field = find(&template["spec"], secret)?;
        Some(format!(
            "Version {version} names the Secret {secret} in {field} of its pods. It is for build pods only: it opens the \
             platform's BuildKit daemon (build.remote.secretName of the chart). Deploy a version that names another Secret"
        ))
    }

    fn daemon_secret(&self) -> Option<&str> {
        self.remote.as_ref()?.secret.as_deref()
    }
}

/// Path of the first field that names the Secret, such as `run.env[0].valueFrom.secretKeyRef`.
fn find(value: &Value, secret: &str) -> Option<String> {
    let names = |value: &Value| value["name"] == secret || value["secretName"] == secret;
    match value {
        Value::Object(fields) => fields.iter().find_map(|(key, below)| {
            let reference = REFERENCES.contains(&key.as_str());
            if reference && (names(below) || below.as_array().is_some_and(|all| all.iter().any(names))) {
                return Some(key.clone());
            }
            let path = find(below, secret)?;
            let dot = if path.starts_with('[') { "" } else { "." };
            Some(format!("{key}{dot}{path}"))
        }),
        Value::Array(items) => items.iter().enumerate().find_map(|(number, below)| {
            let path = find(below, secret)?;
            Some(format!("[{number}].{path}"))
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::ProjectDeployment;
    use crate::protocol::order::Remote;

    fn platform(secret: Option<&str>) -> Platform {
        let remote = Remote {
            address: "tcp://buildkitd:1234".to_owned(),
            server_name: None,
            secret: secret.map(str::to_owned),
            ..Remote::default()
        };
        Platform { remote: Some(remote), ..Platform::default() }
    }

    fn refusal(spec: &Value) -> Option<String> {
        let mut object = json!({
            "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
            "metadata": { "name": "shop", "namespace": "tenant", "uid": "u" },
        });
        object["spec"] = spec.clone();
        let object: ProjectDeployment = serde_json::from_value(object).unwrap();
        platform(Some("buildkit")).daemon_secret_refusal(&Project::parse(&object).unwrap())
    }

    /// A value of this schema with the fields that it requires.
    fn least(schema: &Value) -> Value {
        match schema["type"].as_str() {
            Some("object") => {
                let required = schema["required"].as_array().cloned().unwrap_or_default();
                let fields = required.iter().filter_map(Value::as_str);
                fields.map(|field| (field.to_owned(), least(&schema["properties"][field]))).collect()
            }
            Some("array") => json!([]),
            Some("integer") => json!(1),
            _ => json!("x"),
        }
    }

    /// Every field below `schema` whose name says Secret, with a least spec that names the Secret there.
    fn fields(schema: &Value) -> Vec<(String, Value)> {
        let mut found = vec![];
        for (key, below) in schema["properties"].as_object().into_iter().flatten() {
            let list = !below["items"].is_null();
            let item = if list { &below["items"] } else { below };
            let wrap = |inner: Value| {
                let mut whole = least(schema);
                whole[key] = if list { json!([inner]) } else { inner };
                whole
            };
            if key.to_lowercase().contains("secret") && !item["properties"]["name"].is_null() {
                let mut reference = least(item);
                reference["name"] = json!("buildkit");
                found.push((key.clone(), wrap(reference)));
                continue;
            }
            let number = if list { "[0]" } else { "" };
            let deeper = fields(item).into_iter();
            found.extend(deeper.map(|(path, inner)| (format!("{key}{number}.{path}"), wrap(inner))));
        }
        found
    }

    #[test]
    fn a_spec_that_names_the_secret_of_the_daemon_in_any_field_is_rejected_with_the_field() {
        let crd = serde_json::to_value(crate::crd::definition()).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let fields = fields(schema);
        let paths: Vec<&str> = fields.iter().map(|(path, _)| path.as_str()).collect();
        let expected = [
            "build.output.pushSecretRef",
            "build.secrets[0].secretRef",
            "run.env[0].valueFrom.secretKeyRef",
            "run.envFrom[0].secretRef",
            "run.imagePullSecrets",
            "run.volumes[0].secret",
            "source.archive.secretRef",
            "source.git.secretRef",
            "source.image.secretRef",
            "source.oci.secretRef",
        ];
        assert_eq!(paths, expected);
        for (path, spec) in &fields {
            let said = refusal(spec).unwrap_or_else(|| panic!("{path} is not checked"));
            assert!(said.starts_with(&format!("spec.{path} names the Secret buildkit")), "{said}");
            let other: Value = serde_json::from_str(&spec.to_string().replace("buildkit", "own")).unwrap();
            assert_eq!(refusal(&other), None, "{path}");
        }
    }

    #[test]
    fn a_recorded_version_is_checked_too() {
        let template = json!({ "spec": {
            "containers": [{ "name": "app", "env": [{ "name": "PORT", "value": "buildkit" }] }],
            "volumes": [{ "name": "tls", "secret": { "secretName": "buildkit" } }],
        }});
        let said = platform(Some("buildkit")).daemon_secret_refusal_of_version("v1", &template).unwrap();
        assert!(said.starts_with("Version v1 names the Secret buildkit in volumes[0].secret"), "{said}");
        for other in [platform(Some("own")), platform(None), Platform::default()] {
            assert_eq!(other.daemon_secret_refusal_of_version("v1", &template), None);
        }
    }
}
