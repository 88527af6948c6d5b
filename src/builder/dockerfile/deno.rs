//! Programs for Deno: the Deno binary from npm's registry on Debian, with the imports of the program.

use std::fmt::Write as _;

use super::debian::SLIM;
use super::{CA_SECRET, Step, Trust, arguments, exec, header, no_start, run, shell};

/// A program for Deno.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Plan {
    /// A version or a range of them.
    pub(in crate::builder) version: String,
    /// The file whose imports are downloaded; None: those of deno.json.
    pub(in crate::builder) entry: Option<String>,
    pub(in crate::builder) build: Option<Step>,
    /// Names of build arguments.
    pub(in crate::builder) arguments: Vec<String>,
    /// None: unknown.
    pub(in crate::builder) command: Option<Vec<String>>,
}

/// Deno trusts the certificates of a file that it is given. The file must exist.
const TRUST: &str = "if [ -s @ ]; then export DENO_CERT=@; fi; ";

/// The Dockerfile.
pub(in crate::builder) fn text(plan: &Plan) -> String {
    let trust = TRUST.replace('@', &format!("/run/secrets/{CA_SECRET}"));
    let mut text = header("a program for Deno");
    let _ = write!(
        text,
        "FROM docker.io/library/node:22-bookworm-slim AS build\n\
         WORKDIR /app\n\
         ENV DENO_DIR=/deno NODE_EXTRA_CA_CERTS=/run/secrets/{CA_SECRET}\n"
    );
    let install = format!(
        "npm install --global 'deno@{}' && cp /usr/local/lib/node_modules/deno/deno /usr/local/bin/deno.bin",
        plan.version
    );
    text.push_str(&run(Trust::Beside, Some("/root/.npm"), &install));
    text.push_str("COPY . .\n");
    text.push_str(&arguments(&plan.arguments));
    let download = match &plan.entry {
        Some(file) => format!("deno cache {file}"),
        None => "deno install".to_owned(),
    };
    text.push_str(&run(Trust::Beside, None, &format!("{trust}mkdir -p /deno && {download}")));
    match &plan.build {
        Some(Step::Usual) => text.push_str(&run(Trust::Beside, None, &format!("{trust}deno task build"))),
        Some(Step::Command(line)) => text.push_str(&run(Trust::Beside, None, &shell(line))),
        None => {}
    }
    let _ = write!(
        text,
        "\nFROM {SLIM}\n\
         COPY --link --from=build /usr/local/bin/deno.bin /usr/local/bin/deno\n\
         ENV DENO_DIR=/deno DENO_NO_UPDATE_CHECK=1 PORT=3000\n\
         WORKDIR /app\n\
         COPY --link --from=build --chown=1000:1000 /deno /deno\n\
         COPY --link --from=build /app ./\n\
         USER 1000\n\
         EXPOSE 3000\n\
         CMD {}\n",
        plan.command.as_deref().map_or_else(no_start, exec)
    );
    text
}
