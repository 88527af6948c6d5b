//! What the kubelet met when it asked for the health of the app, in words, with the line to write.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStateTerminated, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::text::bounded;

/// What the kubelet said last of a failed check of one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its sentence, as in its Event.
    pub said: String,
    /// When it said so last.
    pub at: Timestamp,
}

/// Seconds that the end of a container that never answered may take at most: its checks may take longer than their period,
/// and it has a drain and a grace.
const ITS_END: i64 = 120;

/// What is asked, read off the pod template.
#[derive(Clone, Debug, Default)]
pub(super) struct Check {
    /// `GET /path`, `the command …` or `a connection`.
    what: String,
    port: i32,
    timeout: i32,
    path: String,
    is_command: bool,
    /// The port is that of spec.run.port.
    is_own: bool,
    /// Seconds after which the kubelet ends a container that has not answered once; 0: never.
    budget: i64,
}

/// What was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Met {
    /// What happened and what to do.
    pub(super) words: String,
    /// Nothing listens on the port, as far as the kubelet can see.
    pub(super) refused: bool,
}

impl Check {
    /// The check of the app's container; none where its process is all that counts.
    pub(super) fn of(container: &Container) -> Option<Self> {
        let probe = container.readiness_probe.as_ref()?;
        let own = container.ports.iter().flatten().next().map_or(0, |port| port.container_port);
        let port = |port: &IntOrString| match port {
            IntOrString::Int(port) => *port,
            IntOrString::String(_) => own,
        };
        let timeout = probe.timeout_seconds.unwrap_or(1);
        let startup = container.startup_probe.as_ref();
        let budget = startup.map_or(0, |startup| {
            i64::from(startup.failure_threshold.unwrap_or(3))
                * i64::from(startup.period_seconds.unwrap_or(10))
        });
        let check = Self { timeout, port: own, budget, ..Self::default() };
        let check = match probe {
            Probe { http_get: Some(get), .. } => {
                let path = get.path.clone().unwrap_or_else(|| "/".to_owned());
                Self { what: format!("GET {path}"), port: port(&get.port), path, ..check }
            }
            Probe { exec: Some(exec), .. } => {
                let command = exec.command.iter().flatten().cloned().collect::<Vec<_>>().join(" ");
                Self { what: format!("the command {:?}", bounded(&command, 100)), is_command: true, ..check }
            }
            Probe { tcp_socket: Some(socket), .. } => {
                Self { what: "a connection".to_owned(), port: port(&socket.port), ..check }
            }
            _ => return None,
        };
        Some(Self { is_own: check.port == own, ..check })
    }

    /// The kubelet ended the container because it had not answered once: how it ended then says nothing.
    pub(super) fn gave_up(&self, ended: &ContainerStateTerminated) -> bool {
        let times = ended.started_at.as_ref().zip(ended.finished_at.as_ref());
        let lived = times.map(|(started, finished)| finished.0.as_second() - started.0.as_second());
        let its_end = self.budget - 1..self.budget + ITS_END;
        let told_to_end =
            matches!(ended.exit_code, 0 | 137 | 143) && ended.reason.as_deref() != Some("OOMKilled");
        self.budget > 0 && told_to_end && lived.is_some_and(|lived| its_end.contains(&lived))
    }

    /// The question for a pod of which nothing was met.
    pub(super) fn unanswered(&self) -> String {
        if self.is_command {
            return format!("does {} end with 0 within {} s?", self.what, self.timeout);
        }
        let path = if self.path.is_empty() {
            String::new()
        } else {
            format!(", and does {} answer 200 to 399", self.what)
        };
        format!("does it listen on port {}, which PORT names, on all addresses{path}?", self.port)
    }

    /// The kubelet's sentence in words.
    pub(super) fn met(&self, said: &str) -> Met {
        let said = said.trim_start_matches("(combined from similar events): ");
        let said = said.split_once(" probe failed: ").map_or(said, |(_, said)| said).trim();
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let (what, port, timeout) = (&self.what, self.port, self.timeout);
        let tcp = "write spec.run.health.type: TCP, where an open port is enough";
        let path = "name a path that answers 200 to 399 in spec.run.health.path";
        let refused = says(&["connection refused"]) && !said.starts_with("Get \"https://");
        let words = if self.is_command {
            if says(&["timed out", "timeout"]) {
                format!("{what} did not end within {timeout} s: raise spec.run.health.timeoutSeconds")
            } else {
                let output =
                    if said.is_empty() { String::new() } else { format!(": {}", bounded(said, 300)) };
                format!("{what} of spec.run.health did not end with 0{output}")
            }
        } else if let Some((_, code)) = said.split_once("statuscode: ") {
            let code = bounded(code.trim(), 3);
            let why = match code.as_str() {
                "400" => {
                    "the app does not take the host, which is localhost, or the request: let it answer localhost, or write the \
                     host that it expects as a header Host into spec.run.health.httpHeaders"
                        .to_owned()
                }
                "401" | "403" | "407" => format!("it asks for a login: {path} without one, or {tcp}"),
                "404" | "410" => format!("{path}, or {tcp}"),
                "421" => "the app does not take the host, which is localhost: write the host that it expects as a header Host into \
                          spec.run.health.httpHeaders"
                    .to_owned(),
                code if code.starts_with('5') => format!("the app fails; its log says why. Or {path}"),
                _ => format!("{path}, or {tcp}"),
            };
            format!("{what} answered {code}: {why}")
        } else if let Some(rest) = said.strip_prefix("Get \"https://") {
            let there = rest.split_once('"').map_or(rest, |(there, _)| there);
            format!(
                "{what} redirects to https://{}, which the kubelet follows to a port that speaks no TLS: write a header \
                 X-Forwarded-Proto: https into spec.run.health.httpHeaders, {path}, or {tcp}",
                bounded(there, 200)
            )
        } else if says(&["stopped after 10 redirects"]) {
            format!("{what} redirects in a circle: {path}, or {tcp}")
        } else if refused {
            format!(
                "connection refused on port {port}: the app listens on another port, or on 127.0.0.1 only. Listen on 0.0.0.0 and \
                 the port that PORT names, or write the app's port into {}",
                if self.is_own { "spec.run.port" } else { "spec.run.health.port" }
            )
        } else if says(&["context deadline exceeded", "Client.Timeout", "i/o timeout"]) {
            format!(
                "{what} had no answer on port {port} within {timeout} s: raise spec.run.health.timeoutSeconds, or name a path that answers sooner"
            )
        } else if says(&["malformed HTTP", "connection reset", "EOF"]) {
            format!("{what} on port {port} had no HTTP answer ({}): {tcp}", bounded(last(said), 200))
        } else {
            format!("{what} on port {port} failed: {}", bounded(said, 300))
        };
        Met { words, refused }
    }

    /// What is said of a program that has only just begun.
    pub(super) fn just_begun(&self) -> String {
        if self.is_command {
            return "it is starting".to_owned();
        }
        format!("it is starting, and does not listen on port {} yet", self.port)
    }
}

/// The cause at the end of an error: what stands before it names ports that are others each time.
fn last(said: &str) -> &str {
    said.rsplit(": ").next().unwrap_or(said)
}

#[cfg(test)]
mod tests;
