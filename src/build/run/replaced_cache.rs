//! The cache that the cache of this build took the place of. It has lost its tag, so no list of a registry shows it and no
//! sweep finds it: who replaced it deletes it.

use std::time::Duration;

use super::Build;
use crate::build::cleanup::remote::Remote;

/// Time for it: the image is pushed, and nothing waits for this but the end of the Job.
const TIME: Duration = Duration::from_secs(20);

impl Build {
    /// Name of the cache of the repository.
    fn cache(&self) -> String {
        format!("{}:cache", self.order.repository)
    }

    /// Digest of the cache as it is now.
    pub(super) async fn cache_digest(&self) -> Option<String> {
        self.registry.digest(&self.cache()).await
    }

    /// Deletes the cache that was there `before`, if there is another now. That it stays is said and is no failure.
    pub(super) async fn forget_cache(&self, before: Option<String>) {
        let Some(before) = before.filter(|_| self.order.cleans) else { return };
        if self.cache_digest().await.is_none_or(|now| now == before) {
            return;
        }
        let delete = async {
            let (push, repository) = (&self.push, &self.order.repository);
            Remote::new(&self.http, push, repository, self.order.insecure)?.delete(&before).await
        };
        let why = match tokio::time::timeout(TIME, delete).await {
            Ok(Ok(_)) => return self.log.line("the cache before this one is deleted"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", TIME.as_secs()),
        };
        self.log.line(&format!("the cache before this one ({before}) stays: {why}"));
    }
}
