//! `spec.run.initCommand`: a command that runs once for each version before its pods start. Part of the version.
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::run::BoundedString;

/// A command that runs once for each version before its pods start, such as database migrations. It runs in the image
/// of the version, with its environment and volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InitCommand {
    /// The program and its arguments, such as [npm, run, migrate]. It runs without a shell; for a shell, write
    /// [sh, -c, "…"].
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.size() > 0 && self[0].size() > 0").message("spec.run.initCommand.command must name a program, such as [npm, run, migrate]"))]
    pub command: Vec<BoundedString>,
    /// Seconds that the command may take from the start of its pod, 1 to 86400.
    #[x_kube(validation = Rule::new("self >= 1 && self <= 86400").message("spec.run.initCommand.deadlineSeconds must be between 1 and 86400: the seconds that the command may take"))]
    #[serde(default = "InitCommand::deadline")]
    pub deadline_seconds: i32,
}

impl InitCommand {
    fn deadline() -> i32 {
        600
    }
}
