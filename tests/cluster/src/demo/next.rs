//! Prints commands to paste into a shell once the sample answers. It runs none of them.

use super::{NAMESPACE, PROJECT, Target, repository, target::Git};
use crate::state::quoted;

/// kube-proxy learns a moment later than the operator that a pod is terminating.
const ENDING: &str = "# a terminating pod may still answer for a second";

/// Prints them.
pub(super) fn print(target: &Target, address: &str) {
    println!("\nWhat to try next (paste into this shell):\n");
    if let (true, Some(kubeconfig), Some(path)) =
        (target.own, target.variable("KUBECONFIG"), target.variable("PATH"))
    {
        // Only kubectl is needed, so the line adds only its directory.
        let kubectl = path.split(':').find(|dir| std::path::Path::new(dir).join("kubectl").is_file());
        println!(
            "export KUBECONFIG={} PATH={}:$PATH\n",
            quoted(kubeconfig),
            quoted(kubectl.unwrap_or_default())
        );
    }
    match &target.git {
        Git::Ours { .. } => {
            let tree = quoted(&repository::work_tree(&target.files).display().to_string());
            println!("{}", commits(&tree, address));
        }
        Git::Given(url) => println!("# Deploy a new commit: push one to {url}, then\n{}\n", deploy()),
    }
    println!("{}", rollback(address));
    println!("# Remove everything\nmake demo-down");
}

fn deploy() -> String {
    format!("kubectl annotate pd {PROJECT} -n {NAMESPACE} --overwrite doce.dev/deploy=@$(date +%s)")
}

fn commits(tree: &str, address: &str) -> String {
    let deploy = deploy();
    let pd = format!("pd/{PROJECT} -n {NAMESPACE} --timeout=5m");
    format!(
        "# Deploy a new commit\n\
         sed -i 's/version one/version two/' {tree}/server.js\n\
         git -C {tree} commit -qam 'Say version two' && git -C {tree} push -q\n\
         {deploy}\n\
         kubectl wait {pd} --for=jsonpath='{{.status.source.message}}'='Say version two'\n\
         kubectl wait {pd} --for=condition=Ready\n\
         curl {address}    {ENDING}\n\
         \n\
         # Push a commit that does not build: the old version keeps answering\n\
         sed -i 's/\"start\":/\"build\": \"node missing.js\",\\n    \"start\":/' {tree}/package.json\n\
         git -C {tree} commit -qam 'Break the build' && git -C {tree} push -q\n\
         {deploy}\n\
         kubectl wait {pd} --for=condition=Stalled\n\
         kubectl get pd {PROJECT} -n {NAMESPACE} -o jsonpath='{{.status.failure.message}}{{\"\\n\"}}{{.status.failure.log}}{{\"\\n\"}}'\n\
         curl {address}\n"
    )
}

fn rollback(address: &str) -> String {
    format!(
        "# Roll back to the previous version, without a build\n\
         kubectl annotate pd {PROJECT} -n {NAMESPACE} --overwrite doce.dev/rollback=previous@$(date +%s)\n\
         kubectl wait pd/{PROJECT} -n {NAMESPACE} --timeout=1m --for=jsonpath='{{.status.conditions[?(@.type==\"Ready\")].reason}}'=Held\n\
         curl {address}    {ENDING}\n\
         \n\
         # See what happened\n\
         kubectl get pd {PROJECT} -n {NAMESPACE} -o wide\n\
         kubectl describe pd {PROJECT} -n {NAMESPACE}\n"
    )
}
