//! The loop of the election: reads the Lease, acquires it when it is free, renews it, releases it. It opens and closes
//! the fence; the times in the Lease are only for people.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::sync::watch;
use tokio::time::timeout;

use super::lease::{Free, ObservedLease};
use super::{Standing, Times};
use crate::cluster::Error;
use crate::cluster::fence::Fence;
use crate::cluster::leases::Leases;
use crate::text::with_causes;

/// What the operator wants from the election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// Only observe: it cannot work yet. The waiting time for other holders already runs.
    Look,
    /// Lead.
    Lead,
    /// Release the Lease.
    End,
}

/// Why a request for the Lease failed.
enum Trouble {
    /// Another operator holds it.
    Lost(String),
    /// It changed in the meantime.
    Changed,
    /// A fault that may pass.
    Fault(String),
    /// A rejection that does not pass by itself.
    Refused(String),
}

/// One candidate in the contest.
pub(super) struct LeaseLoop {
    leases: Leases,
    fence: Fence,
    me: String,
    times: Times,
    view: ObservedLease,
    intents: watch::Receiver<Intent>,
    told: watch::Sender<Standing>,
    /// The last problem; it is logged once.
    trouble: Option<String>,
    /// The last known holder of the Lease; it is logged once.
    holder: String,
}

impl LeaseLoop {
    /// A candidate that has not read the Lease yet.
    pub(super) fn new(
        leases: Leases,
        fence: Fence,
        me: String,
        times: Times,
        intents: watch::Receiver<Intent>,
        told: watch::Sender<Standing>,
    ) -> Self {
        let view = ObservedLease::new(me.clone(), times);
        Self { leases, fence, me, times, view, intents, told, trouble: None, holder: String::new() }
    }

    /// Takes part in the election until the process ends.
    pub(super) async fn run(mut self) {
        while let Some((held, end)) = self.stand_by().await {
            self.fence.open_until(end);
            self.told.send_replace(Standing::Leading);
            let transitions = held.spec.as_ref().and_then(|spec| spec.lease_transitions);
            tracing::info!(lease = %self.leases, identity = self.me, transitions, "leading: acquired the lease");
            let ended = self.lead(held, end).await;
            self.fence.close();
            match ended {
                Ok(held) => return self.give_back(&held).await,
                Err(why) => {
                    tracing::warn!(lease = %self.leases, identity = self.me, why, "standing by: lost the lease");
                }
            }
            self.told.send_replace(Standing::Standby);
        }
    }

    /// Waits until the Lease is free and wanted, and acquires it. Returns the Lease, and until when this process may
    /// write; `None` when the process ends.
    async fn stand_by(&mut self) -> Option<(Lease, Instant)> {
        self.holder.clear();
        loop {
            let intent = *self.intents.borrow_and_update();
            if intent == Intent::End {
                return None;
            }
            match self.try_to_take(intent).await {
                Ok(Some(taken)) => return Some(taken),
                Ok(None) => self.well(),
                Err(trouble) => self.say(trouble),
            }
            tokio::select! {
                () = tokio::time::sleep(self.times.pause()) => {}
                changed = self.intents.changed() => if changed.is_err() { return None },
            }
        }
    }

    /// Acquires the Lease, if it is free and wanted.
    async fn try_to_take(&mut self, intent: Intent) -> Result<Option<(Lease, Instant)>, Trouble> {
        let lease = self.ask(self.leases.read()).await?;
        let spec = lease.as_ref().map(|lease| lease.spec.clone().unwrap_or_default());
        if let Free::In(left) = self.view.look(spec.as_ref(), Instant::now()) {
            self.say_holder(spec.as_ref(), left);
            return Ok(None);
        }
        if intent != Intent::Lead {
            return Ok(None);
        }
        let sent = Instant::now(); // Before the request: our time must end before others may acquire the Lease.
        let taken = self.view.taken(spec.as_ref(), now());
        let taken = match &lease {
            Some(lease) => self.ask(self.leases.replace(lease, taken)).await?,
            None => self.ask(self.leases.create(taken)).await?,
        };
        self.view.look(taken.spec.as_ref(), sent);
        Ok(Some((taken, sent + self.times.writes())))
    }

