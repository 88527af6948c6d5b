//! The command line.
#![allow(clippy::doc_markdown, reason = "clap prints the descriptions and shows no Markdown")]

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::connection::Connection;
use super::output::Format;

/// Deploys web projects, shows what happens to them, and rolls them back.
#[derive(Parser, Debug)]
#[command(
    name = "kubectl doce",
    bin_name = "kubectl doce",
    version,
    disable_version_flag = true,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 well, 1 error, 2 usage, 3 not ready or timed out"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) connection: Connection,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Deploy: a folder, a Git repository, a manifest, or a project again. Follows it to the URL.
    Deploy(Deploy),
    /// Deploy a folder, and again after each change in it.
    Dev(Dev),
    /// List the projects.
    List(List),
    /// Show one project, or wait for it.
    Status(Status),
    /// Show the logs of builds and of the app in one stream.
    Logs(Logs),
    /// List the versions: who, what, how, how long, and whether a rollback to each is possible.
    History(One),
    /// Show what differs between two versions: commit, image and how it runs.
    Diff(Diff),
    /// Roll back to a version, and wait until it serves.
    Rollback(Rollback),
    /// Say why a project does not run: the first cause, the evidence and the next command.
    Explain(One),
    /// Retry what failed.
    Retry(Request),
    /// Cancel the current build.
    Cancel(Cancel),
    /// Replace the pods, without a gap.
    Restart(Request),
    /// Stop the pods. The port and the versions stay.
    Stop(Request),
    /// Start the pods of a stopped project.
    Start(Request),
    /// Set the number of pods.
    Scale(Scale),
    /// Print the manifest of a project for Git: without status and without fields of the cluster.
    Export(Export),
    /// Open the URL of a project in the browser.
    Open(Open),
    /// Check cluster, rights and settings. Each finding says how to mend it.
    Doctor(Doctor),
    /// Write what a bug report needs into one file, without values of variables and Secrets.
    Report(Report),
    /// Print the versions of this program and of the cluster.
    Version(Printed),
    /// Print the script that completes commands in a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
}

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

/// How the result is printed.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Printed {
    /// Format: table, wide, json, yaml, name or jsonpath=TEMPLATE.
    #[arg(short, long, value_name = "FORMAT", default_value = "table", hide_default_value = true)]
    pub(super) output: Format,
}

/// Where the operator is.
#[derive(Args, Clone, Debug)]
pub(super) struct Operator {
    /// Namespace of the operator, which says where its registry is.
    #[arg(long, value_name = "NAMESPACE", env = "DOCE_OPERATOR_NAMESPACE", default_value = "doce-system")]
    pub(super) operator_namespace: String,
}

/// How long a command waits.
#[derive(Args, Clone, Debug)]
pub(super) struct Waiting {
    /// Return at once, without waiting for the result.
    #[arg(long)]
    pub(super) no_wait: bool,
    #[command(flatten)]
    pub(super) limit: Timeout,
}

#[derive(Args, Clone, Debug)]
pub(super) struct Timeout {
    /// Longest wait, such as 90s, 15m or 2h; 0: no limit. Afterwards, the exit code is 3.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub(super) timeout: Duration,
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// The projects of all namespaces.
    #[arg(short = 'A', long)]
    pub(super) all_namespaces: bool,
    /// Only projects with these labels, such as team=a.
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub(super) selector: Option<String>,
    #[command(flatten)]
    pub(super) printed: Printed,
}

#[derive(Args, Debug)]
pub(super) struct One {
    /// Name of the project.
    pub(super) name: String,
    #[command(flatten)]
    pub(super) printed: Printed,
}

#[derive(Args, Debug)]
pub(super) struct Status {
    /// Name of the project.
    pub(super) name: String,
    /// Show each change until the project is ready, or until nothing more happens without you.
    #[arg(short, long)]
    pub(super) watch: bool,
    /// Wait for this state.
    #[arg(long = "for", value_name = "STATE")]
    pub(super) goal: Option<For>,
    #[command(flatten)]
    pub(super) limit: Timeout,
    #[command(flatten)]
    pub(super) printed: Printed,
}

