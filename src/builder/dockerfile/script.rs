//! A shell script on Debian.

use std::fmt::Write as _;

use super::{Trust, arguments, debian, exec, header, run, shell};

/// A script.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Plan {
    /// Packages of Debian that it calls.
    pub(in crate::builder) packages: Vec<&'static str>,
    /// The user's build command.
    pub(in crate::builder) command: Option<String>,
    /// Names of build arguments.
    pub(in crate::builder) arguments: Vec<String>,
    pub(in crate::builder) start: Vec<String>,
}

/// The Dockerfile.
pub(in crate::builder) fn text(plan: &Plan) -> String {
    let mut text = header("a shell script");
    text.push_str("FROM docker.io/library/debian:bookworm-slim\n");
    text.push_str(&debian::install(&plan.packages));
    text.push_str("WORKDIR /app\nCOPY . .\n");
    if let Some(line) = &plan.command {
        text.push_str(&arguments(&plan.arguments));
        text.push_str(&run(Trust::Beside, None, &shell(line)));
    }
    let _ = write!(text, "ENV HOME=/tmp PORT=8080\nUSER 1000\nEXPOSE 8080\nCMD {}\n", exec(&plan.start));
    text
}
