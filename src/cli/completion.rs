//! Completion of command lines: scripts for shells, and the protocol that kubectl speaks with `kubectl_complete-doce`, which is
//! that of cobra: lines `value<TAB>text`, then `:` and a number. A link of that name to this program answers kubectl.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use clap::{Command, CommandFactory as _};
use kube::ResourceExt as _;

use super::arguments::{Arguments, Shell};
use super::connection::Connection;
use super::door::Door;
use super::failure::{Exit, Failure};
use super::rollback;
use super::screen::Screen;

/// Name under which kubectl looks for the program that completes `kubectl doce`.
const COMPLETER: &str = "kubectl_complete-doce";

/// The word that asks a program of cobra for completions.
const ASK: &str = "__complete";

/// cobra's directive: the shell does not offer files.
const NO_FILES: &str = ":4";

/// cobra's directive: the shell offers files.
const FILES: &str = ":0";

/// Longest wait for the API server: a person waits for the key to answer.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Verbs whose first argument is a project.
const OF_PROJECT: [&str; 15] = [
    "deploy", "status", "logs", "history", "diff", "rollback", "explain", "retry", "cancel", "restart",
    "stop", "start", "scale", "export", "open",
];

/// The words to complete, if this is a request for completions. The last one is incomplete.
pub(super) fn asked(line: &[OsString]) -> Option<Vec<String>> {
    let words: Vec<String> = line.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let program = Path::new(words.first()?).file_name()?.to_str()?;
    if program == COMPLETER {
        return Some(words[1..].to_vec());
    }
    (words.get(1).map(String::as_str) == Some(ASK)).then(|| words[2..].to_vec())
}

/// Prints the completions. Without a cluster, those that need none.
pub(super) async fn complete(words: &[String]) -> u8 {
    let (screen, command) = (Screen::new(), Arguments::command());
    let (before, typed) = match words.split_last() {
        Some((last, before)) => (before, last.as_str()),
        None => (&[][..], ""),
    };
    let asked = Position::of(&command, before, typed);
    let (offers, directive) = match &asked {
        Position::Files => (vec![], FILES),
        Position::Words(offers) => (offers.clone(), NO_FILES),
        Position::Projects => (from_cluster(before, None).await, NO_FILES),
        Position::Versions(project) => (from_cluster(before, Some(project)).await, NO_FILES),
    };
    for (word, text) in offers.iter().filter(|(word, _)| word.starts_with(typed)) {
        screen.print(&if text.is_empty() { word.clone() } else { format!("{word}\t{text}") });
    }
    screen.print(directive);
    Exit::Well.code()
}

/// A word with its description.
type Offer = (String, String);

/// What the incomplete word is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Position {
    Words(Vec<Offer>),
    Projects,
    Versions(String),
    Files,
}

impl Position {
    fn of(command: &Command, before: &[String], typed: &str) -> Self {
        let words = positional(command, before);
        let verb = words.first().and_then(|verb| command.find_subcommand(verb));
        if let Some(flag) = before.last().filter(|word| word.starts_with('-') && !word.contains('=')) {
            let all = verb.into_iter().chain([command]);
            let argument = all.flat_map(Command::get_arguments).find(|argument| is_flag(argument, flag));
            if let Some(argument) = argument.filter(|argument| argument.get_action().takes_values()) {
                return Self::value(argument);
            }
        }
        let Some(verb) = verb else {
            let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
            return Self::Words(verbs.map(|verb| (verb.get_name().to_owned(), about(verb))).collect());
        };
        if typed.starts_with('-') {
            return Self::Words(flags(verb).chain(flags(command)).collect());
        }
        let name = verb.get_name();
        match words.len() {
            1 if OF_PROJECT.contains(&name) || name == "report" => Self::Projects,
            2 if name == "rollback" => Self::Versions(words[1].clone()),
            2 | 3 if name == "diff" => Self::Versions(words[1].clone()),
            1 => {
                let first = verb.get_positionals().next();
                first.map_or_else(|| Self::Words(vec![]), Self::value)
            }
            _ => Self::Words(vec![]),
        }
    }

    fn value(argument: &clap::Arg) -> Self {
        let values: Vec<Offer> = argument
            .get_possible_values()
            .iter()
            .map(|value| {
                (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default())
            })
            .collect();
        let id = argument.get_id().as_str();
        match id {
            _ if !values.is_empty() => Self::Words(values),
            "output" => {
                let formats = ["table", "wide", "json", "yaml", "name", "jsonpath="];
                Self::Words(formats.map(|format| (format.to_owned(), String::new())).to_vec())
            }
            "file" | "save" | "kubeconfig" => Self::Files,
            _ => Self::Words(vec![]),
        }
    }
}

fn is_flag(argument: &clap::Arg, flag: &str) -> bool {
    argument.get_long().is_some_and(|long| flag == format!("--{long}"))
        || argument.get_short().is_some_and(|short| flag == format!("-{short}"))
}

