//! The watched paths of a commit, which make its version. The build pod determines them before it builds anything.

use super::Build;
use crate::builder::detect::{self, Needed};
use crate::builder::git::Git;
use crate::builder::outcome::Failure;
use crate::builder::source;
use crate::protocol::order::{Reference, Settings, Watch};
use crate::protocol::report::Stage;

/// Most paths that the log names.
const MOST_SHOWN: usize = 100;

impl Build {
    /// The digest of a commit. If only some paths make a version, their digest is appended.
    pub(super) async fn watched(
        &self,
        git: &Git,
        reference: &Reference,
        commit: String,
    ) -> Result<String, Failure> {
        let Settings { path, watch, .. } = &self.order.settings;
        let Some(watch) = watch else { return Ok(commit) };
        git.fetch(&commit, reference).await?;
        let watched = match watch {
            Watch::Paths(paths) => git.watched(&commit, path.as_deref(), paths).await?,
            Watch::Workspace => self.watched_by_workspace(git, &commit).await?,
        };
        self.log.line(&format!("commit {commit}; digest of the watched paths: {watched}"));
        Ok(format!("{commit}@{watched}"))
    }

    /// The digest of the paths that the directory of the project needs, according to the workspaces in a fetched
    /// commit.
    async fn watched_by_workspace(&self, git: &Git, commit: &str) -> Result<String, Failure> {
        git.checkout(commit, &self.workspace.tree).await?;
        let tree = self.workspace.tree.clone();
        let path = self.order.settings.path.clone();
        let work = tokio::task::spawn_blocking(move || {
            let context = source::context(&tree, path.as_deref())?;
            let root = source::context(&tree, None)?;
            Ok(detect::needed(&root, &context))
        });
        let needed = work
            .await
            .map_err(|error| Failure::workspace(Stage::Verify, "the source could not be read", &error))??;
        match needed {
            Needed::Paths(paths) => {
                let list: Vec<&str> = paths.iter().map(String::as_str).take(MOST_SHOWN).collect();
                let more = if paths.len() > MOST_SHOWN { ", \u{2026}" } else { "" };
                self.log.line(&format!(
                    "watched: {}{more}, and the files of package managers at the root",
                    list.join(", ")
                ));
                git.watched(commit, None, &paths).await
            }
            Needed::Everything(because) => {
                self.log.line(&format!("watched: the whole repository, because {because}"));
                git.everything(commit).await
            }
        }
    }
}