/// A state to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum For {
    /// The target serves.
    Live,
    /// The target has an image.
    Built,
    /// A rollback holds, and its target serves.
    Held,
}

#[derive(Args, Debug)]
pub(super) struct Diff {
    /// Name of the project.
    pub(super) name: String,
    /// The version before, or the beginning of its name.
    pub(super) from: String,
    /// The version after. Default: the one that serves.
    pub(super) to: Option<String>,
    /// Also show the values of variables and headers.
    #[arg(long)]
    pub(super) show_values: bool,
    #[command(flatten)]
    pub(super) printed: Printed,
}

#[derive(Args, Debug)]
pub(super) struct Rollback {
    /// Name of the project.
    pub(super) name: String,
    /// The version, the beginning of its name, or previous. Without it, a terminal shows a list to choose from.
    pub(super) version: Option<String>,
    /// Only show what would change.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Also retry the version, if it failed before.
    #[arg(long)]
    pub(super) retry: bool,
    #[command(flatten)]
    pub(super) waiting: Waiting,
}

#[derive(Args, Debug)]
pub(super) struct Request {
    /// Name of the project.
    pub(super) name: String,
    #[command(flatten)]
    pub(super) waiting: Waiting,
}

#[derive(Args, Debug)]
pub(super) struct Cancel {
    /// Name of the project.
    pub(super) name: String,
    /// Id of the build. Default: the current one.
    #[arg(long, value_name = "ID")]
    pub(super) build: Option<String>,
    #[command(flatten)]
    pub(super) waiting: Waiting,
}

#[derive(Args, Debug)]
pub(super) struct Scale {
    /// Name of the project.
    pub(super) name: String,
    /// Number of pods, 0 to 1000.
    #[arg(long, value_name = "NUMBER")]
    pub(super) replicas: i32,
    #[command(flatten)]
    pub(super) waiting: Waiting,
}

#[derive(Args, Debug)]
pub(super) struct Deploy {
    /// A folder of this machine, such as . or ./shop; URL of a Git repository; or name of a project, whose source is looked up
    /// again.
    #[arg(required_unless_present = "file")]
    pub(super) what: Option<String>,
    /// A manifest with ProjectDeployments; - reads standard input.
    #[arg(short, long = "filename", value_name = "FILE", conflicts_with = "what")]
    pub(super) file: Option<String>,
    /// Name of the project. Default: the last part of the URL or path.
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Branch of the repository. Default: its default branch.
    #[arg(long, group = "reference")]
    pub(super) branch: Option<String>,
    /// Tag of the repository.
    #[arg(long, group = "reference")]
    pub(super) tag: Option<String>,
    /// Commit of the repository, all 40 hex digits.
    #[arg(long, group = "reference")]
    pub(super) commit: Option<String>,
    /// Directory of the repository or folder to build. Default: its root.
    #[arg(long)]
    pub(super) path: Option<String>,
    /// Secret with the login for the repository.
    #[arg(long, value_name = "NAME")]
    pub(super) secret: Option<String>,
    /// Repository of your own to push the folder to, with the login of Docker, such as ghcr.io/you/shop-source. Default: the
    /// registry of the operator.
    #[arg(long, value_name = "REPOSITORY")]
    pub(super) repository: Option<String>,
    #[command(flatten)]
    pub(super) operator: Operator,
    /// Only show what would be applied.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Also write the manifest to this file; with --dry-run, only that.
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<String>,
    /// Take over fields that another field manager owns.
    #[arg(long)]
    pub(super) force_conflicts: bool,
    #[command(flatten)]
    pub(super) waiting: Waiting,
}

#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// Also build, push, pull and run a small project of its own, and delete it again.
    #[arg(long)]
    pub(super) probe: bool,
    #[command(flatten)]
    pub(super) limit: Timeout,
    #[command(flatten)]
    pub(super) printed: Printed,
}

#[derive(Args, Debug)]
pub(super) struct Dev {
    /// The folder.
    #[arg(default_value = ".")]
    pub(super) folder: String,
    /// Name of the project. Default: the last part of the path.
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Directory of the folder to build. Default: its root.
    #[arg(long)]
    pub(super) path: Option<String>,
    #[command(flatten)]
    pub(super) operator: Operator,
    #[command(flatten)]
    pub(super) limit: Timeout,
}