/// The words that are neither flags nor their values.
fn positional(command: &Command, words: &[String]) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    let mut is_value = false;
    for word in words {
        if std::mem::take(&mut is_value) {
            continue;
        }
        if word.starts_with('-') && word.len() > 1 {
            let verb = found.first().and_then(|verb| command.find_subcommand(verb));
            let mut all = verb.into_iter().chain([command]).flat_map(Command::get_arguments);
            is_value = all.any(|argument| is_flag(argument, word) && argument.get_action().takes_values());
            continue;
        }
        found.push(word.clone());
    }
    found
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn flags(command: &Command) -> impl Iterator<Item = Offer> {
    command.get_arguments().filter_map(|argument| {
        let long = argument.get_long()?;
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        Some((format!("--{long}"), help.lines().next().unwrap_or_default().to_owned()))
    })
}

/// Names from the cluster; none if it does not answer in time.
async fn from_cluster(before: &[String], project: Option<&str>) -> Vec<Offer> {
    let connection = connection(before);
    let names = async {
        let door = Door::open(&connection).await?;
        let names: Vec<Offer> = match project {
            None => {
                let projects = door.projects(false, None).await?;
                projects.iter().map(|object| (object.name_any(), String::new())).collect()
            }
            Some(project) => {
                let object = door.project(project).await?;
                let names = rollback::names(&door.remembered(&object).await?);
                let previous = [("previous".to_owned(), "the version that was live before".to_owned())];
                previous.into_iter().chain(names.into_iter().map(|name| (name, String::new()))).collect()
            }
        };
        Ok::<_, Failure>(names)
    };
    tokio::time::timeout(PATIENCE, names).await.ok().and_then(Result::ok).unwrap_or_default()
}

/// The connection flags among the words.
fn connection(words: &[String]) -> Connection {
    let value = |names: [&str; 2]| {
        let at = words.iter().position(|word| names.contains(&word.as_str()));
        let joined = words.iter().find_map(|word| {
            names.iter().find_map(|name| word.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        });
        at.and_then(|at| words.get(at + 1).cloned()).or(joined)
    };
    Connection {
        namespace: value(["-n", "--namespace"]),
        context: value(["--context", "--context"]),
        kubeconfig: value(["--kubeconfig", "--kubeconfig"]),
    }
}

/// Prints the script of a shell.
pub(super) fn print(screen: &Screen, shell: Shell) -> Result<(), Failure> {
    use clap_complete::{generate, shells};
    let (mut command, mut text) = (Arguments::command(), Vec::new());
    // The scripts complete the program itself. `kubectl doce` is completed by kubectl.
    let name = "kubectl-doce";
    match shell {
        Shell::Bash => generate(shells::Bash, &mut command, name, &mut text),
        Shell::Elvish => generate(shells::Elvish, &mut command, name, &mut text),
        Shell::Fish => generate(shells::Fish, &mut command, name, &mut text),
        Shell::Powershell => generate(shells::PowerShell, &mut command, name, &mut text),
        Shell::Zsh => generate(shells::Zsh, &mut command, name, &mut text),
    }
    let text = String::from_utf8(text).map_err(|error| Failure::error(error.to_string()))?;
    screen.print_raw(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(line: &str) -> Position {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (typed, before) = words.split_last().unwrap();
        Position::of(&Arguments::command(), before, typed)
    }

    #[test]
    fn each_position_of_a_command_line_has_its_offers() {
        let Position::Words(verbs) = position("ro") else { panic!() };
        assert!(verbs.iter().any(|(verb, about)| verb == "rollback" && !about.is_empty()));
        assert_eq!(position("status "), Position::Projects);
        assert_eq!(position("-n team status "), Position::Projects);
        assert_eq!(position("rollback shop "), Position::Versions("shop".into()));
        assert_eq!(position("diff shop v1 "), Position::Versions("shop".into()));
        assert_eq!(position("deploy -f "), Position::Files);
        let Position::Words(goals) = position("status shop --for ") else { panic!() };
        assert_eq!(
            goals.iter().map(|(goal, _)| goal.as_str()).collect::<Vec<_>>(),
            ["live", "built", "held"]
        );
        let Position::Words(flags) = position("status shop --w") else { panic!() };
        assert!(
            flags.iter().any(|(flag, _)| flag == "--watch")
                && flags.iter().any(|(flag, _)| flag == "--namespace")
        );
        assert_eq!(position("status shop "), Position::Words(vec![]));
    }

    #[test]
    fn kubectl_asks_by_a_word_or_by_a_name() {
        let line = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let asks = |words: &[&str]| asked(&line(words));
        assert_eq!(asks(&["kubectl-doce", "__complete", "sta"]), Some(vec!["sta".to_owned()]));
        assert_eq!(
            asks(&["/usr/bin/kubectl_complete-doce", "status", ""]),
            Some(vec!["status".to_owned(), String::new()])
        );
        assert_eq!(asks(&["kubectl-doce", "status"]), None);
    }
}
