//! What a reader must know about a run: the machine, the date, the versions, the settings.

use std::fs;
use std::process::Command;

use super::cluster::{Cluster, output, program};
use super::settings::{Scenario, Settings};
use super::subject::Subject;

/// Prints it as Markdown.
pub(crate) async fn print(cluster: &Cluster, settings: &Settings) {
    println!("# Benchmark of doce-operator\n");
    println!("* Date: {}", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"));
    println!("* Machine: {}", machine());
    println!("* Load before the run: {}", line("/proc/loadavg", ""));
    let version = cluster.client.apiserver_version().await.unwrap();
    println!("* Kubernetes: {}", version.git_version);
    for subject in settings.subjects.iter().filter(|subject| subject.user().is_some()) {
        println!("* {}: {}", subject.title(), versions(*subject));
    }
    let names: Vec<&str> = settings.scenarios.iter().copied().map(Scenario::name).collect();
    println!("* Rounds: {}; scenarios: {}", settings.rounds, names.join(", "));
    println!("\nThe figures are medians over the rounds. (× …) is the ratio to the lean operator.");
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().unwrap();
    let memory = line("/proc/meminfo", "MemTotal").split_whitespace().next().unwrap().parse::<u64>().unwrap();
    let kernel = line("/proc/sys/kernel/osrelease", "");
    format!(
        "{cores} cores, {}, {} MiB of memory, Linux {kernel}",
        line("/proc/cpuinfo", "model name"),
        memory / 1024
    )
}

/// The value of the first line in a file that begins with `key`.
fn line(path: &str, key: &str) -> String {
    let text = fs::read_to_string(path).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("unknown");
    value.trim_start_matches([' ', '\t', ':']).trim().to_owned()
}

fn versions(subject: Subject) -> String {
    let path = program(subject);
    if subject == Subject::Doce {
        let version = output(Command::new(&path).arg("--version"), "");
        return format!("{}, {}", version.trim(), path.display());
    }
    let modules = output(Command::new("go").args(["version", "-m"]).arg(&path), "");
    let go = modules.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap_or("unknown");
    let library = |name: &str| {
        let words = modules.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let version =
            words.filter(|words| words.get(1) == Some(&name)).find_map(|words| words.get(2).copied());
        version.unwrap_or("unknown").to_owned()
    };
    let (runtime, client) = (library("sigs.k8s.io/controller-runtime"), library("k8s.io/client-go"));
    format!("controller-runtime {runtime}, client-go {client}, {go}")
}
