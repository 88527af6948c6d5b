//! The probabilities of events and of the gaps between them. This module does not know what they do.

use doce_operator::reconcile::observed::{Child, RefusalReason};
use proptest::prelude::*;

use super::event::{Event, Gap, Source, Which};
use super::nature::{BAD_EPOCH, Health, RUNS, SOURCES};
use super::server::STRANGERS_PORT;

/// Mostly a gap in which the project settles; sometimes two events come at once.
pub(crate) fn calm_gap() -> impl Strategy<Value = Gap> {
    prop_oneof![6 => Just(Gap::Settle), 1 => Just(Gap::None)]
}

/// Any gap.
pub(crate) fn hasty_gap() -> impl Strategy<Value = Gap> {
    prop_oneof![2 => Just(Gap::Settle), 1 => Just(Gap::None), 6 => (1..24_u8).prop_map(Gap::Passes)]
}

/// Any source; good ones are more likely.
pub(crate) fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        8 => number().prop_map(Source::Commit),
        3 => Just(Source::Branch),
        1 => Just(Source::ConfigMap),
        1 => number().prop_map(Source::Digest),
        1 => Just(Source::Tag),
    ]
}

/// The number of pods that a project starts with.
pub(crate) fn replicas() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(1_u8), 2 => 2..4_u8]
}

/// Any event.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => spec(),
        4 => requests(),
        2 => nature(),
        2 => server(),
        2 => other_hands(),
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

fn spec() -> impl Strategy<Value = Event> {
    let port = prop_oneof![
        2 => (30_201..30_203_u16).prop_map(Some),
        1 => Just(Some(STRANGERS_PORT)),
        2 => Just(None),
    ];
    prop_oneof![
        8 => source().prop_map(Event::Source),
        3 => number().prop_map(Event::PushAndDeploy),
        1 => number().prop_map(Event::Push),
        3 => (0..RUNS).prop_map(Event::Run),
        2 => (0..=BAD_EPOCH).prop_map(Event::Epoch),
        2 => (2..4_u8).prop_map(Event::Limit),
        2 => which().prop_map(Event::Pin),
        1 => Just(Event::Pin(Which::Usual)),
        1 => Just(Event::Stopped(true)),
        2 => Just(Event::Stopped(false)),
        1 => (0..4_u8).prop_map(Event::Replicas),
        1 => any::<bool>().prop_map(Event::Stays),
        1 => any::<bool>().prop_map(Event::Replaces),
        1 => port.prop_map(Event::FixedPort),
        1 => Just(Event::NoPort),
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
        1 => (0..32_u8).prop_map(Event::Several),
        1 => Just(Event::RequestsVanish),
        2 => Just(Event::RequestsPutBack),
    ]
}

fn nature() -> impl Strategy<Value = Event> {
    let illness = prop_oneof![
        2 => Just(Health::Bad),
        2 => Just(Health::Partial),
        1 => Just(Health::Hopeless),
        1 => Just(Health::Crashing),
    ];
    prop_oneof![
        3 => illness.prop_map(Event::Break),
        2 => Just(Event::BreakNewborn),
        3 => Just(Event::HealAll),
        2 => Just(Event::LoseImage),
        1 => Just(Event::FaultsAgain),
        1 => prop::option::of(1..5_u8).prop_map(Event::Load),
    ]
}

fn server() -> impl Strategy<Value = Event> {
    let child = prop_oneof![
        2 => Just(Child::Ledger),
        3 => Just(Child::Record),
        2 => Just(Child::Job),
        2 => Just(Child::Deployment),
        1 => Just(Child::Service),
        1 => Just(Child::Init),
    ];
    let refused =
        (child, prop_oneof![2 => Just(RefusalReason::Invalid), 1 => Just(RefusalReason::NameTaken)]);
    prop_oneof![
        3 => refused.prop_map(|(child, cause)| Event::Refuse(child, cause)),
        1 => Just(Event::Refuse(Child::Service, RefusalReason::PortsExhausted)),
        5 => Just(Event::Admit),
        2 => any::<bool>().prop_map(Event::Recreate),
        1 => Just(Event::Orphan),
    ]
}

fn other_hands() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::LoseLedger),
        Just(Event::LoseDeployment),
        any::<bool>().prop_map(Event::LoseService),
        (0..4_u8).prop_map(Event::LoseSet),
        (0..4_u8).prop_map(Event::LoseRecord),
        (0..4_u8).prop_map(Event::LoseJob),
        Just(Event::SweepJobs),
        (0..6_u8).prop_map(Event::StripMarks),
        Just(Event::EditTemplate),
        (0..4_u8).prop_map(Event::EditReplicas),
        Just(Event::EditService),
        Just(Event::StripVersion),
        Just(Event::RolloutRestart),
    ]
}
