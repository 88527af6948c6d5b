//! Deploys a folder of this machine: packs it, pushes it to a registry, and names it in the spec.

use std::path::Path;

use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::manifest::Manifest;
use super::{apply, changed, live, name_of, preview};
use crate::builder::explain;
use crate::cli::arguments::Deploy;
use crate::cli::deadline::Deadline;
use crate::cli::door::{Applying, Door};
use crate::cli::failure::Failure;
use crate::cli::folder::{Artifact, Files, Packed};
use crate::cli::follow::{Asked, ask};
use crate::cli::registry::Place;
use crate::cli::run_state::warn;
use crate::cli::screen::Screen;
use crate::crd::ProjectDeployment;
use crate::project::Project;
use crate::protocol::order::Settings;
use crate::request::Request;

/// What to do in a cluster that takes no folders.
const INSTEAD: &str =
    "Push the folder to a registry of your own with --repository, or deploy the URL of a Git repository";

/// A folder that is packed, and where it goes.
struct Folder {
    /// Name of the project.
    name: String,
    /// Where it goes.
    place: Place,
    packed: Packed,
    artifact: Artifact,
}

/// Deploys the folder at `path`.
pub(super) async fn run(
    door: &Door,
    screen: &Screen,
    verb: &Deploy,
    path: &str,
    deadline: Deadline,
) -> Result<(), Failure> {
    let files = Files::of(path).map_err(|failure| if looks_remote(path) { remote(path) } else { failure })?;
    let name = name_of(verb, &files.root.to_string_lossy())?;
    let place = match &verb.repository {
        Some(repository) => Place::own(repository)?,
        None => Place::embedded(
            door.uploads(&verb.operator.operator_namespace, INSTEAD).await?,
            &door.namespace,
            &name,
        ),
    };
    let before = door.project_if_there(&name).await?;
    if let Some(before) = &before {
        is_of(before, &place, &door.namespace)?;
    }
    let folder = pack(screen, verb, &files, (name, place), before.as_ref())?;
    match before {
        None => Box::pin(folder.create(door, screen, verb, deadline)).await,
        Some(before) => Box::pin(folder.change(door, screen, verb, &before, deadline)).await,
    }
}

/// Whether a path that does not exist is the address of a repository, without its scheme.
fn looks_remote(path: &str) -> bool {
    let host = path.split('/').next().unwrap_or_default();
    !Path::new(path).exists() && !path.starts_with(['.', '/']) && host.contains('.')
}

fn remote(path: &str) -> Failure {
    Failure::usage(format!(
        "{path} is no folder of this machine. If it is a Git repository, write https://{path}"
    ))
}

/// Packs the folder, and says what is in it and how it will be built.
fn pack(
    screen: &Screen,
    verb: &Deploy,
    files: &Files,
    (name, place): (String, Place),
    before: Option<&ProjectDeployment>,
) -> Result<Folder, Failure> {
    screen.note(&format!("{name}: {}", files.sentence()));
    let secrets = files.secrets();
    if !secrets.is_empty() {
        screen.warn(&format!(
            "{} will be part of the source and perhaps of the image. If it holds secrets, name it in .doceignore and use a Secret: spec.run.envFrom",
            secrets.join(", ")
        ));
    }
    let packed = Packed::of(files)?;
    let mut settings = match before {
        Some(before) => Project::parse(before).map(|project| project.settings).unwrap_or_default(),
        None => Settings::default(),
    };
    if let Some(path) = &verb.path {
        settings.path = Some(path.clone());
    }
    match explained(&packed, &settings)? {
        Ok(sentences) => sentences.iter().for_each(|sentence| screen.note(&format!("{name}: {sentence}"))),
        Err(why) => {
            // Another release of the operator may know better.
            let same_release =
                place.uploads.as_ref().is_some_and(|uploads| uploads.version == env!("CARGO_PKG_VERSION"));
            let message = format!("the build of this folder would fail: {why}");
            if same_release {
                return Err(Failure::error(message));
            }
            screen.warn(&message);
        }
    }
    let artifact = Artifact::of(&packed);
    Ok(Folder { name, place, packed, artifact })
}

/// How the build will see it: in a copy that has only what was packed.
fn explained(packed: &Packed, settings: &Settings) -> Result<Result<Vec<String>, String>, Failure> {
    let failed =
        |error: std::io::Error| Failure::error(format!("cannot unpack the folder for a look at it: {error}"));
    let copy = tempfile::tempdir().map_err(failed)?;
    packed.unpack(copy.path()).map_err(failed)?;
    Ok(explain::sentences(copy.path(), settings))
}

impl Folder {
    fn source(&self, verb: &Deploy) -> Value {
        let mut oci = json!({ "reference": self.place.reference(&self.artifact) });
        if let Some(path) = &verb.path {
            oci["path"] = json!(path);
        }
        if let Some(secret) = &verb.secret {
            oci["secretRef"] = json!({ "name": secret });
        }
        json!({ "oci": oci })
    }

