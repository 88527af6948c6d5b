//! The probe of `doctor`: a small project of its own goes the whole way, from a build and a push to a pull by a node and an
//! answer. It is deleted afterwards, whatever became of it.

use std::time::Instant;

use serde_json::json;

use super::Finding;
use crate::cli::arguments::Doctor;
use crate::cli::deadline::Deadline;
use crate::cli::deploy::Manifest;
use crate::cli::door::{Applying, Door};
use crate::cli::failure::Failure;
use crate::cli::follow::until;
use crate::cli::screen::Screen;
use crate::view::progress::Goal;

const CHECK: &str = "registry";

/// Runs the probe.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &Doctor) -> Finding {
    let name = format!("doce-probe-{}", suffix());
    let begun = Instant::now();
    screen.note(&format!("building and running project {name}"));
    let result = go(door, screen, &name, Deadline::of(&verb.limit)).await;
    let deleted = door.delete(&name).await;
    if let Err(failure) = &deleted {
        screen.warn(&failure.message);
    }
    match result {
        Ok(()) => Finding::good(
            CHECK,
            format!(
                "a build, its push, a pull by a node and a start worked ({} s)",
                begun.elapsed().as_secs()
            ),
        ),
        Err(failure) => Finding::bad(
            CHECK,
            format!("a project that builds, pushes, pulls and starts did not: {}", failure.message),
            "Give this sentence to the platform owner; docs/builds-logs.md has the reasons",
        ),
    }
}

async fn go(door: &Door, screen: &Screen, name: &str, deadline: Deadline) -> Result<(), Failure> {
    let object = door.apply(name, manifest(name).value(), Applying::default()).await?;
    door.create_config_map(&object, name, json!({ "index.html": name })).await?;
    until(door, screen, name, deadline, Goal::Live).await.map(drop)
}

fn manifest(name: &str) -> Manifest {
    let spec = json!({
        "source": { "configMap": { "name": name } },
        "expose": { "nodePort": { "mode": "None" } },
    });
    Manifest::new(name.to_owned(), &spec)
}

/// Six digits that hardly another probe has.
fn suffix() -> String {
    let mut bytes = [0; 3];
    // Without them, a second probe at the same time finds the project of the first.
    let _ = getrandom::fill(&mut bytes);
    hex::encode(bytes)
}
