//! Which tool writes a field again after a person changes it: Flux, Argo CD or Helm, by the field managers of the API
//! server. Pure.

use serde_json::Value;

use crate::crd::ProjectDeployment;

/// The field manager of the CLI and of what it applies.
pub const CLI: &str = "doce-cli";

/// A tool that applies manifests again and again, or at the next release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The controllers of Flux.
    Flux,
    /// Argo CD.
    ArgoCd,
    /// Helm.
    Helm,
}

impl Tool {
    /// The tool with this field manager.
    #[must_use]
    pub fn of(manager: &str) -> Option<Self> {
        let manager = manager.to_ascii_lowercase();
        match manager.as_str() {
            "kustomize-controller" | "helm-controller" | "flux" => Some(Self::Flux),
            "helm" => Some(Self::Helm),
            _ if manager.starts_with("argocd-") => Some(Self::ArgoCd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Flux => "Flux",
            Self::ArgoCd => "Argo CD",
            Self::Helm => "Helm",
        }
    }

    fn when(self) -> &'static str {
        match self {
            Self::Flux => "at its next reconciliation",
            Self::ArgoCd => "at its next sync",
            Self::Helm => "at the next helm upgrade",
        }
    }
}

/// A warning for a change of `field` (`spec.state`, `spec.replicas`, `spec`), if a tool owns it. `instead` is what to write
/// into the manifest.
#[must_use]
pub fn warning(object: &ProjectDeployment, field: &str, instead: &str) -> Option<String> {
    let path: Vec<String> = field.split('.').map(|step| format!("f:{step}")).collect();
    let (tool, manager) = owner(object, &path)?;
    Some(format!(
        "{} ({manager}) owns {field} and sets it back {}. Change it in Git instead: {instead}",
        tool.name(),
        tool.when()
    ))
}

/// The tool that owns the field, and its field manager. A person may have written the field after the tool, and the tool still
/// sets it back.
fn owner<'a>(object: &'a ProjectDeployment, path: &[String]) -> Option<(Tool, &'a str)> {
    let owned = object.metadata.managed_fields.iter().flatten().filter(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        let field = |fields| path.iter().try_fold(fields, |fields: &Value, step| fields.get(step));
        entry.subresource.is_none() && fields.and_then(field).is_some()
    });
    let mut tools = owned.filter_map(|entry| {
        let manager = entry.manager.as_deref()?;
        Some((Tool::of(manager)?, manager))
    });
    tools.next()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written_by(manager: &str, fields: &Value) -> ProjectDeployment {
        serde_json::from_value(json!({
            "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment",
            "metadata": { "name": "shop", "managedFields": [{
                "manager": manager, "operation": "Apply", "time": "2026-11-30T12:00:00Z", "fieldsType": "FieldsV1",
                "fieldsV1": { "f:spec": fields },
            }]},
            "spec": { "source": {} },
        }))
        .unwrap()
    }

    #[test]
    fn a_tool_that_owns_the_field_is_named_with_what_to_change_instead() {
        for (manager, name) in [
            ("kustomize-controller", "Flux"),
            ("helm-controller", "Flux"),
            ("argocd-controller", "Argo CD"),
            ("helm", "Helm"),
            ("Helm", "Helm"),
        ] {
            let object = written_by(manager, &json!({ "f:state": {} }));
            let said = warning(&object, "spec.state", "spec.state: Stopped").unwrap();
            assert!(said.starts_with(name) && said.contains(manager), "{said}");
            assert!(said.ends_with("instead: spec.state: Stopped"), "{said}");
        }
    }

    #[test]
    fn a_tool_is_named_although_a_person_wrote_the_spec_after_it() {
        let mut object = written_by("kustomize-controller", &json!({ "f:state": {} }));
        let later = json!({
            "manager": "kubectl-edit", "operation": "Update", "time": "2026-11-30T13:00:00Z", "fieldsType": "FieldsV1",
            "fieldsV1": { "f:spec": { "f:state": {}, "f:replicas": {} } },
        });
        object.metadata.managed_fields.as_mut().unwrap().push(serde_json::from_value(later).unwrap());
        for field in ["spec", "spec.state"] {
            assert!(
                warning(&object, field, "").unwrap().starts_with("Flux (kustomize-controller)"),
                "{field}"
            );
        }
        assert_eq!(warning(&object, "spec.replicas", ""), None);
    }

    #[test]
    fn a_field_that_no_tool_owns_gets_no_warning() {
        let other_field = written_by("helm", &json!({ "f:source": {} }));
        assert_eq!(warning(&other_field, "spec.state", ""), None);
        assert!(warning(&other_field, "spec", "").is_some());
        let person = written_by("kubectl-edit", &json!({ "f:state": {} }));
        assert_eq!(warning(&person, "spec.state", ""), None);
    }
}
