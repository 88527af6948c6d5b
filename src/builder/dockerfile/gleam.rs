//! Programs in Gleam: compiled for Erlang, on the image that has both.

use std::fmt::Write as _;

use super::{Step, Trust, arguments, header, run, shell};
use crate::builder::detect::Assets;

/// A program in Gleam.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Plan {
    /// The version of Gleam.
    pub(in crate::builder) version: String,
    /// There is a manifest.toml.
    pub(in crate::builder) locked: bool,
    pub(in crate::builder) build: Step,
    /// Names of build arguments.
    pub(in crate::builder) arguments: Vec<String>,
    pub(in crate::builder) assets: Assets,
}

/// The Dockerfile.
pub(in crate::builder) fn text(plan: &Plan) -> String {
    let image = format!("ghcr.io/gleam-lang/gleam:v{}-erlang-alpine", plan.version);
    let mut text = header("a program in Gleam");
    let lock = if plan.locked { " manifest.toml" } else { "" };
    let _ = write!(text, "FROM {image} AS build\nWORKDIR /src\nCOPY gleam.toml{lock} ./\n");
    text.push_str(&run(Trust::System, None, "gleam deps download"));
    text.push_str("COPY . .\n");
    text.push_str(&arguments(&plan.arguments));
    text.push_str(&match &plan.build {
        Step::Command(line) => run(Trust::Beside, None, &shell(line)),
        Step::Usual => run(Trust::System, None, "gleam export erlang-shipment"),
    });
    let _ = write!(
        text,
        "\nFROM {image}\n\
         WORKDIR /app\n\
         COPY --link --from=build /src/build/erlang-shipment/ ./\n{}\
         ENV HOME=/tmp PORT=8080\n\
         USER 65532\n\
         EXPOSE 8080\n\
         CMD [\"/app/entrypoint.sh\", \"run\"]\n",
        plan.assets.copy()
    );
    text
}
