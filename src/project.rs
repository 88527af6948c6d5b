//! A `ProjectDeployment`, parsed once and valid from here on. Pure: it holds the desired state, not the observed one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource as _;

use crate::crd::annotations::{self, RequestKind};
use crate::crd::field_managers::FieldManagers;
use crate::crd::pods::Copied;
use crate::crd::spec::{self, NodePortMode, OnFailure, Run, State};
use crate::crd::{ProjectDeployment, spec::Source};
use crate::protocol::order::{self, Settings};
use crate::version::{revision, text_digest};

/// Namespace and name of a project.
pub type Key = (String, String);

/// The desired state and the requests of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// Namespace of the object and of every child.
    pub namespace: String,
    /// Name of the object, of its Deployment, Service and ledger.
    pub name: String,
    /// Identity: a later object with the same name is another project.
    pub uid: String,
    /// Age of the object: later writes have greater numbers. None if the API server gives none.
    pub resource_version: Option<u64>,
    /// When the object was created.
    pub created: Option<Timestamp>,
    /// Generation of the spec.
    pub generation: i64,
    /// Whether the object is being deleted. The operator then writes nothing.
    pub deleting: bool,
    /// Where the source is.
    pub source: Source,
    /// Seconds between lookups, if the operator polls the source.
    pub interval: Option<i64>,
    /// How the image is built: everything in the build key except the source.
    pub settings: Settings,
    /// The Secret for pushing images.
    pub push_secret: Option<String>,
    /// Secrets that build steps may read.
    pub build_secrets: Vec<order::BuildSecret>,
    /// Whether the operator may delete images that no record names from the repository.
    pub cleans: bool,
    /// Seconds that one build may take.
    pub build_timeout: i64,
    /// CPU and memory of the build pod. Not part of the build key or the version.
    pub build_resources: Option<spec::BuildResources>,
    /// How the image runs: everything in the version except the image.
    pub run: Run,
    /// How a new version takes over.
    pub rollout: spec::Rollout,
    /// Desired number of pods; 0 if stopped.
    pub replicas: i32,
    /// Whether the project has a port on the nodes.
    pub has_node_port: bool,
    /// The port of the spec, in mode Fixed.
    pub fixed_port: Option<u16>,
    /// Who may connect to the app's pods; `None`: everyone.
    pub allow_from: Option<Vec<spec::AllowedSource>>,
    /// Version or prefix that the spec pins, without the `v`.
    pub pin: Option<String>,
    /// Maximum number of records.
    pub limit: usize,
    /// The requests of the object.
    pub requests: BTreeMap<RequestKind, String>,
    /// `doce.dev/` annotations that are not requests, see [`annotations::unknown`].
    pub unknown: BTreeMap<String, String>,
    /// Labels and annotations of the object to copy to the children, as the platform chooses them.
    pub copied: Copied,
    /// The field managers that wrote the spec and the requests.
    pub field_managers: FieldManagers,
}

/// How the operator gets the digest of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DigestSource {
    /// The spec contains it: a commit, the checksum of an archive, or an artifact or image by digest.
    Fixed(String),
    /// It is the digest of the content of this ConfigMap.
    ConfigMap(String),
    /// A lookup finds it. The text is a hash of what to look up (URL and ref, URL of an archive, or tag).
    LookedUp(String),
}

