//! What to try once the sample answers: commands that work when they are pasted into a shell.
//! It runs none of them.

use super::{NAMESPACE, PROJECT, Target, repository, target::Git};
use crate::state::quoted;

/// kube-proxy hears of a pod's end a moment later than the operator.
const ENDING: &str = "# for a second, a pod that ends may still answer";

/// Prints them.
pub(super) fn print(target: &Target, address: &str) {
    println!("\nWhat to try next: paste into this shell.\n");
    if let (true, Some(kubeconfig), Some(path)) =
        (target.own, target.variable("KUBECONFIG"), target.variable("PATH"))
    {
        // Only the directory with kubectl is needed.
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
        Git::Given(url) => println!("# A new commit: push one to {url}, then\n{}\n", deploy()),
    }
    println!("{}", rollback(address));
    println!("# Everything away again\nmake demo-down");
}

fn deploy() -> String {
    format!("kubectl annotate pd {PROJECT} -n {NAMESPACE} --overwrite doce.dev/deploy=@$(date +%s)")
}

fn commits(tree: &str, address: &str) -> String {
    let deploy = deploy();
    let pd = format!("pd/{PROJECT} -n {NAMESPACE} --timeout=5m");
    format!(
        "# A new commit\n\
         sed -i 's/version one/version two/' {tree}/server.js\n\
         git -C {tree} commit -qam 'Say version two' && git -C {tree} push -q\n\
         {deploy}\n\
         kubectl wait {pd} --for=jsonpath='{{.status.source.message}}'='Say version two'\n\
         kubectl wait {pd} --for=condition=Ready\n\
         curl {address}    {ENDING}\n\
         \n\
         # A commit that does not build: what answered goes on answering\n\
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
        "# Back to the version before, without a build\n\
         kubectl annotate pd {PROJECT} -n {NAMESPACE} --overwrite doce.dev/rollback=previous@$(date +%s)\n\
         kubectl wait pd/{PROJECT} -n {NAMESPACE} --timeout=1m --for=jsonpath='{{.status.conditions[?(@.type==\"Ready\")].reason}}'=Held\n\
         curl {address}    {ENDING}\n\
         \n\
         # What happened\n\
         kubectl get pd {PROJECT} -n {NAMESPACE} -o wide\n\
         kubectl describe pd {PROJECT} -n {NAMESPACE}\n"
    )
}
