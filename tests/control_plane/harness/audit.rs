//! What the API server says it was asked, from its own audit log. It knows nothing of the operator but its user.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::PathBuf;

use serde_json::Value;

/// A place in the audit log: what comes after it can be counted.
#[derive(Clone, Debug)]
pub(crate) struct Audit {
    path: PathBuf,
    offset: u64,
}

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
    /// Changes something.
    pub(crate) fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }

    /// A status of a project that was there.
    pub(crate) fn is_accepted_status(&self) -> bool {
        self.resource == "projectdeployments/status" && self.code < 300
    }

    /// Counted beside the others: Events, and the memory (ledger and records).
    pub(crate) fn is_beside(&self) -> bool {
        matches!(self.resource.as_str(), "events" | "controllerrevisions")
    }
}

impl Audit {
    /// From now on.
    pub(crate) fn begin() -> Self {
        let path = PathBuf::from(
            std::env::var_os("DOCE_AUDIT_LOG").expect("DOCE_AUDIT_LOG, which doce-cluster sets"),
        );
        let offset = std::fs::metadata(&path).expect("the audit log").len();
        Self { path, offset }
    }

    /// What `user` asked since; the next call goes on from there.
    pub(crate) fn asked_by(&mut self, user: &str) -> Vec<Asked> {
        let mut file = std::fs::File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.offset)).unwrap();
        let mut reader = BufReader::new(file);
        let (mut asked, mut line) = (vec![], String::new());
        while reader.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
            self.offset += line.len() as u64;
            if line.contains(user) {
                asked.extend(read(&line, user));
            }
            line.clear();
        }
        asked
    }
}

fn read(line: &str, user: &str) -> Option<Asked> {
    let event: Value = serde_json::from_str(line).expect("a JSON document a line");
    if event["impersonatedUser"]["username"] != user {
        return None;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let sub = text(&event["objectRef"]["subresource"]);
    let resource = text(&event["objectRef"]["resource"]);
    Some(Asked {
        verb: text(&event["verb"]),
        resource: if sub.is_empty() { resource } else { format!("{resource}/{sub}") },
        code: event["responseStatus"]["code"].as_u64().unwrap_or(0),
    })
}

/// How often each, for a person.
pub(crate) fn tally<'a>(asked: impl IntoIterator<Item = &'a Asked>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for asked in asked {
        *tally.entry(format!("{} {} {}", asked.verb, asked.resource, asked.code)).or_insert(0) += 1;
    }
    tally
}
