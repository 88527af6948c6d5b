//! The cache that the cache of this build took the place of. It has lost its tag, so no list of a registry shows it and no
//! sweep finds it: who replaced it deletes it.

use std::time::Duration;

use super::Build;
use crate::builder::cleanup::repository::{Error, Repository};
use crate::protocol::report::Report;

/// Time for it: the image is pushed, and nothing waits for this but the end of the Job.
const TIME: Duration = Duration::from_secs(20);

impl Build {
    /// Digest of the cache as it is now.
    pub(super) async fn cache_digest(&self) -> Option<String> {
        self.registry.digest(&format!("{}:cache", self.order.repository)).await
    }

    /// After a build: deletes the cache that was there before it, if there is another now. That it stays is said and is
    /// no failure: the report is written.
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
            Ok(Ok(None)) => return self.log.line("the cache before this one is deleted"),
            Ok(Ok(Some(tag))) => format!("tag {tag}, which is none of ours, points to it"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", TIME.as_secs()),
        };
        self.log.line(&format!("the cache before this one ({before}) stays: {why}"));
    }
}
