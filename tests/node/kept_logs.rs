//! Logs of builds whose Jobs are deleted, read with the commands of docs/builds-logs.md.

use std::path::Path;
use std::process::Command;

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::json;

use crate::harness::{World, holds};
use crate::repository::{Repository, variable};

const DOCS: &str = include_str!("../../docs/builds-logs.md");
/// The tag in that example.
const TAG: &str = "log-6b14d254bc2e85ad";

/// The commands of the example that contains `word`, without their output.
fn commands(word: &str) -> String {
    let mut examples = DOCS.split("```").skip(1).step_by(2);
    let example = examples.find(|example| example.contains(word)).expect("the docs contain this example");
    let mut goes_on = false;
    let of_command = |line: &&str| {
        let is = goes_on || line.starts_with("$ ");
        goes_on = is && line.ends_with('\\');
        is
    };
    let lines: Vec<&str> = example.lines().filter(of_command).collect();
    lines.iter().map(|line| line.trim_start_matches("$ ")).collect::<Vec<_>>().join("\n")
}

/// Runs them like a user on the node.
fn run(commands: &str, kubeconfig: &Path) -> String {
    let mut shell = Command::new("bash");
    shell.args(["-c", commands]).env("KUBECONFIG", kubeconfig).env("no_proxy", "*");
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{commands}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl World {
    /// An administrator's kubeconfig for this namespace.
    fn configuration(&self, file: &Path) {
        std::fs::copy(variable("KUBECONFIG"), file).unwrap();
        let namespace = &self.namespace;
        run(&format!("kubectl config set-context --current --namespace={namespace}"), file);
    }

    /// Deletes the Jobs and waits until their pods are gone.
    async fn delete_jobs(&self) {
        for job in self.list::<Job>().await {
            let _ = self.api::<Job>().delete(&job.name_any(), &DeleteParams::background()).await.unwrap();
            self.until_gone::<Job>(&job.name_any()).await;
        }
        self.until_pods_of("build", "the pods of the builds are gone", <[_]>::is_empty).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn the_documented_commands_read_build_logs_after_the_jobs_are_gone() {
    // The namespace and the name in the docs.
    let world = World::new("you").await;
    let repository = Repository::new("kept-logs");
    let deploy = async |message: &str, step: &str| {
        let dockerfile = format!(
            "FROM docker.io/library/busybox:1.37\nRUN mkdir /www && {step}\nUSER 1000\n\
             CMD [\"sh\", \"-c\", \"exec httpd -f -p $PORT -h /www\"]\n"
        );
        let commit = repository.commit(message, &[("Dockerfile", &dockerfile)]);
        let git = json!({ "url": repository.url, "ref": { "commit": commit } });
        world.deploy("shop", &json!({ "source": { "git": git }, "rollout": { "minReadySeconds": 0 } })).await;
    };
    deploy("Good", "echo good >/www/index.html; echo all went $((40 + 2))").await;
    let good = world.until_serves("shop", "Good").await;
    deploy("Bad", "echo nothing went $((40 + 2)); exit 3").await;
    let bad = world.until_status("shop", "the build failed", |status| holds(status, "Stalled")).await;
    world.delete_jobs().await;

    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = directory.path().join("kubeconfig");
    world.configuration(&kubeconfig);
    let keys = run(&commands("get controllerrevisions"), &kubeconfig);
    for (status, says, never) in
        [(&good, "all went 42", "nothing went"), (&bad, "nothing went 42", "==> done")]
    {
        let version = status.desired_version.as_deref().unwrap().trim_start_matches('v');
        let line = keys.lines().find(|line| line.starts_with(version)).expect(&keys);
        let key = line.split_ascii_whitespace().nth(1).unwrap();
        let tag = format!("log-{}", &key[..16]);
        let reference = status.build.as_ref().unwrap().log.as_deref();
        assert!(
            reference.is_some_and(|reference| reference.ends_with(&format!("/you/shop:{tag}"))),
            "{status:?}"
        );
        let log = run(&commands("$R/manifests/").replace(TAG, &tag), &kubeconfig);
        assert!(log.contains("==> fetch") && log.contains(says) && !log.contains(never), "{log}");
    }
}