    /// Returns whether anything was missing.
    async fn push(&self, door: &Door, screen: &Screen, is_named: bool) -> Result<bool, Failure> {
        let pushed = self.place.push(door, &self.packed, &self.artifact, is_named).await?;
        if pushed {
            screen.note(&format!("{}: pushed {}, {}", self.name, self.packed.size(), self.artifact.digest));
        }
        Ok(pushed)
    }

    async fn create(
        &self,
        door: &Door,
        screen: &Screen,
        verb: &Deploy,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let manifest = Manifest::new(self.name.clone(), &json!({ "source": self.source(verb) }));
        if !verb.dry_run {
            // What the API server rejects is not worth an upload.
            let applying = Applying { dry_run: true, force: verb.force_conflicts };
            door.apply(&self.name, manifest.value(), applying).await?;
            self.push(door, screen, false).await?;
        }
        apply(door, screen, verb, &[manifest], deadline).await
    }

    /// Sets only the source: the rest of the spec is that of the project.
    async fn change(
        &self,
        door: &Door,
        screen: &Screen,
        verb: &Deploy,
        before: &ProjectDeployment,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let patch = json!({ "spec": { "source": self.source(verb) } });
        let after = door.would_patch(&self.name, &patch).await?;
        let is_new = changed(Some(before), &after) != "unchanged";
        if is_new {
            warn(screen, before, "spec.source", &format!("spec.source.oci.reference of {}", self.name));
        }
        if preview(screen, verb, before, &after, "nothing was pushed or written")? {
            return Ok(());
        }
        let pushed = self.push(door, screen, !is_new).await?;
        let what = match (is_new, pushed) {
            (true, _) => {
                let doing = format!("set the source of project {}", self.name);
                changed(Some(before), &door.patch(&self.name, &patch, &doing).await?)
            }
            (false, true) => "unchanged: the registry had lost its folder",
            (false, false) => "unchanged: it has this folder already",
        };
        screen.print(&format!("projectdeployment.doce.dev/{} {what}", self.name));
        if pushed && !is_new {
            let Asked { outcome, .. } = ask(door, screen, &self.name, &[Request::retry()], deadline).await?;
            screen.print(&format!("{}: {outcome}", self.name));
        }
        live(door, screen, &self.name, deadline).await
    }
}

/// Rejects a project whose source is something else than folders at this place.
fn is_of(object: &ProjectDeployment, place: &Place, namespace: &str) -> Result<(), Failure> {
    let there = object.spec.source.oci.as_ref().map(|oci| oci.reference.as_str());
    let repository =
        there.map(|reference| reference.split_once('@').map_or(reference, |(repository, _)| repository));
    if repository == Some(place.repository.as_str()) {
        return Ok(());
    }
    let name = object.name_any();
    let (there, other) = match repository {
        Some(repository) => {
            (format!("the source {repository}"), format!(", push there with --repository {repository}"))
        }
        None => ("a source that is no folder".to_owned(), String::new()),
    };
    Err(Failure::usage(format!(
        "project {name} exists in namespace {namespace} with {there}. Choose another name with --name{other}, or change spec.source of {name} \
         with a manifest: kubectl doce deploy -f FILE -n {namespace}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_repository_without_its_scheme_is_no_folder() {
        for (path, expected) in [
            ("github.com/you/shop", true),
            ("./github.com/you/shop", false),
            ("apps/shop", false),
            ("/srv/shop.v2/x", false),
        ] {
            assert_eq!(looks_remote(path), expected, "{path}");
        }
    }

    #[test]
    fn a_project_with_another_source_is_never_changed_by_a_folder() {
        let object = |source: Value| -> ProjectDeployment {
            serde_json::from_value(json!({
                "apiVersion": "doce.dev/v1alpha1", "kind": "ProjectDeployment", "metadata": { "name": "shop" },
                "spec": { "source": source },
            }))
            .unwrap()
        };
        let place = Place::own("ghcr.io/you/shop-source").unwrap();
        let sum = format!("sha256:{}", "0".repeat(64));
        let of = |repository: &str| json!({ "oci": { "reference": format!("{repository}@{sum}") } });
        assert_eq!(is_of(&object(of("ghcr.io/you/shop-source")), &place, "team"), Ok(()));
        for (source, says) in [
            (of("ghcr.io/you/other"), "--repository ghcr.io/you/other"),
            (json!({ "git": { "url": "https://git.test/shop.git" } }), "no folder"),
        ] {
            let failure = is_of(&object(source), &place, "team").unwrap_err();
            assert!(
                failure.message.contains(says) && failure.message.contains("--name"),
                "{}",
                failure.message
            );
        }
    }
}
