//! Requests that the API server recorded in its audit log. This module knows only the operator's user.

use std::collections::BTreeMap;

use serde_json::Value;

use super::audit_log::AuditLog;

/// A position in the audit log, from which requests are counted.
#[derive(Clone, Debug)]
pub(crate) struct Audit(AuditLog);

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    /// get, list, watch, create, update, patch, delete…
    pub(crate) verb: String,
    /// Resource, with its subresource: `deployments`, `projectdeployments/status`.
    pub(crate) resource: String,
    /// Status of the answer.
    pub(crate) code: u64,
}

impl Asked {
    /// True if the request changes something.
    pub(crate) fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch" | "dry-run")
    }

    /// True if it creates, renews or releases the Lease.
    fn is_lease_written(&self) -> bool {
        self.is_write() && self.resource == "leases" && self.code < 300
    }

    /// True if it is an accepted status write of an existing project.
    pub(crate) fn is_accepted_status(&self) -> bool {
        self.resource == "projectdeployments/status" && self.code < 300
    }

    /// True if it is counted separately: Events, ledger, records, and the Lease of the operators.
    pub(crate) fn is_beside(&self) -> bool {
        matches!(self.resource.as_str(), "events" | "controllerrevisions" | "leases")
    }
}

impl Audit {
    /// Starts at the end of the log.
    pub(crate) fn begin() -> Self {
        Self(AuditLog::end())
    }

    /// Returns the requests of `user` since the last call.
    pub(crate) fn asked_by(&mut self, user: &str) -> Vec<Asked> {
        let asked = self.asked_by_any(user).into_iter();
        asked.filter(|(by, _)| by == user).map(|(_, asked)| asked).collect()
    }

    /// Returns the requests of users with this name prefix since the last call, each with its user, in the order of the
    /// answers.
    pub(crate) fn asked_by_any(&mut self, users: &str) -> Vec<(String, Asked)> {
        let mut asked = vec![];
        self.0.each(|line| {
            if line.contains(users) {
                asked.extend(read(line).filter(|(user, _)| user.starts_with(users)));
            }
        });
        asked
    }
}

fn read(line: &str) -> Option<(String, Asked)> {
    let event: Value = serde_json::from_str(line).expect("one JSON document per line");
    let user = event["impersonatedUser"]["username"].as_str()?.to_owned();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let sub = text(&event["objectRef"]["subresource"]);
    let resource = text(&event["objectRef"]["resource"]);
    let dry_run = event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun=All"));
    let asked = Asked {
        verb: if dry_run { "dry-run".to_owned() } else { text(&event["verb"]) },
        resource: if sub.is_empty() { resource } else { format!("{resource}/{sub}") },
        code: event["responseStatus"]["code"].as_u64().unwrap_or(0),
    };
    Some((user, asked))
}

/// Counts requests by kind, for printing.
pub(crate) fn tally<'a>(asked: impl IntoIterator<Item = &'a Asked>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for asked in asked {
        *tally.entry(format!("{} {} {}", asked.verb, asked.resource, asked.code)).or_insert(0) += 1;
    }
    tally
}

/// The writes, accepted or not, of users that were not the last to write the Lease. There must be none.
pub(crate) fn without_the_lease(asked: &[(String, Asked)]) -> Vec<&(String, Asked)> {
    let mut holder = None;
    let mut wrong = vec![];
    for entry in asked {
        let (user, asked) = entry;
        if asked.is_lease_written() {
            holder = Some(user);
        } else if asked.is_write() && asked.resource != "leases" && holder != Some(user) {
            wrong.push(entry);
        }
    }
    wrong
}
