//! Prints commands to paste into a shell once the sample answers. It runs none of them.

use std::path::Path;

use super::{NAMESPACE, PROJECT, Target, chart, repository, target::Git};
use crate::state::quoted;

/// kube-proxy learns a moment later than the operator that a pod is terminating.
const ENDING: &str = "# a terminating pod may still answer for a second";

/// Prints them. `plugin` is the program of `kubectl doce`.
pub(super) fn print(target: &Target, address: &str, plugin: &Path) {
    println!("\nWhat to try next (paste into this shell):\n");
    println!("{}\n", environment(target, plugin));
    match &target.git {
        Git::Ours { .. } => {
            let tree = quoted(&repository::work_tree(&target.files).display().to_string());
            println!("{}", commits(&tree, address));
        }
        Git::Given(url) => println!("# Deploy a new commit: push one to {url}, then\n{}\n", deploy()),
    }
    println!("{}", rollback(address));
    println!("{}", api());
    println!("# Remove everything\nmake demo-down");
}

/// Where kubectl finds its plugin, and on the demo's own cluster, the cluster and kubectl.
fn environment(target: &Target, plugin: &Path) -> String {
    let plugin = quoted(&plugin.parent().unwrap_or(plugin).display().to_string());
    let (true, Some(kubeconfig), Some(path)) =
        (target.own, target.variable("KUBECONFIG"), target.variable("PATH"))
    else {
        return format!("export PATH={plugin}:$PATH");
    };
    // Only kubectl is needed, so the line adds only its directory.
    let kubectl = path.split(':').find(|dir| Path::new(dir).join("kubectl").is_file());
    let kubectl = quoted(kubectl.unwrap_or_default());
    format!("export KUBECONFIG={} PATH={kubectl}:{plugin}:$PATH", quoted(kubeconfig))
}

fn deploy() -> String {
    format!("kubectl doce deploy {PROJECT} -n {NAMESPACE}")
}

fn commits(tree: &str, address: &str) -> String {
    let deploy = deploy();
    format!(
        "# Deploy a new commit\n\
         sed -i 's/version one/version two/' {tree}/server.js\n\
         git -C {tree} commit -qam 'Say version two' && git -C {tree} push -q\n\
         {deploy}\n\
         curl {address}    {ENDING}\n\
         \n\
         # Push a commit that does not build: the old version keeps answering\n\
         sed -i 's/\"start\":/\"build\": \"node missing.js\",\\n    \"start\":/' {tree}/package.json\n\
         git -C {tree} commit -qam 'Break the build' && git -C {tree} push -q\n\
         {deploy}\n\
         kubectl doce explain {PROJECT} -n {NAMESPACE}\n\
         curl {address}\n"
    )
}

fn rollback(address: &str) -> String {
    format!(
        "# Roll back to the previous version, without a build\n\
         kubectl doce rollback {PROJECT} previous -n {NAMESPACE}\n\
         curl {address}    {ENDING}\n\
         \n\
         # See what happened\n\
         kubectl doce history {PROJECT} -n {NAMESPACE}\n\
         kubectl describe pd {PROJECT} -n {NAMESPACE}\n"
    )
}

/// A caller with the rights of the role `edit`, and a request.
fn api() -> String {
    let server = format!("service/{}-server", chart::RELEASE);
    format!(
        "# Use the HTTP API, with the rights of a ServiceAccount\n\
         kubectl create serviceaccount deployer -n {NAMESPACE}\n\
         kubectl create rolebinding deployer --clusterrole edit --serviceaccount {NAMESPACE}:deployer -n {NAMESPACE}\n\
         kubectl port-forward -n {} {server} 8090:80 &\n\
         curl --retry 5 --retry-connrefused -H \"Authorization: Bearer $(kubectl create token deployer -n {NAMESPACE})\" \\\n  \
           http://localhost:8090/api/v1/namespaces/{NAMESPACE}/projects/{PROJECT}/status\n",
        chart::NAMESPACE
    )
}
