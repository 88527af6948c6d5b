//! Why the health check of the app failed, as the kubelet reports it, with the setting to change.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStateTerminated, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::text::bounded;

/// The kubelet's last message about a failed check of one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeEvent {
    /// The message, as in the Event.
    pub said: String,
    /// When the kubelet last sent it.
    pub at: Timestamp,
}

/// Maximum number of seconds that a container which never answered takes to end: its checks may take longer than their
/// period, and it has a drain and a grace period.
const ITS_END: i64 = 120;

/// The health check, read from the pod template.
#[derive(Clone, Debug, Default)]
pub(super) struct Check {
    /// `GET /path`, `the command …` or `a connection`.
    what: String,
    port: i32,
    timeout: i32,
    path: String,
    is_command: bool,
    /// The port is `spec.run.port`.
    is_own: bool,
    /// Seconds after which the kubelet ends a container that has not answered once; 0: never.
    budget: i64,
}

/// The result of a failed check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Met {
    /// What happened and what to do.
    pub(super) words: String,
    /// Nothing listens on the port, as far as the kubelet can see.
    pub(super) refused: bool,
}

impl Check {
    /// The check of the app's container; none if only its process counts.
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

    /// The kubelet ended the container because it never answered, so how it ended says nothing.
    pub(super) fn gave_up(&self, ended: &ContainerStateTerminated) -> bool {
        let times = ended.started_at.as_ref().zip(ended.finished_at.as_ref());
        let lived = times.map(|(started, finished)| finished.0.as_second() - started.0.as_second());
        let its_end = self.budget - 1..self.budget + ITS_END;
        let told_to_end =
            matches!(ended.exit_code, 0 | 137 | 143) && ended.reason.as_deref() != Some("OOMKilled");
        self.budget > 0 && told_to_end && lived.is_some_and(|lived| its_end.contains(&lived))
    }

    /// The question for a pod about which the kubelet sent nothing.
    pub(super) fn unanswered(&self) -> String {
        if self.is_command {
            return format!("does {} exit with 0 within {} s?", self.what, self.timeout);
        }
        let path = if self.path.is_empty() {
            String::new()
        } else {
            format!(", and does {} answer 200 to 399", self.what)
        };
        format!("does it listen on port {}, the value of PORT, on all addresses{path}?", self.port)
    }

    /// Explains the kubelet's message.
    pub(super) fn met(&self, said: &str) -> Met {
        let said = said.trim_start_matches("(combined from similar events): ");
        let said = said.split_once(" probe failed: ").map_or(said, |(_, said)| said).trim();
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let (what, port, timeout) = (&self.what, self.port, self.timeout);
        let tcp = "set spec.run.health.type: TCP, for which an open port is enough";
        let path = "set spec.run.health.path to a path that answers 200 to 399";
        let refused = says(&["connection refused"]) && !said.starts_with("Get \"https://");
        let words = if self.is_command {
            if says(&["timed out", "timeout"]) {
                format!("{what} did not end within {timeout} s: raise spec.run.health.timeoutSeconds")
            } else {
                let output =
                    if said.is_empty() { String::new() } else { format!(": {}", bounded(said, 300)) };
                format!("{what} of spec.run.health did not exit with 0{output}")
            }
        } else if let Some((_, code)) = said.split_once("statuscode: ") {
            let code = bounded(code.trim(), 3);
            let why = match code.as_str() {
                "400" => {
                    "the app rejects the host localhost, or the request: make it accept localhost, or set the header Host in \
                     spec.run.health.httpHeaders to the host that it expects"
                        .to_owned()
                }
                "401" | "403" | "407" => format!("it requires a login: {path} without a login, or {tcp}"),
                "404" | "410" => format!("{path}, or {tcp}"),
                "421" => "the app rejects the host localhost: set the header Host in spec.run.health.httpHeaders to the host that \
                          it expects"
                    .to_owned(),
                code if code.starts_with('5') => format!("the app fails: see its log, or {path}"),
                _ => format!("{path}, or {tcp}"),
            };
            format!("{what} answered {code}: {why}")
        } else if let Some(rest) = said.strip_prefix("Get \"https://") {
            let there = rest.split_once('"').map_or(rest, |(there, _)| there);
            format!(
                "{what} redirects to https://{}, and the kubelet follows the redirect to a port without TLS. Add the header \
                 X-Forwarded-Proto: https to spec.run.health.httpHeaders, {path}, or {tcp}",
                bounded(there, 200)
            )
        } else if says(&["stopped after 10 redirects"]) {
            format!("{what} redirects in a loop: {path}, or {tcp}")
        } else if refused {
            format!(
                "connection refused on port {port}: the app listens on another port, or on 127.0.0.1 only. Make it listen on \
                 0.0.0.0 and the port in PORT, or write its port into {}",
                if self.is_own { "spec.run.port" } else { "spec.run.health.port" }
            )
        } else if says(&["context deadline exceeded", "Client.Timeout", "i/o timeout"]) {
            format!(
                "{what} got no answer on port {port} within {timeout} s: raise spec.run.health.timeoutSeconds, or set a path \
                 that answers sooner"
            )
        } else if says(&["malformed HTTP", "connection reset", "EOF"]) {
            format!("{what} on port {port} got no HTTP answer ({}): {tcp}", bounded(last(said), 200))
        } else {
            format!("{what} on port {port} failed: {}", bounded(said, 300))
        };
        Met { words, refused }
    }

    /// The message for a program that has only just started.
    pub(super) fn just_begun(&self) -> String {
        if self.is_command {
            return "it is starting".to_owned();
        }
        format!("it is starting, and does not listen on port {} yet", self.port)
    }
}

/// The cause at the end of an error. The text before it names ports that change each time.
fn last(said: &str) -> &str {
    said.rsplit(": ").next().unwrap_or(said)
}

#[cfg(test)]
mod tests;
