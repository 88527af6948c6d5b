//! `spec.run.stop`: how a pod ends. Part of the version if it differs from the default.
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How a pod ends: it keeps answering for drainSeconds, then gets SIGTERM, and SIGKILL after another graceSeconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// Seconds between SIGTERM and SIGKILL, 1 to 3600. Set it to the duration of the longest request.
    #[x_kube(validation = Rule::new("self >= 1 && self <= 3600").message("spec.run.stop.graceSeconds must be between 1 and 3600: the seconds from SIGTERM to SIGKILL"))]
    #[serde(default = "Stop::grace")]
    pub grace_seconds: i32,
    /// Seconds that a pod keeps answering before SIGTERM, while the nodes learn that it ends, 0 to 300.
    #[x_kube(validation = Rule::new("self >= 0 && self <= 300").message("spec.run.stop.drainSeconds must be between 0 and 300: the seconds before SIGTERM"))]
    #[serde(default = "Stop::drain")]
    pub drain_seconds: i32,
}

impl Default for Stop {
    fn default() -> Self {
        Self { grace_seconds: Self::grace(), drain_seconds: Self::drain() }
    }
}

impl Stop {
    fn grace() -> i32 {
        30
    }

    fn drain() -> i32 {
        5
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde requires this signature")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
