//! `doctor`: what keeps projects of this namespace from running, each finding with its fix. It reads only what its user may
//! read, and says what it could not see.

mod probe;

use k8s_openapi::api::core::v1::ResourceQuota;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt as _;
use serde::Serialize;

use super::arguments::Doctor;
use super::connection::Connection;
use super::door::Door;
use super::failure::Failure;
use super::output;
use super::screen::{Screen, Tone, toned};
use crate::quantity::{exceeds, nanos};
use crate::view::progress::{condition, is_seen, is_true};

/// Oldest minor version of Kubernetes that the operator supports.
const OLDEST: u32 = 33;

/// Resources of a quota without which no project runs.
const EVERY_PROJECT_NEEDS: [&str; 4] =
    ["pods", "count/pods", "count/deployments.apps", "count/replicasets.apps"];

/// What a user of the CLI needs in a namespace: verb, group, resource, what for.
const NEEDED: [(&str, &str, &str, &str); 10] = [
    ("get", "doce.dev", "projectdeployments", "every command about one project"),
    ("list", "doce.dev", "projectdeployments", "list, status"),
    ("watch", "doce.dev", "projectdeployments", "every command that waits"),
    ("patch", "doce.dev", "projectdeployments", "deploy, rollback, retry, stop, scale"),
    ("create", "doce.dev", "projectdeployments", "deploy of a new project"),
    ("list", "apps", "controllerrevisions", "history, diff, rollback --dry-run"),
    ("list", "", "pods", "logs, explain"),
    ("get", "", "pods/log", "logs"),
    ("list", "", "events", "explain"),
    ("create", "", "serviceaccounts/token", "deploy FOLDER, logs of old builds"),
];

/// One check.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    check: &'static str,
    result: Verdict,
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
enum Verdict {
    Good,
    Bad,
    NotVisible,
}

impl Finding {
    fn good(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, result: Verdict::Good, says: says.into(), fix: None }
    }

    fn bad(check: &'static str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, result: Verdict::Bad, says: says.into(), fix: Some(fix.into()) }
    }

    fn hidden(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, result: Verdict::NotVisible, says: says.into(), fix: None }
    }
}

/// Checks and prints. The exit code is 1 if something is bad.
pub(super) async fn run(connection: &Connection, screen: &Screen, verb: &Doctor) -> Result<(), Failure> {
    let door = Door::open(connection).await?;
    let mut findings = vec![server(&door).await?];
    let installed = resource(&door).await?;
    let is_there = installed.result == Verdict::Good;
    findings.push(installed);
    findings.extend(rights(&door).await?);
    findings.push(pod_security(&door).await);
    findings.push(quotas(&door).await);
    if is_there {
        findings.extend(projects(&door).await);
    }
    findings.push(if verb.probe && is_there {
        probe::run(&door, screen, verb).await
    } else {
        Finding::hidden(
            "registry",
            format!("a push and a pull are not tried. Try them: kubectl doce doctor --probe {}", door.flags),
        )
    });
    let bad = findings.iter().filter(|finding| finding.result == Verdict::Bad).count();
    if verb.printed.output.is_for_people() {
        for finding in &findings {
            show(screen, finding);
        }
    } else {
        output::print(screen, &verb.printed.output, &findings, &[])?;
    }
    match bad {
        0 => Ok(()),
        1 => Err(Failure::error("1 check failed")),
        _ => Err(Failure::error(format!("{bad} checks failed"))),
    }
}

fn show(screen: &Screen, finding: &Finding) {
    let mark = match finding.result {
        Verdict::Good => toned(Tone::Good, "ok "),
        Verdict::Bad => toned(Tone::Bad, "bad"),
        Verdict::NotVisible => toned(Tone::Quiet, "-  "),
    };
    screen.print(&format!("{mark} {:<13} {}", finding.check, finding.says));
    if let Some(fix) = &finding.fix {
        screen.print(&format!("    {:<13} {fix}", ""));
    }
}

async fn server(door: &Door) -> Result<Finding, Failure> {
    let version = door.server_version().await?;
    let minor: Option<u32> =
        version.trim_start_matches('v').split('.').nth(1).and_then(|minor| minor.parse().ok());
    Ok(match minor {
        Some(minor) if minor < OLDEST => Finding::bad(
            "kubernetes",
            format!("{version} is older than 1.{OLDEST}"),
            format!("Upgrade the cluster to 1.{OLDEST} or newer"),
        ),
        _ => Finding::good("kubernetes", version),
    })
}

async fn resource(door: &Door) -> Result<Finding, Failure> {
    let served = door.served_versions().await?;
    Ok(if served.is_empty() {
        Finding::bad(
            "crd",
            "the API server does not know ProjectDeployments",
            "Ask the platform owner to install the chart of doce-operator",
        )
    } else {
        Finding::good("crd", format!("doce.dev/{}", served.join(", ")))
    })
}

async fn rights(door: &Door) -> Result<Vec<Finding>, Failure> {
    let mut missing = vec![];
    for (verb, group, resource, purpose) in NEEDED {
        if !door.may(verb, group, resource).await? {
            missing.push(Finding::bad(
                "rights",
                format!(
                    "you may not {verb} {resource} in namespace {}, which these need: {purpose}",
                    door.namespace
                ),
                format!("Ask for a RoleBinding to the ClusterRole edit in namespace {}", door.namespace),
            ));
        }
    }
    if missing.is_empty() {
        missing.push(Finding::good(
            "rights",
            format!("all that the commands need in namespace {}", door.namespace),
        ));
    }
    Ok(missing)
}

