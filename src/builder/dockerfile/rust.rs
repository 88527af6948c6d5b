//! Programs in Rust: one file on Debian's C library.

use std::fmt::Write as _;

use super::{SYSTEM_CA, Step, Trust, arguments, debian, header, program, run, shell};
use crate::builder::detect::Assets;

/// The repository of Rust's images.
pub(in crate::builder) const IMAGE: &str = "docker.io/library/rust";

/// Where the program is in the last stage.
const APP: &str = "/usr/local/bin/app";

/// A program in Rust.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Plan {
    pub(in crate::builder) toolchain: Toolchain,
    /// Where Cargo is run, below the context; empty: there.
    pub(in crate::builder) directory: String,
    pub(in crate::builder) program: Program,
    /// There is a Cargo.lock.
    pub(in crate::builder) locked: bool,
    /// How the dependencies are compiled before the source is copied.
    pub(in crate::builder) dependencies: Dependencies,
    /// Packages of Debian that compiling needs.
    pub(in crate::builder) packages: Vec<&'static str>,
    /// The queries of sqlx are in the source.
    pub(in crate::builder) offline: bool,
    pub(in crate::builder) build: Step,
    /// Names of build arguments.
    pub(in crate::builder) arguments: Vec<String>,
    pub(in crate::builder) assets: Assets,
    /// The framework that needs its listen address set.
    pub(in crate::builder) framework: Option<Framework>,
    /// The arguments in the line that starts it.
    pub(in crate::builder) start: String,
}

/// What compiles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::builder) struct Toolchain {
    /// The image's version, `1` or `1.92`.
    pub(in crate::builder) image: String,
    /// The toolchain that rustup fetches into it.
    pub(in crate::builder) fetched: Option<String>,
    pub(in crate::builder) components: Vec<String>,
    pub(in crate::builder) targets: Vec<String>,
}

/// How the dependencies of a program are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Dependencies {
    /// With the program: the source is a workspace, or otherwise cannot be replaced by an empty program.
    Together,
    /// With an empty src/main.rs.
    EmptyProgram,
    /// With an empty src/main.rs and an empty build.rs.
    EmptyScript,
}

/// What of a workspace is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::builder) struct Program {
    /// Its package, below where Cargo is run (empty, or with a slash at its end).
    pub(in crate::builder) directory: String,
    pub(in crate::builder) name: String,
    pub(in crate::builder) features: Vec<String>,
}

/// Frameworks that need their listen address set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Framework {
    Rocket,
    Leptos,
    Loco,
}

impl Framework {
    /// Variables of the image, the default port, and the start line with a trailing blank.
    fn settings(self) -> (&'static str, u16, &'static str, &'static str) {
        match self {
            Self::Rocket => (" ROCKET_ADDRESS=0.0.0.0", 8000, "ROCKET_PORT=${ROCKET_PORT:-$PORT} ", ""),
            Self::Leptos => ("", 3000, "LEPTOS_SITE_ADDR=${LEPTOS_SITE_ADDR:-0.0.0.0:$PORT} ", ""),
            Self::Loco => (" LOCO_ENV=production", 5150, "", "start --binding 0.0.0.0 --port $PORT"),
        }
    }
}

/// The Dockerfile.
pub(in crate::builder) fn text(plan: &Plan) -> String {
    let mut text = header("a program in Rust");
    let _ = write!(text, "FROM {IMAGE}:{}-bookworm AS build\nWORKDIR /src\n", plan.toolchain.image);
    text.push_str(&toolchain(&plan.toolchain));
    let offline = if plan.offline { " SQLX_OFFLINE=true" } else { "" };
    let _ = write!(
        text,
        "ENV CARGO_HTTP_CAINFO={SYSTEM_CA} CARGO_TARGET_DIR=/src/target{offline}\n\
         RUN mkdir /out\n"
    );
    text.push_str(&debian::install(&plan.packages));
    let locked = if plan.locked { " --locked" } else { "" };
    let simple = plan.dependencies != Dependencies::Together && plan.build == Step::Usual;
    if simple {
        text.push_str(&dependencies(plan, locked));
    }
    text.push_str("COPY . .\n");
    if !plan.directory.is_empty() {
        let _ = writeln!(text, "WORKDIR /src/{}", plan.directory);
    }
    text.push_str(&arguments(&plan.arguments));
    text.push_str(&compile(plan, simple, locked));
    let _ = writeln!(text, "RUN {}", debian::collect("/out/app"));
    text.push_str(&last(plan));
    text
}