/// The object lacks a field that the API server sets on every object.
#[derive(Debug, thiserror::Error)]
#[error("the object has no {0}: it does not come from an API server")]
pub struct Incomplete(&'static str);

impl Project {
    /// Parses an object of the API server.
    pub fn parse(object: &ProjectDeployment) -> Result<Self, Incomplete> {
        let (meta, spec) = (&object.metadata, &object.spec);
        let stopped = spec.state == State::Stopped;
        let port = spec.expose.node_port.port.and_then(|port| u16::try_from(port).ok());
        Ok(Self {
            namespace: meta.namespace.clone().ok_or(Incomplete("namespace"))?,
            name: meta.name.clone().ok_or(Incomplete("name"))?,
            uid: meta.uid.clone().ok_or(Incomplete("uid"))?,
            resource_version: meta.resource_version.as_deref().and_then(|version| version.parse().ok()),
            created: meta.creation_timestamp.as_ref().map(|time| time.0),
            generation: meta.generation.unwrap_or(0),
            deleting: meta.deletion_timestamp.is_some(),
            source: spec.source.clone(),
            interval: spec.source.interval(),
            settings: settings(spec),
            push_secret: spec.build.output.push_secret_ref.as_ref().map(|secret| secret.name.clone()),
            build_secrets: spec.build.secrets.iter().map(build_secret).collect(),
            cleans: spec.build.output.cleanup == spec::Cleanup::Delete,
            build_timeout: spec.build.timeout_seconds,
            build_resources: spec.build.resources.clone(),
            run: spec.run.clone(),
            rollout: spec.rollout.clone(),
            replicas: if stopped { 0 } else { spec.replicas },
            has_node_port: spec.expose.node_port.mode != NodePortMode::None,
            fixed_port: port.filter(|_| spec.expose.node_port.mode == NodePortMode::Fixed),
            allow_from: spec.expose.allow_from.clone(),
            pin: spec.pinned_version.as_deref().map(|pin| pin.trim_start_matches('v').to_owned()),
            limit: usize::try_from(spec.history.limit).unwrap_or(2),
            requests: annotations::requests(meta.annotations.as_ref().unwrap_or(&BTreeMap::new())),
            unknown: annotations::unknown(meta.annotations.as_ref().unwrap_or(&BTreeMap::new())),
            copied: Copied::default(),
            field_managers: FieldManagers::read(meta.managed_fields.as_ref()),
        })
    }

    /// Whether the project should have no pods.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.replicas == 0
    }

    /// Whether a trial costs nothing: no old pod ends before a new one is ready, and the operator returns from a failed
    /// version.
    #[must_use]
    pub fn trial_takes_nothing(&self) -> bool {
        self.returns() && self.rollout.strategy == crate::crd::spec::Takeover::Surge
    }

    /// Whether the operator returns from a failed version to the last live one.
    #[must_use]
    pub fn returns(&self) -> bool {
        self.rollout.on_failure == OnFailure::Return
    }

    /// How the operator gets the digest of the source.
    #[must_use]
    pub fn origin(&self) -> DigestSource {
        if let Some(git) = &self.source.git {
            return match git.reference.as_ref().and_then(|reference| reference.commit.clone()) {
                Some(commit) => DigestSource::Fixed(commit),
                None => DigestSource::LookedUp(text_digest(&format!("git {} {}", git.url, self.reference()))),
            };
        }
        if let Some(archive) = &self.source.archive {
            return match &archive.sha256 {
                Some(sum) => DigestSource::Fixed(format!("sha256:{sum}")),
                None => DigestSource::LookedUp(text_digest(&format!("archive {}", archive.url))),
            };
        }
        if let Some(map) = &self.source.config_map {
            return DigestSource::ConfigMap(map.name.clone());
        }
        let (kind, reference) = match &self.source.oci {
            Some(oci) => ("oci", oci.reference.as_str()),
            None => ("image", self.image_reference()),
        };
        match reference.split_once('@') {
            Some((_, digest)) => DigestSource::Fixed(digest.to_owned()),
            None => DigestSource::LookedUp(text_digest(&format!("{kind} {reference}"))),
        }
    }

    /// The ref for messages: `branch main`, `tag v1.4.0`, a commit, an archive, an artifact, a ConfigMap or an image.
    #[must_use]
    pub fn reference(&self) -> String {
        if let Some(git) = &self.source.git {
            return match Self::git_reference(git) {
                order::Reference::Branch(name) => format!("branch {name}"),
                order::Reference::Tag(name) => format!("tag {name}"),
                order::Reference::Commit(commit) => format!("commit {commit}"),
                order::Reference::Default => "the default branch".to_owned(),
            };
        }
        let Source { archive, oci, config_map, .. } = &self.source;
        match (archive, oci, config_map) {
            (Some(archive), _, _) => format!("archive {}", archive.url),
            (_, Some(oci), _) => format!("artifact {}", oci.reference),
            (_, _, Some(map)) => format!("ConfigMap {}", map.name),
            _ => format!("image {}", self.image_reference()),
        }
    }

    fn git_reference(git: &spec::Git) -> order::Reference {
        let reference = git.reference.clone().unwrap_or_default();
        match (reference.branch, reference.tag, reference.commit) {
            (Some(branch), _, _) => order::Reference::Branch(branch),
            (_, Some(tag), _) => order::Reference::Tag(tag),
            (_, _, Some(commit)) => order::Reference::Commit(commit),
            _ => order::Reference::Default,
        }
    }

    /// The source for the order to a build pod. `digest` is what the content must have, if it is known.
    pub fn order_source(&self, digest: Option<&str>) -> order::Source {
        if let Some(git) = &self.source.git {
            let commit = digest.map(|digest| order::Reference::Commit(revision(digest).to_owned()));
            return order::Source::Git {
                url: git.url.clone(),
                reference: commit.unwrap_or_else(|| Self::git_reference(git)),
            };
        }
        if let Some(archive) = &self.source.archive {
            return order::Source::Archive { url: archive.url.clone(), digest: digest.map(str::to_owned) };
        }
        if let Some(oci) = &self.source.oci {
            // By digest, if known, because the tag may move meanwhile.
            let reference =
                digest.map_or_else(|| oci.reference.clone(), |digest| by_digest(&oci.reference, digest));
            return order::Source::Oci { reference };
        }
        if self.source.config_map.is_some() {
            return order::Source::ConfigMap { digest: digest.unwrap_or_default().to_owned() };
        }
        order::Source::Image { reference: self.image_reference().to_owned() }
    }

    /// Whether the source is a prebuilt image, which has no build key.
    #[must_use]
    pub fn prebuilt(&self) -> bool {
        self.source.image.is_some()
    }

    /// The image by `digest`, as nodes pull it.
    #[must_use]
    pub fn prebuilt_image(&self, digest: &str) -> String {
        by_digest(self.image_reference(), digest)
    }

    fn image_reference(&self) -> &str {
        self.source.image.as_ref().map_or("", |image| image.reference.as_str())
    }

    /// The owner reference of every child.
    #[must_use]
    pub fn owner(&self) -> OwnerReference {
        OwnerReference {
            api_version: ProjectDeployment::api_version(&()).into_owned(),
            kind: ProjectDeployment::kind(&()).into_owned(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }
}

/// The reference without its tag, at `digest`.
fn by_digest(reference: &str, digest: &str) -> String {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let name = name[slash..].find(':').map_or(name, |colon| &name[..slash + colon]);
    format!("{name}@{digest}")
}

fn settings(spec: &spec::ProjectDeploymentSpec) -> Settings {
    let build = &spec.build;
    Settings {
        path: spec
            .source
            .path()
            .map(|path| path.trim_end_matches('/').to_owned())
            .filter(|path| !path.is_empty() && path != "."),
        submodules: spec.source.git.as_ref().is_some_and(|git| git.submodules),
        watch: spec.source.git.as_ref().and_then(watched),
        strategy: build.strategy,
        dockerfile: build.dockerfile.clone(),
        target: build.target.clone(),
        args: build.args.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect(),
        epoch: build.epoch,
        command: build.command.clone(),
        output_directory: build.output_directory.clone(),
        framework: build.framework,
        secrets: build.secrets.iter().map(|secret| secret.id.clone()).collect(),
        repository: build.output.repository.clone(),
    }
}

/// The watched files of a Git repository; none if the spec names a commit, which is always built whole.
fn watched(git: &spec::Git) -> Option<order::Watch> {
    let is_named = git.reference.as_ref().is_some_and(|reference| reference.commit.is_some());
    let watch = git.watch.as_ref().filter(|_| !is_named)?;
    Some(match watch.paths.as_slice() {
        [] => order::Watch::Workspace,
        paths => order::Watch::Paths(paths.iter().map(|path| path.0.clone()).collect()),
    })
}

fn build_secret(secret: &spec::BuildSecret) -> order::BuildSecret {
    let spec::BuildSecret { id, secret_ref } = secret.clone();
    order::BuildSecret { key: secret_ref.key.unwrap_or_else(|| id.clone()), secret: secret_ref.name, id }
}