async fn pod_security(door: &Door) -> Finding {
    let check = "pod security";
    match door.own_namespace().await {
        Ok(Some(namespace)) => {
            let level = namespace.labels().get("pod-security.kubernetes.io/enforce").cloned();
            let level = level.unwrap_or_else(|| "none".to_owned());
            let says = match level.as_str() {
                "restricted" => "enforces restricted: images need a user other than root",
                "baseline" => "enforces baseline",
                "privileged" | "none" => "enforces nothing",
                _ => "enforces an unknown level",
            };
            Finding::good(check, format!("namespace {} {says}", door.namespace))
        }
        Ok(None) => Finding::bad(
            check,
            format!("namespace {} does not exist", door.namespace),
            format!("Create it: kubectl create namespace {}; or choose another with -n", door.namespace),
        ),
        Err(_) => Finding::hidden(check, "you may not read the namespace"),
    }
}

async fn quotas(door: &Door) -> Finding {
    let Ok(quotas) = door.quotas().await else {
        return Finding::hidden("quotas", "you may not list the quotas of the namespace");
    };
    let full: Vec<String> = quotas.iter().flat_map(used_up).collect();
    if full.is_empty() {
        return Finding::good("quotas", format!("{} quotas, none is used up", quotas.len()));
    }
    Finding::bad(
        "quotas",
        full.join("; "),
        format!(
            "Builds and surging rollouts need room for one more pod. Raise the quota, or stop a project: kubectl doce stop NAME {}",
            door.flags
        ),
    )
}

/// The limits of a quota that leave no room.
fn used_up(quota: &ResourceQuota) -> Vec<String> {
    let status = quota.status.clone().unwrap_or_default();
    let (hard, used) = (status.hard.unwrap_or_default(), status.used.unwrap_or_default());
    let is_full = |resource: &str, limit: &Quantity| {
        // A limit of zero forbids a kind of object that most projects do not need.
        let forbids = nanos(limit) == Some(0) && !EVERY_PROJECT_NEEDS.contains(&resource);
        used.get(resource).is_some_and(|used| !exceeds(limit, used)) && !forbids
    };
    let name = quota.name_any();
    hard.iter()
        .filter(|(resource, limit)| is_full(resource, limit))
        .map(|(resource, limit)| format!("{resource} of quota {name} is used up ({})", limit.0))
        .collect()
}

async fn projects(door: &Door) -> Vec<Finding> {
    let Ok(projects) = door.projects(false, None).await else {
        return vec![Finding::hidden("operator", "you may not list projects")];
    };
    let unseen: Vec<String> =
        projects.iter().filter(|object| !is_seen(object)).map(kube::ResourceExt::name_any).collect();
    let operator = match (projects.len(), unseen.is_empty()) {
        (0, _) => Finding::hidden("operator", "no project here shows whether it runs"),
        (count, true) => {
            Finding::good("operator", format!("has processed the newest spec of all {count} projects"))
        }
        (_, false) => Finding::bad(
            "operator",
            format!("has not processed the newest spec of {}", unseen.join(", ")),
            "If that lasts longer than a minute, ask the platform owner: kubectl get pods -A -l app.kubernetes.io/name=doce-operator",
        ),
    };
    let portless = projects.iter().filter_map(|object| {
        let port = condition(object, "PortAllocated")?;
        let is_wrong = matches!(port.reason.as_str(), "PortsExhausted" | "PortUnavailable");
        is_wrong.then(|| {
            Finding::bad(
                "ports",
                format!("{}: {}", object.name_any(), port.message),
                format!("kubectl doce explain {} {}", object.name_any(), door.flags),
            )
        })
    });
    let ports: Vec<Finding> = portless.collect();
    let ill = projects.iter().filter(|object| is_true(object, "Stalled"));
    let ill = ill.map(|object| {
        let name = object.name_any();
        let reason = condition(object, "Ready").map_or("", |ready| ready.reason.as_str());
        Finding::bad(
            "project",
            format!("{name} needs you: {reason}"),
            format!("kubectl doce explain {name} {}", door.flags),
        )
    });
    let ill: Vec<Finding> = ill.collect();
    let mut findings = vec![operator];
    if ports.is_empty() && !projects.is_empty() {
        findings.push(Finding::good("ports", "no project waits for a node port"));
    }
    findings.extend(ports);
    findings.extend(ill);
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_limit_of_zero_is_used_up_only_if_every_project_needs_the_resource() {
        let full = |hard: serde_json::Value, used: serde_json::Value| {
            let quota = json!({ "metadata": { "name": "q" }, "status": { "hard": hard, "used": used } });
            used_up(&serde_json::from_value(quota).unwrap())
        };
        let full_pods =
            full(json!({ "pods": "2", "requests.cpu": "2" }), json!({ "pods": "2", "requests.cpu": "1" }));
        assert_eq!(full_pods, ["pods of quota q is used up (2)"]);
        let none = json!({ "services.loadbalancers": "0", "requests.nvidia.com/gpu": "0" });
        assert!(full(none.clone(), none).is_empty());
        assert_eq!(full(json!({ "pods": "0" }), json!({ "pods": "0" })).len(), 1);
    }
}
