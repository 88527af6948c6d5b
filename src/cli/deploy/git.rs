//! The manifest for a Git repository that a person names by its URL.

use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::manifest::Manifest;
use super::name_of;
use crate::cli::arguments::Deploy;
use crate::cli::failure::Failure;
use crate::crd::ProjectDeployment;

/// The manifest. The API server checks the URL.
pub(super) fn manifest(url: &str, verb: &Deploy) -> Result<Manifest, Failure> {
    let mut git = json!({ "url": url });
    for (field, value) in reference(verb) {
        if value.is_some() {
            git["ref"] = json!({ field: value });
        }
    }
    set(&mut git, verb);
    Ok(Manifest::new(name_of(verb, url)?, &json!({ "source": { "git": git } })))
}

/// The merge patch of a project that has the repository already: only the fields that flags name.
pub(super) fn change(verb: &Deploy) -> Value {
    let mut git = json!({});
    if reference(verb).iter().any(|(_, value)| value.is_some()) {
        // A null removes the field: a project has one of them.
        git["ref"] =
            reference(verb).into_iter().map(|(field, value)| (field.to_owned(), json!(value))).collect();
    }
    set(&mut git, verb);
    if git == json!({}) { git } else { json!({ "spec": { "source": { "git": git } } }) }
}

/// Rejects a project that has another source than this repository.
pub(super) fn is_of(object: &ProjectDeployment, url: &str, namespace: &str) -> Result<(), Failure> {
    let source = &object.spec.source;
    let there = source.git.as_ref().map(|git| git.url.as_str());
    if there == Some(url) {
        return Ok(());
    }
    let name = object.name_any();
    let there = match there {
        Some(url) => format!("source {url}"),
        None => "a source that is no Git repository".to_owned(),
    };
    Err(Failure::usage(format!(
        "project {name} exists in namespace {namespace} with {there}. Choose another name for {url} with --name, or change spec.source \
         of {name} with a manifest: kubectl doce deploy -f FILE -n {namespace}"
    )))
}

fn reference(verb: &Deploy) -> [(&'static str, Option<&String>); 3] {
    [("branch", verb.branch.as_ref()), ("tag", verb.tag.as_ref()), ("commit", verb.commit.as_ref())]
}

fn set(git: &mut Value, verb: &Deploy) {
    if let Some(path) = &verb.path {
        git["path"] = json!(path);
    }
    if let Some(secret) = &verb.secret {
        git["secretRef"] = json!({ "name": secret });
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::arguments::{Arguments, Verb};
    use crate::cli::failure::Exit;

    #[test]
    fn a_change_of_a_project_sets_only_what_flags_name() {
        for (flags, expected) in [
            ("", json!({})),
            ("--path apps", json!({ "spec": { "source": { "git": { "path": "apps" } } } })),
            (
                "--tag v1 --secret login",
                json!({ "spec": { "source": { "git": {
                    "ref": { "branch": null, "tag": "v1", "commit": null }, "secretRef": { "name": "login" },
                } } } }),
            ),
        ] {
            let line = ["kubectl-doce", "deploy", "https://git.test/shop.git"];
            let line = line.into_iter().chain(flags.split_whitespace());
            let Verb::Deploy(verb) = Arguments::try_parse_from(line).unwrap().verb else { panic!() };
            assert_eq!(change(&verb), expected, "{flags}");
        }
    }

    #[test]
    fn a_project_with_another_source_is_never_changed_by_a_url() {
        let object = |source: Value| -> ProjectDeployment {
            serde_json::from_value(json!({
                "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "metadata": { "name": "shop" },
                "spec": { "source": source },
            }))
            .unwrap()
        };
        let url = "https://git.test/shop.git";
        assert_eq!(is_of(&object(json!({ "git": { "url": url } })), url, "team"), Ok(()));
        for (source, says) in [
            (json!({ "git": { "url": "https://git.test/other/shop.git" } }), "other/shop.git"),
            (json!({ "configMap": { "name": "site" } }), "no Git repository"),
        ] {
            let failure = is_of(&object(source), url, "team").unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(
                failure.message.contains(says) && failure.message.contains("--name"),
                "{}",
                failure.message
            );
        }
    }
}
