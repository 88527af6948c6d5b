//! The demo: starts from nothing, deploys a program from a Git repository, and prints its URL and what to try next.
//! It calls only git, helm and kubectl, as users do, and links no code of the operator.

mod chart;
mod next;
mod progress;
mod repository;
mod target;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use serde_json::json;

pub use chart::render;

use crate::{
    Attempt, Error, Paths,
    compile::compile,
    launch, probe,
    progress::{say, seconds},
};
use progress::Outcome;
use target::Target;

/// The project of the demo.
const PROJECT: &str = "hello";
/// Its namespace.
const NAMESPACE: &str = "demo";
/// The placeholder in the sample for the URL of the repository.
const PLACEHOLDER: &str = "https://git.example.com/hello.git";
/// A node port answers only after kube-proxy has processed the Service.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// The path of a file, given relative to the root of the repository.
fn project_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Creates what is missing and prints the URL to standard output. A second run reuses what exists.
pub fn run(paths: &Paths, interrupted: &Arc<AtomicBool>) -> Result<(), Error> {
    let began = Instant::now();
    let target = Target::find(paths, interrupted)?;
    let plugin = compile("kubectl-doce", "the plugin kubectl doce")?;
    chart::install(&target)?;
    let url = match &target.git {
        target::Git::Ours { root, url } => repository::ensure(root, &target.files, url)?,
        target::Git::Given(url) => url.clone(),
    };
    apply(&target, &url)?;
    let outcome = progress::follow(&target, interrupted)?;
    let address = address(&target)?;
    let answer = answer(&address)?;
    say(format_args!("done after {}\n", seconds(began)));
    if let Outcome::Serves { failure: Some(failure) } = outcome {
        say(format_args!("the latest version failed, so an older one answers:\n  {failure}\n"));
    }
    println!("$ curl {address}\n{}", answer.trim_end());
    next::print(&target, &address, &plugin);
    Ok(())
}

/// Takes down what [`run`] created.
pub fn down(paths: &Paths, interrupted: &Arc<AtomicBool>) -> Result<(), Error> {
    let Some(target) = Target::given(paths)? else {
        let gone = launch::down(paths, interrupted)?;
        say(format_args!(
            "{}",
            if gone { "stopped the cluster of the demo" } else { "the demo has no cluster" }
        ));
        return Ok(());
    };
    target.run("kubectl", &["delete", "namespace", NAMESPACE, "--ignore-not-found"], "remove the sample")?;
    chart::uninstall(&target)
}

fn apply(target: &Target, url: &str) -> Result<(), Error> {
    let sample = project_file("manifests/samples/hello-git.yaml");
    let text = std::fs::read_to_string(&sample).attempt(|| format!("read {}", sample.display()))?;
    // Nothing that the operator creates for a project needs more than the strictest Pod Security level admits.
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": NAMESPACE,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
    }});
    let manifest = target.files.join("hello.yaml");
    let text = format!("{namespace}\n---\n{}", text.replace(PLACEHOLDER, url));
    std::fs::write(&manifest, text).attempt(|| format!("write {}", manifest.display()))?;
    let manifest = manifest.display().to_string();
    target.run(
        "kubectl",
        &["apply", "--namespace", NAMESPACE, "--filename", &manifest],
        "apply the sample",
    )?;
    Ok(())
}

fn address(target: &Target) -> Result<String, Error> {
    let path = "jsonpath={.status.url} {.status.nodePort}";
    let arguments = ["get", "projectdeployment", PROJECT, "--namespace", NAMESPACE, "--output", path];
    let text = target.run("kubectl", &arguments, "get the address of the sample")?;
    match text.split_once(' ') {
        Some((url, _)) if !url.is_empty() => Ok(url.to_owned()),
        Some((_, port)) if !port.is_empty() => Ok(format!("http://{}:{port}", target.node_address)),
        _ => Err(Error::failed("find the address of the sample", "its status has no nodePort")),
    }
}

/// The answer of the sample, as `curl` prints it.
fn answer(address: &str) -> Result<String, Error> {
    let deadline = Instant::now() + ANSWERS_WITHIN;
    loop {
        match probe::body(address) {
            Ok(body) => return Ok(body),
            Err(last) if Instant::now() >= deadline => {
                return Err(Error::Deadline {
                    what: format!("an answer from {address}"),
                    within: ANSWERS_WITHIN,
                    last,
                    tail: String::new(),
                });
            }
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}
