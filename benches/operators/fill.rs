//! A cluster fills up: how long that takes, and how much memory the operator then needs.

use std::time::Duration;

use super::crowd;
use super::figures::{Figures, number};
use super::program::Program;
use super::session::Session;

pub(crate) async fn run(session: &mut Session<'_>, scale: usize) -> Figures {
    let empty = session.program.as_ref().map(Program::memory);
    let times = crowd::deploy(session, scale).await;
    session.quiet(Duration::from_secs(5)).await;
    let mut figures = Figures::default();
    figures.add(&format!("all {scale} Ready"), "s", times.ready.as_secs_f64());
    let Some((program, empty)) = session.program.as_ref().zip(empty) else { return figures };
    let full = program.memory();
    let mebibytes = |kibibytes: u32| f64::from(kibibytes) / 1024.0;
    figures.add("resident memory, 0 projects", "MiB", mebibytes(empty.resident));
    figures.add("peak memory, 0 projects", "MiB", mebibytes(empty.peak));
    figures.add(&format!("resident memory, {scale} projects"), "MiB", mebibytes(full.resident));
    figures.add(&format!("peak memory, {scale} projects"), "MiB", mebibytes(full.peak));
    let growth = f64::from(full.resident) - f64::from(empty.resident);
    figures.add("growth of resident memory", "KiB per project", growth / number(scale));
    figures
}