/// The toolchain of the image, or a fetched one; never one that rustup picks from a file by itself.
fn toolchain(toolchain: &Toolchain) -> String {
    let list = |flag: &str, names: &[String]| {
        names.iter().fold(String::new(), |text, name| format!("{text} --{flag} {name}"))
    };
    let (components, targets) =
        (list("component", &toolchain.components), list("target", &toolchain.targets));
    if let Some(channel) = &toolchain.fetched {
        let line = format!("rustup toolchain install {channel} --profile minimal{components}{targets}");
        return run(Trust::System, None, &line) + &format!("ENV RUSTUP_TOOLCHAIN={channel}\n");
    }
    let mut text = "# Use the toolchain of the image, even if a file names another one.\n\
                    ENV RUSTUP_TOOLCHAIN=$RUST_VERSION\n"
        .to_owned();
    for (what, names) in [("component", &toolchain.components), ("target", &toolchain.targets)] {
        if !names.is_empty() {
            text.push_str(&run(Trust::System, None, &format!("rustup {what} add {}", names.join(" "))));
        }
    }
    text
}

/// Compiles the dependencies with an empty program.
fn dependencies(plan: &Plan, locked: &str) -> String {
    let lock = if plan.locked { " Cargo.lock" } else { "" };
    let script =
        if plan.dependencies == Dependencies::EmptyScript { " && cp src/main.rs build.rs" } else { "" };
    let line =
        format!("mkdir src && echo 'fn main() {{}}' > src/main.rs{script} && cargo build --release{locked}");
    format!(
        "COPY Cargo.toml{lock} ./\n\
         # Build the dependencies with an empty program, so that this layer changes only when they do.\n"
    ) + &run(Trust::System, None, &line)
}

fn compile(plan: &Plan, simple: bool, locked: &str) -> String {
    let Program { directory, name, features } = &plan.program;
    match &plan.build {
        Step::Command(line) => run(Trust::Beside, None, &shell(line)),
        Step::Usual => {
            // Cargo compares file times, and the empty program may be newer than the real one.
            let script = if plan.dependencies == Dependencies::EmptyScript { " build.rs" } else { "" };
            let touch = if simple {
                format!("find src{script} -type f -exec touch {{}} + && ")
            } else {
                String::new()
            };
            let features = if features.is_empty() {
                String::new()
            } else {
                format!(" --features {}", features.join(","))
            };
            // A dependency may have the same name as the package.
            let package = if directory.is_empty() {
                String::new()
            } else {
                format!(" --manifest-path {directory}Cargo.toml")
            };
            let build = format!("cargo build --release{locked}{package} --bin {name}{features}");
            let line = format!("{touch}{build} && cp /src/target/release/{name} /out/app");
            run(Trust::System, (!simple).then_some("/src/target"), &line)
        }
    }
}

fn last(plan: &Plan) -> String {
    let (environment, port, before, arguments) =
        plan.framework.map_or(("", 8080, "", ""), Framework::settings);
    let arguments = if plan.start.is_empty() { arguments } else { &plan.start };
    let entry = program::entry(&format!("{before}{APP}"), arguments);
    let slim = debian::SLIM;
    format!(
        "\nFROM {slim}\n\
         COPY --link --from=build {SYSTEM_CA} {SYSTEM_CA}\n{}\
         COPY --link --from=build /out/ /usr/local/bin/\n\
         WORKDIR /srv\n{}\
         ENV HOME=/tmp PORT={port}{environment}\n\
         USER 65532\n\
         EXPOSE {port}\n{}",
        debian::LIBRARIES,
        plan.assets.copy(),
        entry.text
    )
}
