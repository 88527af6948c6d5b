//! `kubectl doce`: everything that people do with a project, as one command each. It is another program than the operator:
//! it acts with the rights of its user and has a door to the API server of its own. The resource stays the only truth,
//! so the CLI writes what a person would write by hand, and shows the sentences of `status.conditions`.

mod arguments;
mod build_log;
mod completion;
mod connection;
mod deadline;
mod deploy;
mod dev;
mod diff;
mod doctor;
mod door;
mod events;
mod explain;
mod export;
mod failure;
mod folder;
mod follow;
mod history;
mod jsonpath;
mod list;
mod logs;
mod open;
mod output;
mod picture;
mod registry;
mod report;
mod requests;
mod rollback;
mod run_state;
mod screen;
mod status;
mod table;
mod version;

use std::ffi::OsString;

use clap::Parser as _;

use arguments::{Arguments, Verb};
use door::Door;
use failure::{Exit, Failure};
use screen::Screen;

/// Runs the command line. The result is the exit code: 0 well, 1 error, 2 usage, 3 not ready or timed out.
pub async fn run(line: impl IntoIterator<Item = OsString>) -> u8 {
    let line: Vec<OsString> = line.into_iter().collect();
    if let Some(words) = completion::asked(&line) {
        return completion::complete(&words).await;
    }
    let arguments = match Arguments::try_parse_from(line) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.code() } else { Exit::Well.code() };
        }
    };
    let screen = Screen::new();
    match Box::pin(execute(arguments, &screen)).await {
        Ok(()) => Exit::Well.code(),
        Err(Failure { exit, message }) => {
            screen.error(&message);
            exit.code()
        }
    }
}

async fn execute(arguments: Arguments, screen: &Screen) -> Result<(), Failure> {
    let connection = arguments.connection;
    let door = || Door::open(&connection);
    match arguments.verb {
        Verb::List(verb) => list::run(&door().await?, screen, &verb).await,
        Verb::Status(verb) => status::run(&door().await?, screen, &verb).await,
        Verb::History(verb) => history::run(&door().await?, screen, &verb).await,
        Verb::Diff(verb) => diff::run(&door().await?, screen, &verb).await,
        Verb::Rollback(verb) => rollback::run(&door().await?, screen, &verb).await,
        Verb::Retry(verb) => requests::retry(&door().await?, screen, &verb).await,
        Verb::Restart(verb) => requests::restart(&door().await?, screen, &verb).await,
        Verb::Cancel(verb) => requests::cancel(&door().await?, screen, &verb).await,
        Verb::Stop(verb) => run_state::stop(&door().await?, screen, &verb).await,
        Verb::Start(verb) => run_state::start(&door().await?, screen, &verb).await,
        Verb::Scale(verb) => run_state::scale(&door().await?, screen, &verb).await,
        Verb::Deploy(verb) => Box::pin(deploy::run(&door().await?, screen, &verb)).await,
        Verb::Dev(verb) => Box::pin(dev::run(&door().await?, screen, &verb)).await,
        Verb::Explain(verb) => explain::run(&door().await?, screen, &verb).await,
        Verb::Logs(verb) => logs::run(&door().await?, screen, &verb).await,
        Verb::Export(verb) => export::run(&door().await?, screen, &verb).await,
        Verb::Open(verb) => open::run(&door().await?, screen, &verb).await,
        Verb::Report(verb) => report::run(&door().await?, screen, &verb).await,
        Verb::Doctor(verb) => doctor::run(&connection, screen, &verb).await,
        Verb::Version(verb) => version::run(&connection, screen, &verb).await,
        Verb::Completion { shell } => completion::print(screen, shell),
    }
}
