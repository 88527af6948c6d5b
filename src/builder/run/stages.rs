//! The stages of a build and their log lines. No stage knows what comes before or after it.

use std::path::{Path, PathBuf};

use super::Build;
use super::facts::{plain_registries, tag};
use super::notes::{AUTHOR, COMMITTED_AT, KEY, MESSAGE};
use crate::builder::address::Transport;
use crate::builder::buildkit::{self, Daemon};
use crate::builder::detect::{self, Recipe};
use crate::builder::git::Commit;
use crate::builder::outcome::Failure;
use crate::builder::registry::{self, Advice};
use crate::builder::source;
use crate::protocol::report::{Built, Stage};

/// What to do when the platform's registry is full.
const PLATFORMS_FULL: &str = "ask the platform owner for more space: a larger \
    registry.embedded.persistence.size of the chart, or a higher quota of the registry in registry.push. A lower \
    spec.history.limit keeps fewer images; docs/embedded-registry.md explains when their space is freed";

/// What to do when the registry of the project is full.
const PROJECTS_FULL: &str = "free space in the registry of spec.build.output.repository, or raise its \
    quota. A lower spec.history.limit keeps fewer images there";

impl Build {
    /// A prebuilt image: its digest, and what the rollout needs to know about it.
    pub(super) async fn prebuilt(&self, name: &str) -> Result<Built, Failure> {
        self.enter(Stage::Resolve, "resolve", name);
        let reference = registry::parse(name).map_err(|error| error.of_source())?;
        // The platform chose the mirror; the user chose every other registry, and it may point anywhere.
        let image = match self.registry.describe_at_mirror(&reference).await {
            Some(image) => image,
            None => self.registries(&plain_registries(&self.order)).describe(&reference).await?,
        };
        let place = format!("{}/{}@{}", reference.registry(), reference.repository(), image.digest);
        let uid = self.uid(&image, &place, None).await;
        let (digest, platform, ports) = (image.digest.clone(), image.platform, image.ports);
        Ok(Built { source: image.digest, digest, uid, platform, ports, ..Built::default() })
    }

    /// Checks that a repository that a person named is at an address that a build may connect to.
    pub(super) async fn check_output(&self) -> Result<(), Failure> {
        if self.order.settings.repository.is_none() {
            return Ok(());
        }
        // The push address: the platform's registry may have another address on nodes than in the pod.
        let repository = &self.order.repository;
        let checked = async {
            let reference = registry::parse(repository).map_err(|error| error.of_push(&Advice::default()))?;
            let transport = if self.order.insecure { Transport::Http } else { Transport::Https };
            self.http.check(&registry::host(&reference)?, transport, Stage::Push).await
        };
        checked.await.map(drop).map_err(|failure| {
            let message = format!("spec.build.output.repository: {}", failure.message);
            Failure::new(Stage::Push, failure.reason, message)
        })
    }

    /// What to do when the registry for images rejects one.
    pub(super) fn advice(&self) -> Advice {
        let own = self.order.settings.repository.is_some();
        let refused = self.push.advice(&self.order.repository);
        Advice { refused, full: if own { PROJECTS_FULL } else { PLATFORMS_FULL } }
    }

    /// Whether the registry already has the image of this key.
    pub(super) async fn ask(&self, key: &str, digest: &str) -> Result<Option<Built>, Failure> {
        if self.order.rebuilds {
            return Ok(None);
        }
        let repository = &self.order.repository;
        self.enter(Stage::Push, "ask", &format!("is {} in {repository}?", tag(key)));
        let image = match self.registry.describe(&format!("{repository}:{}", tag(key))).await {
            Ok(image) => image,
            Err(registry::Error::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error.of_push(&self.advice())),
        };
        let noted = |name: &str| image.annotations.get(name).cloned();
        // The tag has only the beginning of the key, and a person may have pushed another image there.
        if noted(KEY).as_deref() != Some(key) {
            return Ok(None);
        }
        let committed_at = noted(COMMITTED_AT).and_then(|text| text.parse().ok());
        let commit = Commit { subject: noted(MESSAGE), author: noted(AUTHOR), committed_at };
        self.change(|progress| progress.commit = commit);
        let built = self.built(image, key, digest, None).await;
        Ok(Some(Built { reused: true, ..built }))
    }