#[derive(Args, Debug)]
pub(super) struct Logs {
    /// Name of the project.
    pub(super) name: String,
    /// Keep printing. New pods join by themselves.
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Only logs of builds.
    #[arg(long, conflicts_with = "app")]
    pub(super) build: bool,
    /// Only logs of the app and its init command.
    #[arg(long)]
    pub(super) app: bool,
    /// Only pods of this version, or the beginning of its name; with --build, the log of its build, from the registry.
    #[arg(long, value_name = "VERSION")]
    pub(super) version: Option<String>,
    /// Only lines that are newer, such as 90s, 15m or 2h.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) since: Option<Duration>,
    /// Only this many lines of each log.
    #[arg(long, value_name = "LINES")]
    pub(super) tail: Option<i64>,
    /// Format: table (each line after its pod), raw (only the lines) or json (one object for each line).
    #[arg(short, long, value_name = "FORMAT", default_value = "table", hide_default_value = true)]
    pub(super) output: Lines,
    #[command(flatten)]
    pub(super) operator: Operator,
}

/// How lines of logs are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Lines {
    /// After the role and the pod.
    Table,
    /// As they are.
    Raw,
    /// As objects.
    Json,
}

#[derive(Args, Debug)]
pub(super) struct Export {
    /// Name of the project.
    pub(super) name: String,
    /// Format: yaml or json.
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    pub(super) output: Format,
    /// Keep the namespace in the manifest.
    #[arg(long)]
    pub(super) with_namespace: bool,
}

#[derive(Args, Debug)]
pub(super) struct Open {
    /// Name of the project.
    pub(super) name: String,
    /// Only print the URL.
    #[arg(long)]
    pub(super) print: bool,
}

#[derive(Args, Debug)]
pub(super) struct Report {
    /// Name of the project.
    pub(super) name: String,
    /// The file. Default: NAME-report.tar.gz.
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<String>,
}

/// A duration such as 90s, 15m, 2h or 1h30m. A number alone is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration. Write 90s, 15m, 2h or 1h30m");
    let mut seconds: u64 = 0;
    let mut digits = String::new();
    for letter in text.chars() {
        let unit = match letter {
            '0'..='9' => {
                digits.push(letter);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        seconds = number.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
        digits.clear();
    }
    if !digits.is_empty() || text.is_empty() {
        let rest: u64 = digits.parse().map_err(|_| wrong())?;
        seconds = seconds.checked_add(rest).ok_or_else(wrong)?;
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once("kubectl-doce").chain(line.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn flags_of_kubectl_work_before_and_after_the_verb() {
        for line in [
            "-n team list",
            "list -n team",
            "list --namespace=team",
            "--context c list -n team -A -l a=b -o wide",
        ] {
            let arguments = parse(line).unwrap();
            assert_eq!(arguments.connection.namespace.as_deref(), Some("team"), "{line}");
        }
        let arguments = parse("status shop -o jsonpath={.status.url}").unwrap();
        let Verb::Status(status) = arguments.verb else { panic!("{arguments:?}") };
        assert_eq!(status.printed.output, Format::JsonPath("{.status.url}".to_owned()));
    }

    #[test]
    fn wrong_usage_is_exit_code_2_with_the_way_out() {
        for (line, says) in [
            ("", "Usage"),
            ("deploy", "required"),
            ("deploy shop -f x.yaml", "cannot be used with"),
            ("status shop --for ready", "live, built, held"),
            ("status shop -o xml", "use table, wide, json, yaml, name or jsonpath=TEMPLATE"),
            ("status shop --timeout soon", "Write 90s, 15m, 2h"),
            ("scale shop", "--replicas"),
            ("deploy git@x:y --branch a --tag b", "cannot be used with"),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn durations_have_units_or_are_seconds() {
        for (text, seconds) in
            [("90s", 90), ("15m", 900), ("2h", 7200), ("1h30m", 5400), ("45", 45), ("0", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "m", "5x", "-5s", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
