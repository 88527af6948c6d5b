//! Deletes the cache that the cache of this build replaced. It has lost its tag, so no registry lists it and no sweep
//! finds it: the build that replaced it must delete it.

use std::time::Duration;

use super::Build;
use crate::builder::cleanup::repository::{Error, Repository};
use crate::protocol::report::Report;

/// Time limit. The image is pushed, and only the end of the Job waits for this.
const TIME: Duration = Duration::from_secs(20);

impl Build {
    /// Digest of the current cache.
    pub(super) async fn cache_digest(&self) -> Option<String> {
        self.registry.digest(&format!("{}:cache", self.order.repository)).await
    }

    /// After a build: deletes the previous cache if there is a new one. A failure is only logged, because the report is
    /// written.
    pub(super) async fn forget_cache(&self, report: &Report) {
        let before = self.progress().cache.filter(|_| self.order.cleans);
        let (Report::Built(_), Some(before)) = (report, before) else { return };
        if self.cache_digest().await.is_none_or(|now| now == before) {
            return;
        }
        let delete = async {
            let (push, named) = (&self.push, &self.order.repository);
            let repository = Repository::new(&self.http, push, named, self.order.insecure)?;
            let tag = repository.other_tag(&before).await?;
            if tag.is_none() {
                repository.delete(&before).await?;
            }
            Ok::<_, Error>(tag)
        };
        let why = match tokio::time::timeout(TIME, delete).await {
            Ok(Ok(None)) => return self.log.line("deleted the previous cache"),
            Ok(Ok(Some(tag))) => format!("tag {tag}, which doce-operator did not create, points to it"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", TIME.as_secs()),
        };
        self.log.line(&format!("kept the previous cache ({before}): {why}"));
    }
}
