//! Programs in Rust: one file on Debian's C library.

use std::fmt::Write as _;

use super::{SYSTEM_CA, Step, Trust, arguments, header, run, shell};

/// A program in Rust.
#[derive(Clone, Debug)]
pub(in crate::build) struct Plan {
    /// Version of Rust, `1` or `1.92`.
    pub(in crate::build) version: String,
    /// The package and its program.
    pub(in crate::build) program: Program,
    /// There is a Cargo.lock.
    pub(in crate::build) locked: bool,
    /// The dependencies can be compiled without the source: one package with `src/main.rs` and nothing unusual.
    pub(in crate::build) simple: bool,
    /// The program is linked to OpenSSL.
    pub(in crate::build) openssl: bool,
    pub(in crate::build) build: Step,
    /// Names of build arguments.
    pub(in crate::build) arguments: Vec<String>,
    /// Directories of the source that the program may read when it runs.
    pub(in crate::build) assets: Vec<&'static str>,
}

/// What of a workspace is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::build) struct Program {
    pub(in crate::build) package: String,
    pub(in crate::build) name: String,
}

/// The Dockerfile.
pub(in crate::build) fn text(plan: &Plan) -> String {
    let locked = if plan.locked { " --locked" } else { "" };
    let mut text = header("a program in Rust");
    let _ = write!(
        text,
        "FROM docker.io/library/rust:{}-bookworm AS build\n\
         WORKDIR /src\n\
         # The toolchain of the image, whatever rust-toolchain.toml would have fetched.\n\
         ENV RUSTUP_TOOLCHAIN=$RUST_VERSION CARGO_HTTP_CAINFO={SYSTEM_CA} CARGO_TARGET_DIR=/src/target\n\
         RUN mkdir /out\n",
        plan.version
    );
    let simple = plan.simple && plan.build == Step::Usual;
    if simple {
        let lock = if plan.locked { " Cargo.lock" } else { "" };
        let _ = writeln!(text, "COPY Cargo.toml{lock} ./");
        text.push_str(
            "# The dependencies with an empty program: a layer that only a change of them makes anew.\n",
        );
        let line =
            format!("mkdir src && echo 'fn main() {{}}' > src/main.rs && cargo build --release{locked}");
        text.push_str(&run(Trust::System, None, &line));
    }
    text.push_str("COPY . .\n");
    text.push_str(&arguments(&plan.arguments));
    text.push_str(&compile(plan, simple, locked));
    let _ = write!(
        text,
        "\nFROM docker.io/library/debian:bookworm-slim\n\
         COPY --link --from=build {SYSTEM_CA} {SYSTEM_CA}\n"
    );
    if plan.openssl {
        text.push_str(
            "COPY --from=build /usr/lib/*-linux-gnu/libssl.so.3 /usr/lib/*-linux-gnu/libcrypto.so.3 /usr/local/lib/\n\
             RUN ldconfig\n",
        );
    }
    text.push_str("COPY --link --from=build /out/ /usr/local/bin/\nWORKDIR /srv\n");
    for directory in &plan.assets {
        let _ = writeln!(text, "COPY --link {directory}/ ./{directory}/");
    }
    text.push_str("ENV HOME=/tmp PORT=8080\nUSER 65532\nEXPOSE 8080\nENTRYPOINT [\"/usr/local/bin/app\"]\n");
    text
}

fn compile(plan: &Plan, simple: bool, locked: &str) -> String {
    let Program { package, name } = &plan.program;
    match &plan.build {
        Step::Command(line) => run(Trust::Beside, None, &shell(line)),
        Step::Usual => {
            // Cargo goes by the time of a file, and the empty program may be younger than the real one.
            let touch = if simple { "find src -type f -exec touch {} + && " } else { "" };
            let build = format!("cargo build --release{locked} --package {package} --bin {name}");
            let line = format!("{touch}{build} && cp target/release/{name} /out/app");
            run(Trust::System, (!simple).then_some("/src/target"), &line)
        }
    }
}
