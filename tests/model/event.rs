//! What can happen to a project from outside: people, nature, other hands. Only the shapes and how likely they are.

use proptest::prelude::*;

use super::nature::{BAD_EPOCH, RUNS, SOURCES};

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The spec names another source.
    Source(Source),
    /// Branch, tag and `ConfigMap` move to this source.
    Push(u8),
    /// The same, and a deploy request.
    PushAndDeploy(u8),
    /// `spec.run` changes.
    Run(u8),
    /// `spec.build.epoch` changes.
    Epoch(u8),
    /// `spec.history.limit` changes.
    Limit(u8),
    /// `spec.pinnedVersion` changes.
    Pin(Which),
    /// `spec.state`.
    Stopped(bool),
    /// `spec.replicas`.
    Replicas(u8),
    /// `spec.rollout.onFailure` is Stay.
    Stays(bool),
    /// Requests.
    Deploy,
    Rollback(Which),
    Retry,
    RetryAndRollback(Which),
    Restart,
    Cancel,
    CancelNothing,
    /// The annotations vanish.
    RequestsVanish,
    /// All pods of the version in place fall ill, new ones too.
    Break,
    /// New pods of the version in place fall ill.
    BreakNewborn,
    /// Everything that was ever ill is well.
    HealAll,
    /// Somebody deletes or edits a child.
    LoseLedger,
    LoseDeployment,
    LoseService,
    LoseSet(u8),
    LoseRecord(u8),
    LoseJob(u8),
    SweepJobs,
    EditTemplate,
    EditReplicas(u8),
    EditService,
    StripVersion,
}

/// What the spec names as source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Commit(u8),
    Branch,
    ConfigMap,
    Digest(u8),
    Tag,
}

/// A version that a person names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// None (pin), or `previous` (rollback).
    Usual,
    /// One of the records, by its place in the list.
    Nth(u8),
    /// What the spec yields by itself.
    Own,
    /// What runs.
    InPlace,
    /// A version that failed, if there is one.
    Failed,
    /// None that there ever was.
    Unknown,
}

/// How much happens until the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// Nothing: both are seen at once.
    None,
    /// So many passes of the operator, and a tick after about half of them.
    Passes(u8),
    /// Until everything is quiet.
    Settle,
}

impl Event {
    /// People wrote it into the resource, and the operator sees at once all that it means. What takes its time beside
    /// something else is not of these: a lookup, during which the last answer counts, and new pods.
    pub(crate) fn is_plain_wish(self) -> bool {
        use Event::{
            Cancel, CancelNothing, Epoch, Limit, Pin, Replicas, RequestsVanish, Rollback, Run, Source, Stays,
            Stopped,
        };
        let requests = matches!(self, Rollback(_) | Cancel | CancelNothing | RequestsVanish);
        requests
            || matches!(
                self,
                Source(_) | Run(_) | Epoch(_) | Limit(_) | Pin(_) | Stopped(_) | Replicas(_) | Stays(_)
            )
    }
}

/// A gap in which the project comes to rest, except that two events may come at once.
pub(crate) fn calm_gap() -> impl Strategy<Value = Gap> {
    prop_oneof![6 => Just(Gap::Settle), 1 => Just(Gap::None)]
}

/// Any gap.
pub(crate) fn hasty_gap() -> impl Strategy<Value = Gap> {
    prop_oneof![2 => Just(Gap::Settle), 1 => Just(Gap::None), 6 => (1..24_u8).prop_map(Gap::Passes)]
}

/// Any source: the good ones are the likely ones.
pub(crate) fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        8 => number().prop_map(Source::Commit),
        3 => Just(Source::Branch),
        1 => Just(Source::ConfigMap),
        1 => number().prop_map(Source::Digest),
        1 => Just(Source::Tag),
    ]
}

fn number() -> impl Strategy<Value = u8> {
    prop_oneof![3 => 0..4_u8, 2 => 0..SOURCES]
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        6 => Just(Which::Usual),
        3 => (0..6_u8).prop_map(Which::Nth),
        1 => Just(Which::Own),
        1 => Just(Which::InPlace),
        2 => Just(Which::Failed),
        1 => Just(Which::Unknown),
    ]
}

/// Any event.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![spec(), spec(), requests(), requests(), nature(), other_hands()]
}

fn spec() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => source().prop_map(Event::Source),
        3 => number().prop_map(Event::PushAndDeploy),
        1 => number().prop_map(Event::Push),
        3 => (0..RUNS).prop_map(Event::Run),
        2 => (0..=BAD_EPOCH).prop_map(Event::Epoch),
        1 => (2..4_u8).prop_map(Event::Limit),
        2 => which().prop_map(Event::Pin),
        1 => Just(Event::Pin(Which::Usual)),
        1 => Just(Event::Stopped(true)),
        2 => Just(Event::Stopped(false)),
        1 => (0..4_u8).prop_map(Event::Replicas),
        1 => any::<bool>().prop_map(Event::Stays),
    ]
}

fn requests() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => Just(Event::Deploy),
        6 => which().prop_map(Event::Rollback),
        3 => Just(Event::Retry),
        1 => which().prop_map(Event::RetryAndRollback),
        2 => Just(Event::Restart),
        2 => Just(Event::Cancel),
        1 => Just(Event::CancelNothing),
        1 => Just(Event::RequestsVanish),
    ]
}

fn nature() -> impl Strategy<Value = Event> {
    prop_oneof![Just(Event::Break), Just(Event::BreakNewborn), Just(Event::HealAll)]
}

fn other_hands() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::LoseLedger),
        Just(Event::LoseDeployment),
        Just(Event::LoseService),
        (0..4_u8).prop_map(Event::LoseSet),
        (0..4_u8).prop_map(Event::LoseRecord),
        (0..4_u8).prop_map(Event::LoseJob),
        Just(Event::SweepJobs),
        Just(Event::EditTemplate),
        (0..4_u8).prop_map(Event::EditReplicas),
        Just(Event::EditService),
        Just(Event::StripVersion),
    ]
}
