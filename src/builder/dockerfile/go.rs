//! Programs in Go: one static file in an almost empty image, or on Debian if it is linked to C.

use std::fmt::Write as _;

use super::{SYSTEM_CA, Step, Trust, arguments, copies, debian, header, program, run, shell};
use crate::builder::detect::Assets;

/// The repository of Go's images.
pub(in crate::builder) const IMAGE: &str = "docker.io/library/golang";

/// A program in Go.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Plan {
    pub(in crate::builder) version: Version,
    /// Where Go is run, below the context; empty: there.
    pub(in crate::builder) directory: String,
    /// The package to build, `.` or `./cmd/web`.
    pub(in crate::builder) package: String,
    /// The files that downloading modules needs, below the context; empty: nothing is downloaded.
    pub(in crate::builder) manifests: Vec<String>,
    /// There is no go.mod.
    pub(in crate::builder) init: bool,
    pub(in crate::builder) build: Step,
    /// Names of build arguments.
    pub(in crate::builder) arguments: Vec<String>,
    /// Linked to C, with these packages of Debian.
    pub(in crate::builder) c: Option<Vec<&'static str>>,
    /// Variables that the program expects, `NAME=value`.
    pub(in crate::builder) environment: Vec<&'static str>,
    pub(in crate::builder) assets: Assets,
    /// The arguments in the line that starts it.
    pub(in crate::builder) start: String,
}

/// A version of Go 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) struct Version {
    /// The image.
    pub(in crate::builder) minor: u32,
    /// The toolchain that the image's Go fetches in its own place, `1.25.3`.
    pub(in crate::builder) exact: Option<String>,
}

/// The Dockerfile.
pub(in crate::builder) fn text(plan: &Plan) -> String {
    let mut text = header("a program in Go");
    let toolchain = plan.version.exact.as_ref().map_or("auto".to_owned(), |exact| format!("go{exact}+auto"));
    let cgo = u8::from(plan.c.is_some());
    let _ = write!(
        text,
        "FROM {IMAGE}:1.{}-bookworm AS build\n\
         WORKDIR /src\n\
         ENV CGO_ENABLED={cgo} GOTOOLCHAIN={toolchain}\n",
        plan.version.minor
    );
    text.push_str(&debian::install(plan.c.as_deref().unwrap_or_default()));
    let directory = if plan.directory.is_empty() { String::new() } else { format!("/{}", plan.directory) };
    text.push_str(&download(plan, &directory));
    text.push_str("COPY . .\n");
    if !directory.is_empty() {
        let _ = writeln!(text, "WORKDIR /src{directory}");
    }
    text.push_str(&arguments(&plan.arguments));
    text.push_str("RUN mkdir --parents /out && mkdir --mode=1777 /out/tmp\n");
    text.push_str(&compile(plan));
    text.push_str(&last(plan));
    text
}

/// Downloads the modules in a layer that changes only with the requirements.
fn download(plan: &Plan, directory: &str) -> String {
    let mut text = copies(&plan.manifests, "./");
    if !plan.manifests.is_empty() {
        let enter = if directory.is_empty() { String::new() } else { format!("cd /src{directory} && ") };
        text.push_str(&run(Trust::System, None, &format!("{enter}go mod download")));
    }
    text
}

fn compile(plan: &Plan) -> String {
    let command = match &plan.build {
        Step::Usual => {
            let init = if plan.init { "go mod init app && " } else { "" };
            // The build has no Git history to stamp, and a partial one would fail.
            format!(
                "{init}go build -trimpath -buildvcs=false -tags timetzdata -ldflags \"-s -w\" -o /out/app {}",
                plan.package
            )
        }
        Step::Command(line) => shell(line),
    };
    let mut text = run(Trust::Beside, Some("/root/.cache/go-build"), &command);
    if plan.c.is_some() {
        let _ = writeln!(text, "RUN {}", debian::collect("/out/app"));
    }
    text
}

fn last(plan: &Plan) -> String {
    let entry = program::entry("/app", &plan.start);
    let debian = plan.c.is_some() || entry.shell;
    let mut text = format!("\nFROM {}\n", if debian { debian::SLIM } else { "scratch" });
    let _ = write!(
        text,
        "COPY --link --from=build {SYSTEM_CA} {SYSTEM_CA}\n\
         COPY --link --from=build /out/ /\n"
    );
    if plan.c.is_some() {
        text.push_str(debian::LIBRARIES);
    }
    text.push_str("WORKDIR /srv\n");
    text.push_str(&plan.assets.copy());
    let environment = plan.environment.iter().fold(String::new(), |text, pair| text + " " + pair);
    let _ = write!(text, "ENV HOME=/tmp PORT=8080{environment}\nUSER 65532\nEXPOSE 8080\n{}", entry.text);
    text
}
