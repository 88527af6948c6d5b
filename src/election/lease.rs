//! What one process has observed of the Lease, and what follows: whether it may acquire the Lease, and with which
//! content. Only observed changes count, by this process's own clock. Times that others wrote into the Lease are never
//! compared with a clock.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use super::times::{LONGEST, Times};

/// The Lease as one process has observed it.
#[derive(Clone, Debug)]
pub struct ObservedLease {
    me: String,
    times: Times,
    seen: Option<Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    spec: LeaseSpec,
    /// When this process first observed this state.
    since: Instant,
}

/// Whether the Lease may be acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// Now.
    Now,
    /// After this time, if it does not change before.
    In(Duration),
}

impl ObservedLease {
    /// A view that has observed nothing yet.
    #[must_use]
    pub fn new(me: String, times: Times) -> Self {
        Self { me, times, seen: None }
    }

    /// Records the current state of the Lease; `None` if it does not exist.
    pub fn look(&mut self, spec: Option<&LeaseSpec>, now: Instant) -> Free {
        let Some(spec) = spec else {
            // It was deleted, and its holder may not know yet.
            let held = self.seen.as_ref().filter(|seen| !is_released(&seen.spec) && !self.holds(&seen.spec));
            return held.map_or(Free::Now, |seen| self.left(seen, now));
        };
        // No other process has this identity. If the Lease is ours now, and was ours before or when this process began,
        // then no other operator has acquired it since. An identity that was written in later does not count.
        let mine = self.holds(spec) && self.seen.as_ref().is_none_or(|seen| self.holds(&seen.spec));
        let since = self.seen.as_ref().filter(|seen| seen.spec == *spec).map_or(now, |seen| seen.since);
        let seen = self.seen.insert(Seen { spec: spec.clone(), since }).clone();
        if mine || is_released(spec) { Free::Now } else { self.left(&seen, now) }
    }

    /// The holder uses the duration that it wrote; we use the longer of both durations.
    fn left(&self, seen: &Seen, now: Instant) -> Free {
        let theirs = seen.spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let theirs = Duration::from_secs(theirs.unwrap_or(0).min(LONGEST.into()));
        let left = (seen.since + theirs.max(self.times.lease())).saturating_duration_since(now);
        if left.is_zero() { Free::Now } else { Free::In(left) }
    }

    /// Whether `spec` names this process as the holder.
    #[must_use]
    pub fn holds(&self, spec: &LeaseSpec) -> bool {
        spec.holder_identity.as_deref() == Some(&*self.me)
    }

    /// The Lease when this process acquires it.
    #[must_use]
    pub fn taken(&self, before: Option<&LeaseSpec>, now: MicroTime) -> LeaseSpec {
        let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        let another = before.is_some_and(|spec| !self.holds(spec));
        LeaseSpec {
            holder_identity: Some(self.me.clone()),
            acquire_time: Some(now.clone()),
            lease_transitions: Some(transitions.saturating_add(i32::from(another))),
            ..self.renewed(&LeaseSpec::default(), now)
        }
    }

    /// The Lease when this process renews it.
    #[must_use]
    pub fn renewed(&self, held: &LeaseSpec, now: MicroTime) -> LeaseSpec {
        LeaseSpec {
            renew_time: Some(now),
            lease_duration_seconds: Some(self.times.seconds()),
            ..held.clone()
        }
    }

    /// The Lease when this process releases it.
    #[must_use]
    pub fn released(held: &LeaseSpec) -> LeaseSpec {
        LeaseSpec { lease_transitions: held.lease_transitions, ..LeaseSpec::default() }
    }
}

