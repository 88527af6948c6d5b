//! The cluster on which everything runs: its clients, the programs of the operators, their CRDs and their rights.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use http::{HeaderName, HeaderValue};
use kube::Client;
use serde_json::Value;

use super::subject::Subject;

/// The user of the benchmark itself, an administrator.
pub(crate) const CLIENT: &str = "bench:client";

/// The prepared cluster.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    /// Directory of the launcher's cluster.
    directory: PathBuf,
    /// Process of the API server.
    pub(crate) api_server: u32,
}

impl Cluster {
    /// Installs what the operators of these subjects need.
    pub(crate) async fn prepare(subjects: &[Subject]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        for subject in subjects {
            match subject {
                Subject::Plain => {}
                Subject::Lean => install_lean(),
                Subject::Doce => install_doce(),
            }
        }
        let mut config = Box::pin(kube::Config::infer()).await.expect("KUBECONFIG: use `make bench`");
        config.headers =
            vec![header("impersonate-user", CLIENT), header("impersonate-group", "system:masters")];
        let directory = std::env::var_os("DOCE_CLUSTER_DIR").expect("DOCE_CLUSTER_DIR: use `make bench`");
        let directory = PathBuf::from(directory);
        let api_server = process("kube-apiserver", &directory);
        Self { client: Client::try_from(config).unwrap(), directory, api_server }
    }

    /// The log of an operator, next to those of the cluster. The launcher keeps it if the benchmark fails.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.directory.join("logs").join(format!("{name}.log"))
    }
}

/// The program of a subject's operator.
pub(crate) fn program(subject: Subject) -> PathBuf {
    let variable = match subject {
        Subject::Plain => unreachable!("it has no operator"),
        Subject::Lean => "LEAN_OPERATOR_BINARY",
        Subject::Doce => "DOCE_OPERATOR_BINARY",
    };
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.filter(|path| path.is_file()).unwrap_or_else(|| panic!("{variable} names no file: use `make bench`"))
}

fn install_lean() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/lean-operator");
    for file in ["crd.yaml", "rbac.yaml"] {
        apply(&std::fs::read_to_string(directory.join(file)).unwrap());
    }
    established("apps.bench.doce.dev");
}

/// The CRD of the program, the rights of the chart, and a binding to the user of the benchmark.
fn install_doce() {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/doce-operator");
    let chart = chart.to_str().unwrap();
    apply(&output(Command::new(program(Subject::Doce)).arg("crd"), ""));
    let template = ["template", "doce-operator", chart, "--show-only", "templates/rbac.yaml"];
    let rights = output(Command::new("helm").args(template), "");
    let role = rights.split("\n---").find(|document| document.contains("\nkind: ClusterRole\n"));
    let role: serde_yaml::Value = serde_yaml::from_str(role.expect("the chart has a ClusterRole")).unwrap();
    let role = role["metadata"]["name"].as_str().unwrap();
    apply(&rights);
    let user = Subject::Doce.user().unwrap();
    let bind = ["create", "clusterrolebinding", "bench-doce-operator", "--clusterrole", role, "--user", user];
    output(Command::new("kubectl").args(bind), "");
    established("projectdeployments.doce.dev");
}

fn apply(manifest: &str) {
    output(Command::new("kubectl").args(["apply", "--server-side", "--filename", "-"]), manifest);
}

fn established(crd: &str) {
    let wait = ["wait", "--for=condition=Established", "--timeout=2m", "crd", crd];
    output(Command::new("kubectl").args(wait), "");
}

/// Runs a command with this input. Returns its output.
pub(crate) fn output(command: &mut Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let child = child.as_mut().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let text = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
    assert!(child.wait().unwrap().success(), "{command:?} failed");
    text
}

/// The process of a component of the cluster, from the launcher's record.
fn process(name: &str, cluster: &Path) -> u32 {
    let record = std::fs::read(cluster.join("processes.json")).unwrap();
    let record: Vec<Value> = serde_json::from_slice(&record).unwrap();
    let process = record.iter().find(|process| process["name"] == name).expect("the launcher started it");
    process["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).unwrap()
}

fn header(name: &'static str, value: &str) -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
}
