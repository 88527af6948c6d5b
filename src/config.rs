//! Settings of the operator: flags and environment, as data. The chart's values end here.

use std::path::PathBuf;

/// How this operator works for this cluster.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Watch this namespace only; all namespaces where it is left out.
    #[arg(long, env = "DOCE_NAMESPACE")]
    pub namespace: Option<String>,
    /// Registry that build pods push to, host[:port][/path].
    #[arg(long, env = "DOCE_PUSH_REGISTRY")]
    pub push_registry: String,
    /// The push registry speaks plain HTTP.
    #[arg(long, env = "DOCE_PUSH_INSECURE", default_value_t = false, action = clap::ArgAction::Set)]
    pub push_insecure: bool,
    /// The same registry as nodes pull from it; the push registry where it is left out.
    #[arg(long, env = "DOCE_PULL_REGISTRY")]
    pub pull_registry: Option<String>,
    /// Image of the build pods: upstream rootless BuildKit.
    #[arg(long, env = "DOCE_BUILDKIT_IMAGE", default_value = "docker.io/moby/buildkit:v0.33.1-rootless")]
    pub buildkit_image: String,
    /// Image of this operator: its binary does the work in build pods.
    #[arg(long, env = "DOCE_OPERATOR_IMAGE")]
    pub operator_image: String,
    /// Mirror that build pods pull docker.io images from, host[:port], plain HTTP.
    #[arg(long, env = "DOCE_MIRROR")]
    pub mirror: Option<String>,
    /// File with CA certificates (PEM) that build pods trust besides their own; at most 12 KiB.
    #[arg(long, env = "DOCE_CA_BUNDLE_FILE")]
    pub ca_bundle_file: Option<PathBuf>,
    /// Builds that run at a time in the whole cluster; the others wait in a queue.
    #[arg(long, env = "DOCE_BUILD_LIMIT", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub build_limit: u32,
    /// Builds that run at a time in each namespace; only the limit of the cluster counts where it is left out.
    #[arg(long, env = "DOCE_BUILD_LIMIT_NAMESPACE", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub build_limit_namespace: Option<u32>,
    /// Lowest port that is given to a project.
    #[arg(long, env = "DOCE_PORT_FIRST", default_value_t = 30100)]
    pub port_first: u16,
    /// Highest port that is given to a project.
    #[arg(long, env = "DOCE_PORT_LAST", default_value_t = 32667)]
    pub port_last: u16,
    /// Host name or address of the nodes, for status.url.
    #[arg(long, env = "DOCE_NODE_ADDRESS")]
    pub node_address: Option<String>,
    /// Seconds before a fault is tried again; doubled each time, up to ten minutes.
    #[arg(long, env = "DOCE_RETRY_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub retry_seconds: u32,
    /// Projects that are worked on at a time.
    #[arg(long, env = "DOCE_CONCURRENCY", default_value_t = 8)]
    pub concurrency: u16,
    /// Address of the health endpoints /livez and /readyz.
    #[arg(long, env = "DOCE_PROBE_ADDRESS", default_value = "0.0.0.0:8080")]
    pub probe_address: String,
}

/// The settings contradict each other.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// The port range is empty.
    #[error("--port-first {0} is above --port-last {1}: no port is left for projects")]
    Ports(u16, u16),
    /// The CA bundle cannot be read.
    #[error("cannot read --ca-bundle-file {0}")]
    CaBundle(PathBuf, #[source] std::io::Error),
    /// The CA bundle is too large for a Job.
    #[error(
        "--ca-bundle-file {0} has {1} bytes, at most {MAX_CA_BUNDLE} fit: leave out what build images trust anyway"
    )]
    CaBundleSize(PathBuf, usize),
}

/// Largest CA bundle in bytes: it travels in the environment of every build Job.
pub const MAX_CA_BUNDLE: usize = 12 * 1024;

impl Config {
    /// Checks what the flags' own types cannot say.
    pub fn validate(&self) -> Result<(), Invalid> {
        if self.port_first > self.port_last {
            return Err(Invalid::Ports(self.port_first, self.port_last));
        }
        Ok(())
    }

    /// The CA bundle as text, empty where there is none.
    pub fn ca_bundle(&self) -> Result<String, Invalid> {
        let Some(path) = &self.ca_bundle_file else { return Ok(String::new()) };
        let text = std::fs::read_to_string(path).map_err(|error| Invalid::CaBundle(path.clone(), error))?;
        if text.len() > MAX_CA_BUNDLE {
            return Err(Invalid::CaBundleSize(path.clone(), text.len()));
        }
        Ok(text)
    }
}
