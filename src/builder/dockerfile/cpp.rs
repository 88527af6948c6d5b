//! Programs in C and C++: one file on Debian, with the libraries that it is linked to.

use std::fmt::Write as _;

use super::{SYSTEM_CA, Step, Trust, arguments, debian, header, program, run, shell};
use crate::builder::detect::Assets;

/// The build tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Tool {
    CMake,
    Meson,
}

/// A program in C or C++.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Plan {
    pub(in crate::builder) tool: Tool,
    /// The target that is the program.
    pub(in crate::builder) target: String,
    /// Debian's packages for the libraries that it needs.
    pub(in crate::builder) packages: Vec<&'static str>,
    pub(in crate::builder) build: Step,
    /// Names of build arguments.
    pub(in crate::builder) arguments: Vec<String>,
    /// The arguments in the line that starts it.
    pub(in crate::builder) start: String,
    pub(in crate::builder) assets: Assets,
}

/// The Dockerfile.
pub(in crate::builder) fn text(plan: &Plan) -> String {
    let mut text = header("a program in C++");
    text.push_str("FROM docker.io/library/debian:bookworm AS build\nWORKDIR /src\n");
    let tools: &[&str] = match plan.tool {
        Tool::CMake => &["build-essential", "ca-certificates", "cmake", "git", "ninja-build", "pkg-config"],
        Tool::Meson => &["build-essential", "ca-certificates", "git", "meson", "ninja-build", "pkg-config"],
    };
    text.push_str(&debian::install(&[tools, &plan.packages].concat()));
    text.push_str("COPY . .\n");
    text.push_str(&arguments(&plan.arguments));
    text.push_str("RUN mkdir /out\n");
    let name = &plan.target;
    let (setup, compile) = match plan.tool {
        Tool::CMake => (
            "cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release",
            format!("cmake --build /build --target {name}"),
        ),
        Tool::Meson => ("meson setup /build --buildtype=release", "meson compile -C /build".to_owned()),
    };
    text.push_str(&match &plan.build {
        Step::Command(line) => run(Trust::Beside, None, &shell(line)),
        Step::Usual => {
            // The place of the program depends on the project; some write it next to their source.
            let take =
                format!("find /build /src -type f -name {name} -perm -u+x -exec cp {{}} /out/app \\; -quit");
            run(Trust::System, None, &format!("{setup} && {compile} && {take} && test -f /out/app"))
        }
    });
    let _ = writeln!(text, "RUN {}", debian::collect("/out/app"));
    let slim = debian::SLIM;
    let entry = program::entry("/usr/local/bin/app", &plan.start);
    let _ = write!(
        text,
        "\nFROM {slim}\n\
         COPY --link --from=build {SYSTEM_CA} {SYSTEM_CA}\n{}\
         COPY --link --from=build /out/ /usr/local/bin/\n\
         WORKDIR /srv\n{}\
         ENV HOME=/tmp PORT=8080\n\
         USER 65532\n\
         EXPOSE 8080\n{}",
        debian::LIBRARIES,
        plan.assets.copy(),
        entry.text
    );
    text
}
