//! Programs in Go: one static file in an image that holds little else.

use std::fmt::Write as _;

use super::{SYSTEM_CA, Step, Trust, arguments, header, run, shell};

/// A program in Go.
#[derive(Clone, Debug)]
pub(in crate::build) struct Plan {
    /// Minor version of Go, `1.24`.
    pub(in crate::build) version: String,
    /// The package to build, `.` or `./cmd/web`.
    pub(in crate::build) package: String,
    /// The files that downloading modules needs; empty where the modules are in the source.
    pub(in crate::build) files: Vec<&'static str>,
    /// Downloading modules needs the whole source.
    pub(in crate::build) whole_source: bool,
    pub(in crate::build) build: Step,
    /// Names of build arguments.
    pub(in crate::build) arguments: Vec<String>,
    /// Directories of the source that the program may read when it runs.
    pub(in crate::build) assets: Vec<&'static str>,
}

/// The Dockerfile.
pub(in crate::build) fn text(plan: &Plan) -> String {
    let mut text = header("a program in Go");
    let _ = write!(
        text,
        "FROM docker.io/library/golang:{}-bookworm AS build\n\
         WORKDIR /src\n\
         ENV CGO_ENABLED=0\n",
        plan.version
    );
    if plan.whole_source {
        text.push_str("COPY . .\n");
    }
    if !plan.files.is_empty() {
        if !plan.whole_source {
            let _ = writeln!(text, "COPY {} ./", plan.files.join(" "));
        }
        text.push_str(&run(Trust::System, None, "go mod download"));
    }
    if !plan.whole_source {
        text.push_str("COPY . .\n");
    }
    text.push_str(&arguments(&plan.arguments));
    text.push_str("RUN mkdir --parents /out && mkdir --mode=1777 /out/tmp\n");
    let build = match &plan.build {
        Step::Usual => {
            format!("go build -trimpath -tags timetzdata -ldflags \"-s -w\" -o /out/app {}", plan.package)
        }
        Step::Command(line) => shell(line),
    };
    text.push_str(&run(Trust::Beside, Some("/root/.cache/go-build"), &build));
    let _ = write!(
        text,
        "\nFROM scratch\n\
         COPY --link --from=build {SYSTEM_CA} {SYSTEM_CA}\n\
         COPY --link --from=build /out/ /\n\
         WORKDIR /srv\n"
    );
    for directory in &plan.assets {
        let _ = writeln!(text, "COPY --link {directory}/ ./{directory}/");
    }
    text.push_str("ENV HOME=/tmp PORT=8080\nUSER 65532\nEXPOSE 8080\nENTRYPOINT [\"/app\"]\n");
    text
}