    /// The directory to build, after a check that nothing in the source leads out of its tree.
    pub(super) async fn verify(&self) -> Result<PathBuf, Failure> {
        self.enter(Stage::Verify, "verify", "links and sizes");
        let tree = self.workspace.tree.clone();
        let path = self.order.settings.path.clone();
        let work = tokio::task::spawn_blocking(move || {
            let size = source::verify(&tree)?;
            Ok((size, source::context(&tree, path.as_deref())?))
        });
        let (size, context) = work
            .await
            .map_err(|error| Failure::workspace(Stage::Verify, "the source could not be read", &error))??;
        self.log.line(&format!("{} entries, {} KiB", size.files, size.bytes.div_ceil(1024)));
        Ok(context)
    }

    pub(super) fn detect(&self, context: &Path) -> Result<Recipe, Failure> {
        self.enter(Stage::Detect, "detect", self.order.settings.path.as_deref().unwrap_or("."));
        let recipe = detect::detect(&self.workspace.tree, context, &self.order.settings)?;
        match &recipe {
            Recipe::Dockerfile(name) => self.log.line(&format!("{name} of the source")),
            Recipe::Generated(generated) => {
                let framework = generated.framework.name();
                self.log.line(&format!("framework: {framework}"));
                for line in generated.findings.lines() {
                    self.log.line(&line);
                }
                if let Some(command) = generated.starts() {
                    self.log.line(&format!("starts: {command}"));
                }
                self.log.line("generated Dockerfile:");
                for line in generated.text.lines() {
                    self.log.line(&format!("    {line}"));
                }
            }
        }
        Ok(recipe)
    }

    /// The build context for BuildKit: the directory to build, or the whole source if a workspace needs it.
    pub(super) fn context<'a>(&'a self, context: &'a Path, recipe: &Recipe) -> &'a Path {
        match recipe {
            Recipe::Generated(generated) if generated.context == detect::Context::Source => {
                &self.workspace.tree
            }
            _ => context,
        }
    }

    /// The directory of the Dockerfile, after writing a generated one.
    pub(super) fn dockerfile(&self, context: &Path, recipe: &Recipe) -> Result<PathBuf, Failure> {
        match recipe {
            Recipe::Dockerfile(_) => Ok(context.to_owned()),
            Recipe::Generated(generated) => {
                self.workspace.write_dockerfile(&generated.text, &generated.ignore(context)?)
            }
        }
    }

    pub(super) async fn build(
        &self,
        daemon: &Daemon,
        context: &Path,
        recipe: &Recipe,
        dockerfile: PathBuf,
        (key, digest): (&str, &str),
    ) -> Result<Built, Failure> {
        let name = match recipe {
            Recipe::Dockerfile(name) => name,
            Recipe::Generated(_) => "Dockerfile",
        };
        let labels = self.labels(digest, jiff::Timestamp::now());
        let annotations = self.annotations(key, recipe, &labels);
        let advice = self.advice();
        let cache = self.cache_digest().await;
        self.change(|progress| progress.cache.clone_from(&cache));
        let solve = buildkit::Solve {
            context,
            dockerfile: (&dockerfile, name),
            settings: &self.order.settings,
            repository: &self.order.repository,
            tag: &tag(key),
            cached: cache.is_some(),
            annotations: &annotations,
            labels: &labels,
            step_ca: self.workspace.step_ca.as_deref(),
            secrets: self.step_secrets.files()?,
            insecure: self.order.insecure && self.order.remote.is_some(),
            proxies: self.http.proxies(),
            cache_namespace: self.order.remote.as_ref().map(|remote| remote.namespace.as_str()),
            advice: &advice,
            metadata: &self.workspace.directory.join("metadata.json"),
        };
        let pushing = || self.enter(Stage::Push, "push", &self.order.repository);
        let (pushed, steps) = match daemon.solve(&solve, &self.log, pushing).await {
            Ok(made) => made,
            Err(failure) => return Err(self.heard(failure).await),
        };
        self.change(|progress| progress.stage = Some(Stage::Push));
        let image = self.registry.describe(&format!("{}@{pushed}", self.order.repository)).await;
        let image = image.map_err(|error| error.of_push(&advice))?;
        let built = self.built(image, key, digest, Some(daemon)).await;
        Ok(Built { steps: Some(steps.steps), cached: Some(steps.cached), ..built })
    }
}
