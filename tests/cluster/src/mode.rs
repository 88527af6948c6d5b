//! The two kinds of cluster. `launch` decides what a mode starts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What runs behind the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A real control plane; kwok simulates one node and its pods.
    ControlPlane,
    /// The same control plane and a real node: kubelet, containerd, kube-proxy, images, a Git server.
    Node,
}

impl Mode {
    /// The word used on the command line, in files and in `DOCE_CLUSTER_MODE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ControlPlane => "control-plane",
            Self::Node => "node",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
