//! `spec.run.health`: when a pod is ready. Part of the version.
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::BoundedString;

/// When a pod is ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type == 'HTTP' || self.path == '/'").message("spec.run.health.path is only for type HTTP"))]
#[x_kube(validation = Rule::new("self.type == 'HTTP' || !has(self.httpHeaders)").message("spec.run.health.httpHeaders is only for type HTTP"))]
#[x_kube(validation = Rule::new("self.type in ['HTTP', 'TCP'] || !has(self.port)").message("spec.run.health.port is only for type HTTP and TCP"))]
#[x_kube(validation = Rule::new("(self.type == 'Command') == has(self.command)").message("spec.run.health.command is required for type Command and not allowed for other types"))]
#[x_kube(validation = Rule::new("self.type != 'None' || !has(self.timeoutSeconds)").message("spec.run.health.timeoutSeconds is not for type None, which checks nothing"))]
pub struct Health {
    /// HTTP: a GET of path answers with 200 to 399. TCP: the port accepts connections. Command: a program in the
    /// container exits with 0. None: the process runs.
    #[serde(rename = "type", default)]
    pub kind: HealthType,
    /// Path of the GET, for type HTTP.
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(r"self.matches('^/[!-~]*$')").message("spec.run.health.path must start with '/' and contain no blanks"))]
    #[serde(default = "Health::root")]
    pub path: String,
    /// Headers of the GET, for type HTTP, such as X-Forwarded-Proto: https. Host is localhost unless you set it here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub http_headers: Vec<HttpHeader>,
    /// Port of the check, for types HTTP and TCP. Default: run.port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self >= 1 && self <= 65535").message("spec.run.health.port must be between 1 and 65535: the port that answers health checks"))]
    pub port: Option<i32>,
    /// Program and arguments, for type Command. It runs in the app's container without a shell. Exit code 0 means
    /// ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64))]
    pub command: Vec<BoundedString>,
    /// Seconds between two checks, 1 to 300.
    #[x_kube(validation = Rule::new("self >= 1 && self <= 300").message("spec.run.health.periodSeconds must be between 1 and 300"))]
    #[serde(default = "Health::period")]
    pub period_seconds: i32,
    /// Seconds that one check may take, 1 to 300. Default: periodSeconds, but at most 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self >= 1 && self <= 300").message("spec.run.health.timeoutSeconds must be between 1 and 300"))]
    pub timeout_seconds: Option<i32>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            kind: HealthType::Http,
            path: Self::root(),
            http_headers: vec![],
            port: None,
            command: vec![],
            period_seconds: Self::period(),
            timeout_seconds: None,
        }
    }
}

/// Which check decides that a pod is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HealthType {
    /// A GET answers with 200 to 399.
    #[default]
    #[serde(rename = "HTTP")]
    Http,
    /// The port accepts connections.
    #[serde(rename = "TCP")]
    Tcp,
    /// A program in the container exits with 0.
    Command,
    /// The process runs.
    None,
}

/// A header of the health check's GET.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct HttpHeader {
    /// Name of the header.
    #[schemars(length(max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[-A-Za-z0-9]+$')").message("spec.run.health.httpHeaders: a name must contain only letters, digits and '-', such as X-Forwarded-Proto"))]
    pub name: String,
    /// Value of the header.
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new("self.matches('^[ -~]*$')").message("spec.run.health.httpHeaders: a value must be one line of printable ASCII"))]
    pub value: String,
}

// Defaults of the schema, one function per field: the API server writes them into every object.
impl Health {
    fn root() -> String {
        "/".to_owned()
    }

    fn period() -> i32 {
        2
    }
}

impl Health {
    /// Seconds that one check may take.
    #[must_use]
    pub fn timeout(&self) -> i32 {
        self.timeout_seconds.unwrap_or_else(|| self.period_seconds.min(5))
    }
}
