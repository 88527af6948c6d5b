//! `spec.run.initCommand`: what runs once for a version before its pods start. Part of the version.
#![allow(unreachable_pub, reason = "KubeSchema derives a twin of every struct inside a function")]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::run::BoundedString;

/// A command that runs once for a version, in its image and with its environment and volumes, before its pods start: migrations
/// of a database, say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InitCommand {
    /// The program and its arguments, such as [npm, run, migrate]. No shell reads them: write [sh, -c, "…"] for one.
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.size() > 0 && self[0].size() > 0").message("spec.run.initCommand.command must name a program, such as [npm, run, migrate]"))]
    pub command: Vec<BoundedString>,
    /// Seconds that it may take from the start of its pod, 1 to 86400.
    #[x_kube(validation = Rule::new("self >= 1 && self <= 86400").message("spec.run.initCommand.deadlineSeconds must be between 1 and 86400: the seconds that the command may take"))]
    #[serde(default = "InitCommand::deadline")]
    pub deadline_seconds: i32,
}

impl InitCommand {
    fn deadline() -> i32 {
        600
    }
}