/// Released by its holder, or never held. If only the identity was removed, the times still exist, and the holder may
/// not know yet.
fn is_released(spec: &LeaseSpec) -> bool {
    let nobody = spec.holder_identity.as_deref().unwrap_or_default().is_empty();
    nobody && spec.renew_time.is_none() && spec.acquire_time.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: u64 = 15;

    fn view(me: &str) -> ObservedLease {
        ObservedLease::new(me.to_owned(), Times::of(15))
    }

    fn at(second: i64) -> MicroTime {
        MicroTime(jiff::Timestamp::from_second(second).unwrap())
    }

    fn held(holder: &str, renewed: i64) -> LeaseSpec {
        view(holder).taken(None, at(renewed))
    }

    fn in_seconds(seconds: u64) -> Free {
        Free::In(Duration::from_secs(seconds))
    }

    #[test]
    fn a_missing_or_released_lease_is_free_at_once() {
        let now = Instant::now();
        assert_eq!(view("a").look(None, now), Free::Now);
        assert_eq!(view("a").look(Some(&LeaseSpec::default()), now), Free::Now);
        let mut stands_by = view("a");
        assert_eq!(stands_by.look(Some(&held("b", 0)), now), in_seconds(LEASE));
        assert_eq!(stands_by.look(Some(&ObservedLease::released(&held("b", 0))), now), Free::Now);
    }

    #[test]
    fn a_lease_is_free_only_after_it_is_observed_unchanged_for_its_duration() {
        let begun = Instant::now();
        let second = |seconds| begun + Duration::from_secs(seconds);
        let mut view = view("a");
        // The renew time comes from another clock, so it is ignored.
        assert_eq!(view.look(Some(&held("b", -9_999_999)), second(0)), in_seconds(15));
        assert_eq!(view.look(Some(&held("b", -9_999_999)), second(14)), in_seconds(1));
        assert_eq!(view.look(Some(&held("b", 9_999_999)), second(14)), in_seconds(15));
        assert_eq!(view.look(Some(&held("b", 9_999_999)), second(28)), in_seconds(1));
        assert_eq!(view.look(Some(&held("b", 9_999_999)), second(29)), Free::Now);
    }

    #[test]
    fn the_longer_of_both_lease_durations_counts_and_invalid_ones_are_bounded() {
        let now = Instant::now();
        for (theirs, waits) in
            [(Some(60), 60), (Some(5), 15), (None, 15), (Some(-1), 15), (Some(i32::MAX), 300)]
        {
            let lease = LeaseSpec { lease_duration_seconds: theirs, ..held("b", 0) };
            assert_eq!(view("a").look(Some(&lease), now), in_seconds(waits), "{theirs:?}");
        }
    }

    #[test]
    fn an_operator_restarted_under_the_same_name_keeps_its_lease() {
        assert_eq!(view("a").look(Some(&held("a", 0)), Instant::now()), Free::Now);
    }

    #[test]
    fn a_deleted_or_edited_lease_is_free_only_after_its_holder_must_have_noticed() {
        let begun = Instant::now();
        let second = |seconds| begun + Duration::from_secs(seconds);
        let mut emptied = held("b", 0);
        emptied.holder_identity = None;
        for edited in [None, Some(emptied), Some(held("a", 0)), Some(held("somebody", 0))] {
            let mut view = view("a");
            view.look(Some(&held("b", 0)), second(0));
            let waits = view.look(edited.as_ref(), second(0));
            assert_eq!(waits, in_seconds(LEASE), "{edited:?}");
            assert_eq!(view.look(edited.as_ref(), second(LEASE)), Free::Now, "{edited:?}");
        }
    }

    #[test]
    fn only_taking_over_from_another_holder_counts_as_a_transition() {
        let view = view("a");
        let from_nobody = view.taken(Some(&ObservedLease::released(&held("b", 0))), at(1));
        assert_eq!(from_nobody.lease_transitions, Some(1));
        assert_eq!(view.taken(Some(&from_nobody), at(2)).lease_transitions, Some(1));
        let renewed = view.renewed(&from_nobody, at(3));
        assert_eq!((renewed.acquire_time, renewed.renew_time), (Some(at(1)), Some(at(3))));
        assert_eq!(renewed.lease_duration_seconds, Some(15));
    }
}
