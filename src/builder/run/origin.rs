//! Resolves and fetches each kind of source. It builds nothing.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::Build;
use super::facts::{plain_registries, shown};
use super::large_files::Inner;
use crate::builder::git::{Access, Commit, Git};
use crate::builder::http::{self, Question};
use crate::builder::oci::{Artifact, Registries};
use crate::builder::outcome::Failure;
use crate::builder::{address, source, unpack};
use crate::protocol::order::{CONFIG_MAP_DIR, Reference, Source};
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;
use crate::version::revision;

/// The only key of a ConfigMap that is an archive.
const ARCHIVE: &str = "source.tar.gz";

/// A resolved source, and how to fetch it.
pub(super) enum Origin {
    Git {
        git: Git,
        /// Checked addresses of its host.
        addresses: Vec<IpAddr>,
    },
    Archive {
        /// It was already downloaded to learn its checksum.
        here: bool,
    },
    Oci(Artifact),
    ConfigMap,
}

impl Build {
    /// The current digest of the source.
    pub(super) async fn resolve(&self) -> Result<(String, Origin), Failure> {
        let (digest, origin) = match &self.order.source {
            Source::Git { url, reference } => {
                let (git, addresses) = self.git(url, reference).await?;
                let commit = git.resolve(reference).await?;
                let digest = self.watched(&git, reference, commit).await?;
                (digest, Origin::Git { git, addresses })
            }
            Source::Archive { url, digest: Some(digest) } => {
                let shown = http::named(url, Stage::Resolve)?;
                self.enter(Stage::Resolve, "resolve", &format!("archive {shown}, {digest}"));
                (digest.clone(), Origin::Archive { here: false })
            }
            Source::Archive { url, digest: None } => {
                let digest = self.download(url, Stage::Resolve, "resolve").await?;
                (digest, Origin::Archive { here: true })
            }
            Source::Oci { reference } => {
                self.enter(Stage::Resolve, "resolve", &format!("artifact {reference}"));
                let plain = plain_registries(&self.order);
                let artifact = self.registries(&plain).resolve(reference).await?;
                (artifact.digest.clone(), Origin::Oci(artifact))
            }
            Source::ConfigMap { digest } => {
                self.enter(Stage::Resolve, "resolve", &format!("files of a ConfigMap, {digest}"));
                (digest.clone(), Origin::ConfigMap)
            }
            Source::Image { reference } => (reference.clone(), Origin::ConfigMap),
        };
        self.change(|progress| progress.source = Some(digest.clone()));
        Ok((digest, origin))
    }

    async fn git(&self, url: &str, reference: &Reference) -> Result<(Git, Vec<IpAddr>), Failure> {
        // A rejected URL is not shown: it may contain a password.
        let (host, transport) = address::repository(url).map_err(|refusal| refusal.at(Stage::Resolve))?;
        self.enter(Stage::Resolve, "resolve", &format!("{} of {url}", shown(reference)));
        let addresses = self.http.check(&host, transport, Stage::Resolve).await?;
        let work = &self.workspace.directory;
        let access = Access::of(&self.credentials, transport, &host, &addresses, work)?;
        let git = Git::new(url, work, &host, &addresses, self.workspace.ca.clone(), access)
            .through(self.http.proxy(&host, transport));
        git.init(Stage::Resolve).await?;
        Ok((git, addresses))
    }

    /// Downloads the archive and returns its digest.
    async fn download(&self, url: &str, stage: Stage, name: &'static str) -> Result<String, Failure> {
        let url = http::named(url, stage)?;
        self.enter(stage, name, &format!("archive {url}"));
        let authorization = self.credentials.authorization()?;
        let question = Question { authorization: authorization.as_deref(), ..Question::default() };
        let response = self.http.get(&url, question, stage).await?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(http::refused(&url, response.status(), stage));
        }
        let sum = http::save(response, &self.archive(), source::MAX_BYTES, stage).await?;
        self.log.line(&format!("its checksum is sha256:{sum}"));
        Ok(format!("sha256:{sum}"))
    }

    /// Writes the source below the workspace's tree, and returns its submodules.
    pub(super) async fn fetch(&self, origin: &Origin, digest: &str) -> Result<Vec<Inner>, Failure> {
        let tree = &self.workspace.tree;
        match (&self.order.source, origin) {
            (Source::Git { url, reference }, Origin::Git { git, addresses }) => {
                self.enter(Stage::Fetch, "fetch", &format!("{url} @ {}", digest.get(..7).unwrap_or(digest)));
                let digest = revision(digest);
                if self.order.settings.watch.is_none() {
                    git.fetch(digest, reference).await?; // Else it is here: the watched paths were read from it.
                }
                let room = git.checkout(digest, tree).await?;
                let commit = git.describe(digest).await?;
                self.change(|progress| progress.commit = commit);
                if self.order.settings.submodules {
                    return self.fetch_submodules(git, addresses, digest, room).await;
                }
            }
            (Source::Archive { url, .. }, Origin::Archive { here }) => {
                if !here {
                    let found = self.download(url, Stage::Fetch, "fetch").await?;
                    is_the_same(&found, digest)?;
                }
                self.unpack(self.archive(), true).await?;
            }
            (Source::Oci { reference }, Origin::Oci(artifact)) => {
                self.enter(Stage::Fetch, "fetch", &format!("{reference}, {digest}"));
                let plain = plain_registries(&self.order);
                self.registries(&plain).save(artifact, &self.archive()).await?;
                let subject = artifact.revision.as_deref().map(crate::builder::log::printable);
                let subject = subject.map(|subject| subject.chars().take(200).collect());
                self.change(|progress| progress.commit = Commit { subject, ..Commit::default() });
                self.unpack(self.archive(), false).await?;
            }
            _ => {
                self.enter(Stage::Fetch, "fetch", "files of the ConfigMap");
                let count = source::copy_config_map(Path::new(CONFIG_MAP_DIR), digest, tree)?;
                if count == 1 && tree.join(ARCHIVE).is_file() {
                    std::fs::rename(tree.join(ARCHIVE), self.archive()).map_err(|error| {
                        Failure::workspace(Stage::Fetch, "the archive could not be unpacked", &error)
                    })?;
                    self.unpack(self.archive(), true).await?;
                }
            }
        }
        Ok(vec![])
    }

    /// Unpacks an archive into the tree. With `enter`, an archive with a single directory begins there.
    async fn unpack(&self, archive: PathBuf, enter: bool) -> Result<(), Failure> {
        let tree = self.workspace.tree.clone();
        let work = tokio::task::spawn_blocking(move || {
            unpack::unpack(&archive, &tree)?;
            if enter { unpack::enter_only_directory(&tree) } else { Ok(()) }
        });
        work.await
            .map_err(|error| Failure::workspace(Stage::Fetch, "the archive could not be unpacked", &error))?
    }

    pub(super) fn registries<'a>(&'a self, plain: &'a [String]) -> Registries<'a> {
        Registries { http: &self.http, credentials: &self.credentials, plain }
    }

    fn archive(&self) -> PathBuf {
        self.workspace.directory.join(ARCHIVE)
    }
}

fn is_the_same(found: &str, wanted: &str) -> Result<(), Failure> {
    if found == wanted {
        return Ok(());
    }
    let message = format!(
        "the archive is {found}, not {wanted}: it changed, or spec.source.archive.sha256 is not its checksum"
    );
    Err(Failure::new(Stage::Fetch, FailureReason::SourceChanged, message))
}
