//! `dev`: deploys a folder, and again after each change in it, each time as a real version. A change while a version is being
//! built or started replaces it: the operator ends what no longer counts.

mod watched;

use super::arguments::{Deploy, Dev, Waiting};
use super::deploy;
use super::door::Door;
use super::failure::{Exit, Failure};
use super::screen::Screen;
use watched::Watched;

/// Deploys after each change until the person ends it. The project stays.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &Dev) -> Result<(), Failure> {
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => {
            screen.note(&format!("The project goes on without this program. See it: kubectl doce list {}", door.flags));
            Ok(())
        }
        ended = watch(door, screen, verb) => ended,
    }
}

async fn watch(door: &Door, screen: &Screen, verb: &Dev) -> Result<(), Failure> {
    let deploy = arguments(verb);
    let mut watched = Watched::of(&verb.folder)?;
    loop {
        let deployed = tokio::select! {
            biased;
            changed = watched.changed(screen) => {
                changed?;
                screen.note("the folder changed again");
                continue;
            }
            deployed = deploy::run(door, screen, &deploy) => deployed,
        };
        match deployed {
            Err(failure) if failure.exit == Exit::Usage => return Err(failure),
            // The next change may mend it.
            Err(failure) => screen.error(&failure.message),
            Ok(()) => {}
        }
        screen.note(&format!("waiting for changes in {} (Ctrl-C ends)", verb.folder));
        watched.changed(screen).await?;
        screen.note("the folder changed");
    }
}

fn arguments(verb: &Dev) -> Deploy {
    // A path that looks like the name of a project is still a folder here.
    let folder = if verb.folder.contains('/') || verb.folder.starts_with('.') {
        verb.folder.clone()
    } else {
        format!("./{}", verb.folder)
    };
    Deploy {
        what: Some(folder),
        file: None,
        name: verb.name.clone(),
        branch: None,
        tag: None,
        commit: None,
        path: verb.path.clone(),
        secret: None,
        repository: None,
        operator: verb.operator.clone(),
        dry_run: false,
        save: None,
        force_conflicts: false,
        waiting: Waiting { no_wait: false, limit: verb.limit.clone() },
    }
}
