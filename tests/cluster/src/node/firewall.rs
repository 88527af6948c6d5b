//! The packet filter rules of the node: its own, and those that kube-proxy, kubelet and CNI plugins add.
//! It never changes other rules.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};

use super::network::{BRIDGE, PODS};
use crate::{Attempt, Error, error::run};

/// The comment that marks the node's own rules.
const COMMENT: &str = "doce-cluster";
const FAMILIES: [&str; 2] = ["iptables", "ip6tables"];
/// Prefixes of the chains of Kubernetes and of CNI plugins.
const PREFIXES: [&str; 2] = ["KUBE-", "CNI-"];

/// The chains of Kubernetes and of CNI plugins that exist now.
pub(super) fn chains() -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    for family in FAMILIES {
        found.extend(save(family)?.lines().flat_map(chains_of).map(str::to_owned));
    }
    Ok(found)
}

/// Lets pods connect to the networks that the machine reaches, and lets the answers back in.
pub(super) fn up() -> Result<(), Error> {
    let comment = ["-m", "comment", "--comment", COMMENT];
    let nat = ["-t", "nat", "-A", "POSTROUTING", "-s", PODS, "!", "-d", PODS, "-j", "MASQUERADE"];
    run(iptables().args(nat).args(comment), "let pods connect through the machine's address")?;
    // Pods need these if another program, such as Docker, has set the policy of FORWARD to DROP.
    for direction in ["-i", "-o"] {
        let accept = ["-I", "FORWARD", direction, BRIDGE, "-j", "ACCEPT"];
        run(iptables().args(accept).args(comment), "forward packets of pods")?;
    }
    Ok(())
}

/// Removes every rule and chain of the node, except the chains in `before`, which existed before the node.
pub(super) fn down(before: &BTreeSet<String>) -> Result<(), Error> {
    for family in FAMILIES {
        let now = save(family)?;
        let kept = without_ours(&now, before);
        if kept != now {
            restore(family, &kept)?;
        }
    }
    Ok(())
}

fn iptables() -> Command {
    let mut command = Command::new("iptables");
    command.arg("--wait");
    command
}

fn save(family: &str) -> Result<String, Error> {
    run(Command::new(format!("{family}-save")).arg("--counters"), &format!("read the rules of {family}"))
}

fn restore(family: &str, rules: &str) -> Result<(), Error> {
    let attempt = || format!("restore the rules of {family} without those of the node");
    let mut child = Command::new(format!("{family}-restore"))
        .arg("--wait")
        .stdin(Stdio::piped())
        .spawn()
        .attempt(attempt)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(rules.as_bytes()).attempt(attempt)?;
    }
    let status = child.wait().attempt(attempt)?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::failed(attempt(), format!("{family}-restore: {status}")))
    }
}

fn without_ours(rules: &str, before: &BTreeSet<String>) -> String {
    let ours = |line: &str| {
        line.contains(&format!("--comment {COMMENT} "))
            || chains_of(line).any(|chain| !before.contains(chain))
    };
    rules.lines().filter(|line| !ours(line)).flat_map(|line| [line, "\n"]).collect()
}

fn chains_of(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(' ').map(|word| word.trim_start_matches(':'));
    words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "*nat
:POSTROUTING ACCEPT [0:0]
:CNI-a - [0:0]
:KUBE-SERVICES - [0:0]
-A POSTROUTING -s 10.117.0.0/16 ! -d 10.117.0.0/16 -m comment --comment doce-cluster -j MASQUERADE
-A POSTROUTING -m comment --comment \"kubernetes\" -j KUBE-SERVICES
-A POSTROUTING -j CNI-a
-A POSTROUTING -s 192.168.0.0/16 -j MASQUERADE
COMMIT
";

    #[test]
    fn only_rules_and_chains_of_the_node_are_removed() {
        let before = BTreeSet::from(["CNI-a".to_owned()]);
        let expected = "*nat
:POSTROUTING ACCEPT [0:0]
:CNI-a - [0:0]
-A POSTROUTING -j CNI-a
-A POSTROUTING -s 192.168.0.0/16 -j MASQUERADE
COMMIT
";
        assert_eq!(without_ours(RULES, &before), expected);
    }
}
