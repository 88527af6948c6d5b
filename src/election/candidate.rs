//! The handle of an operator that takes part in the election. The election runs in its own task, so that no reconcile
//! pass delays a renewal.

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::lease_loop::{Intent, LeaseLoop};
use super::{Leadership, Standing, Times};
use crate::cluster::fence::Fence;
use crate::cluster::leases::Leases;

/// One operator among several. If dropped, it does not release the Lease, like a process that is killed.
pub struct Candidate {
    intent: watch::Sender<Intent>,
    standing: watch::Receiver<Standing>,
    task: JoinHandle<()>,
}

impl Candidate {
    /// Starts to watch the Lease, under the identity `me`, which no other operator may have at the same time.
    #[must_use]
    pub fn start(leases: Leases, fence: Fence, me: String, times: Times) -> Self {
        let (intent, intents) = watch::channel(Intent::Look);
        let (told, standing) = watch::channel(Standing::Standby);
        let lease_loop = LeaseLoop::new(leases, fence, me, times, intents, told);
        Self { intent, standing, task: tokio::spawn(lease_loop.run()) }
    }

    /// Its state, for the health endpoints.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }
}

impl Leadership for Candidate {
    async fn mine(&mut self) {
        self.intent.send_replace(Intent::Lead);
        if self.standing.wait_for(|standing| *standing == Standing::Leading).await.is_err() {
            std::future::pending::<()>().await; // The election has ended, with the process.
        }
    }

    async fn lost(&mut self) {
        let _ = self.standing.wait_for(|standing| *standing != Standing::Leading).await;
    }

    async fn release(mut self) {
        self.intent.send_replace(Intent::End);
        let _ = (&mut self.task).await;
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        self.task.abort();
    }
}
