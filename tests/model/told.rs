//! Scripted lives: they reach states that random lives rarely reach. The search plays them first.

use doce_operator::reconcile::observed::{Child, RefusalReason};

use super::event::{Event, Gap, Source, Which};
use super::life::Life;
use super::nature::RUN_WITH_INIT;

/// All scripted lives.
pub(crate) fn told() -> Vec<Life> {
    let cancelled = (4..20).map(a_cancelled_build_is_looked_up_again);
    let lost = (0..4).map(the_previous_version_loses_its_record);
    cancelled
        .chain(lost)
        .chain((0..4).map(kubectl_restarts_the_pods))
        .chain([
            the_memory_is_refused(),
            a_hold_is_over(),
            a_build_is_superseded(),
            the_oldest_record_is_in_place(),
            few_records_are_kept(),
        ])
        .chain((2..14).map(the_next_commit_comes_while_an_init_command_runs))
        .chain([
            an_init_command_fails_and_is_retried(),
            a_database_comes_late(),
            jobs_are_refused_to_an_init_command(),
        ])
        .collect()
}

/// The branch resolves to a commit whose build has a fault. A user cancels the second attempt and requests a new
/// lookup, which has a fault too. The dice decide after how many passes the second attempt runs.
fn a_cancelled_build_is_looked_up_again(passes: u8) -> Life {
    let events = vec![
        (Event::PushAndDeploy(7), Gap::Passes(passes)),
        (Event::Cancel, Gap::Settle),
        (Event::Deploy, Gap::Settle),
    ];
    Life { source: Source::Branch, replicas: 1, events, dice: u64::from(passes) }
}

/// Three versions were live, and a user deletes the record of one of them.
fn the_previous_version_loses_its_record(nth: u8) -> Life {
    let events = vec![
        (Event::Source(Source::Commit(1)), Gap::Settle),
        (Event::Source(Source::Commit(2)), Gap::Settle),
        (Event::LoseRecord(nth), Gap::Settle),
        (Event::Rollback(Which::Usual), Gap::Settle),
    ];
    Life { source: Source::Commit(0), replicas: 1, events, dice: u64::from(nth) }
}

/// `kubectl rollout restart` before, during or after the rollout of the next version, then a rollback and another one.
fn kubectl_restarts_the_pods(when: u8) -> Life {
    let mut events = vec![
        (Event::Source(Source::Commit(1)), if when == 2 { Gap::Passes(9) } else { Gap::Settle }),
        (Event::Rollback(Which::Usual), Gap::Settle),
        (Event::Rollback(Which::Usual), Gap::Settle),
    ];
    events.insert(usize::from(when), (Event::RolloutRestart, Gap::Settle));
    Life { source: Source::Commit(0), replicas: 2, events, dice: u64::from(when) }
}

/// The API server rejects the ledger for a while, and the spec changes to another version meanwhile.
fn the_memory_is_refused() -> Life {
    let events = vec![
        (Event::Refuse(Child::Ledger, RefusalReason::Invalid), Gap::Settle),
        (Event::Source(Source::Commit(1)), Gap::Settle),
        (Event::Rollback(Which::Usual), Gap::Settle),
        (Event::Admit, Gap::Settle),
    ];
    Life { source: Source::Commit(0), replicas: 1, events, dice: 0 }
}

/// A newer version ends a hold. When the spec returns to the version that was left, that version runs.
fn a_hold_is_over() -> Life {
    let events = vec![
        (Event::Source(Source::Commit(1)), Gap::Settle),
        (Event::Rollback(Which::Usual), Gap::Settle),
        (Event::Source(Source::Commit(2)), Gap::Settle),
        (Event::Source(Source::Commit(1)), Gap::Settle),
    ];
    Life { source: Source::Commit(0), replicas: 1, events, dice: 0 }
}

/// The next commit comes during a build.
fn a_build_is_superseded() -> Life {
    let events = vec![
        (Event::Source(Source::Commit(1)), Gap::Passes(4)),
        (Event::Source(Source::Commit(2)), Gap::Settle),
    ];
    Life { source: Source::Commit(0), replicas: 2, events, dice: 0 }
}

/// Several good versions in a row, with a history limit of two.
fn few_records_are_kept() -> Life {
    let commits = [1, 2, 3].map(|commit| (Event::Source(Source::Commit(commit)), Gap::Settle));
    let (few, swept) = ((Event::Limit(2), Gap::Settle), (Event::SweepJobs, Gap::Settle));
    let events = [vec![few], commits.to_vec(), vec![swept]].concat();
    Life { source: Source::Commit(0), replicas: 1, events, dice: 0 }
}

/// More versions than the limit, and the oldest one runs when the newest one fails.
fn the_oldest_record_is_in_place() -> Life {
    let commits = [1, 2, 3, 0, 6];
    let events = commits.map(|commit| (Event::Source(Source::Commit(commit)), Gap::Settle)).to_vec();
    Life { source: Source::Commit(0), replicas: 1, events, dice: 0 }
}

/// A version with an init command, closely followed by another version.
fn the_next_commit_comes_while_an_init_command_runs(passes: u8) -> Life {
    let events = vec![
        (Event::Run(RUN_WITH_INIT), Gap::Passes(passes)),
        (Event::Source(Source::Digest(3)), Gap::Settle),
        (Event::Rollback(Which::Usual), Gap::Settle),
        (Event::Restart, Gap::Settle),
    ];
    Life { source: Source::Digest(0), replicas: 1, events, dice: u64::from(passes) }
}

/// A migration that never succeeds, with a retry, and a stop during the next one.
fn an_init_command_fails_and_is_retried() -> Life {
    let events = vec![
        (Event::Run(RUN_WITH_INIT), Gap::Settle),
        (Event::Source(Source::Commit(1)), Gap::Settle),
        (Event::Retry, Gap::Settle),
        (Event::Source(Source::Commit(3)), Gap::Passes(9)),
        (Event::Stopped(true), Gap::Settle),
        (Event::Stopped(false), Gap::Settle),
    ];
    Life { source: Source::Commit(0), replicas: 1, events, dice: 0 }
}

/// The first version needs a database that comes later, and the ledger is lost afterwards.
fn a_database_comes_late() -> Life {
    let events = vec![
        (Event::Run(RUN_WITH_INIT), Gap::Settle),
        (Event::LoseLedger, Gap::Settle),
        (Event::Source(Source::Commit(0)), Gap::Settle),
    ];
    Life { source: Source::Commit(2), replicas: 2, events, dice: 0 }
}

/// A quota rejects every Job while the spec changes.
fn jobs_are_refused_to_an_init_command() -> Life {
    let events = vec![
        (Event::Refuse(Child::Init, RefusalReason::Invalid), Gap::Settle),
        (Event::Run(RUN_WITH_INIT), Gap::Settle),
        (Event::Source(Source::Commit(3)), Gap::Settle),
        (Event::Admit, Gap::Settle),
    ];
    Life { source: Source::Commit(0), replicas: 1, events, dice: 0 }
}