    /// Renews the Lease until it is lost, and returns why, or until it must be released, and returns it.
    async fn lead(&mut self, mut held: Lease, mut end: Instant) -> Result<Lease, String> {
        let mut pause = self.times.renew();
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause.min(left(end))) => {}
                () = ended(&mut self.intents) => return Ok(held),
            }
            let sent = Instant::now();
            if sent >= end {
                let why = self.trouble.take().unwrap_or_else(|| "this process was not running".to_owned());
                return Err(format!("could not renew the lease in time: {why}"));
            }
            let renewed = timeout(left(end), self.renew(&held)).await;
            match renewed.unwrap_or_else(|_| Err(Trouble::Fault("no answer".to_owned()))) {
                Ok(lease) => {
                    self.view.look(lease.spec.as_ref(), sent);
                    (held, end, pause) = (lease, sent + self.times.writes(), self.times.renew());
                    self.fence.open_until(end);
                    self.well();
                }
                Err(Trouble::Lost(why)) => return Err(why),
                Err(trouble) => {
                    self.say(trouble);
                    pause = self.times.pause();
                }
            }
        }
    }

    /// Renews the Lease. Other changes to it, such as a label, do not end the leadership.
    async fn renew(&mut self, held: &Lease) -> Result<Lease, Trouble> {
        let spec = held.spec.clone().unwrap_or_default();
        let renewed = self.view.renewed(&spec, now());
        match self.ask(self.leases.replace(held, renewed)).await {
            Err(Trouble::Changed) => {}
            sent => return sent,
        }
        let there = self.ask(self.leases.read()).await?;
        let Some(there) = there else {
            let again = self.view.renewed(&spec, now());
            return self.ask(self.leases.create(again)).await;
        };
        let spec = there.spec.clone().unwrap_or_default();
        if !self.view.holds(&spec) {
            self.view.look(Some(&spec), Instant::now());
            return Err(Trouble::Lost(format!("{} holds the lease", holder(&spec))));
        }
        self.ask(self.leases.replace(&there, self.view.renewed(&spec, now()))).await
    }

    async fn give_back(self, held: &Lease) {
        let spec = ObservedLease::released(&held.spec.clone().unwrap_or_default());
        match self.ask(self.leases.replace(held, spec)).await {
            Ok(_) => tracing::info!(lease = %self.leases, identity = self.me, "released the lease"),
            Err(Trouble::Changed) => {} // It was no longer ours.
            Err(Trouble::Fault(why) | Trouble::Refused(why) | Trouble::Lost(why)) => {
                tracing::warn!(lease = %self.leases, why, "cannot release the lease: it has to expire");
            }
        }
    }

    async fn ask<T>(&self, request: impl Future<Output = Result<T, Error>>) -> Result<T, Trouble> {
        match timeout(self.times.answer(), request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Error::Conflict { .. })) => Err(Trouble::Changed),
            Ok(Err(error @ Error::Refused { .. })) => Err(Trouble::Refused(format!(
                "{error}. Allow the operator's ServiceAccount to get, create and update this Lease, as the chart's Role \
                 does, or run a single operator with --leader-election false"
            ))),
            Ok(Err(error)) => Err(Trouble::Fault(with_causes(&error))),
            Err(_) => Err(Trouble::Fault(format!("no answer within {:?}", self.times.answer()))),
        }
    }

    /// Logs a problem once. A problem that does not pass by itself makes a standby `Unable`.
    fn say(&mut self, trouble: Trouble) {
        let (why, unable) = match trouble {
            Trouble::Changed => return,
            Trouble::Fault(why) | Trouble::Lost(why) => (why, false),
            Trouble::Refused(why) => (why, true),
        };
        if unable && *self.told.borrow() != Standing::Leading {
            self.told.send_replace(Standing::Unable(why.clone()));
        }
        if self.trouble.as_ref() != Some(&why) {
            tracing::warn!(lease = %self.leases, why, "request for the lease failed, retrying");
            self.trouble = Some(why);
        }
    }

    fn well(&mut self) {
        self.trouble = None;
        self.told.send_if_modified(|standing| {
            let unable = matches!(standing, Standing::Unable(_));
            if unable {
                *standing = Standing::Standby;
            }
            unable
        });
    }

    fn say_holder(&mut self, spec: Option<&LeaseSpec>, left: Duration) {
        let holder = spec.map_or_else(|| "no operator".to_owned(), holder);
        if self.holder != holder {
            tracing::info!(lease = %self.leases, identity = self.me, holder, ?left, "standing by");
            self.holder = holder;
        }
    }
}

async fn ended(intents: &mut watch::Receiver<Intent>) {
    let _ = intents.wait_for(|intent| *intent == Intent::End).await;
}

fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

fn holder(spec: &LeaseSpec) -> String {
    spec.holder_identity
        .clone()
        .filter(|holder| !holder.is_empty())
        .unwrap_or_else(|| "no operator".to_owned())
}

fn now() -> MicroTime {
    MicroTime(Timestamp::now())
}
