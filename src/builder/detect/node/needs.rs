//! What packages need besides themselves: Debian programs and libraries, a step before the build, variables.

use super::super::findings::Findings;
use super::super::names::is_path;
use super::package::Package;
use super::{Source, lock};
use crate::builder::dockerfile::node::{Needs, Tool};

/// Packages that are compiled during installation, always or if no binary is published for a version of Node.
const COMPILED: [&str; 31] = [
    "argon2",
    "bcrypt",
    "better-sqlite3",
    "better-sqlite3-multiple-ciphers",
    "bigint-buffer",
    "canvas",
    "cpu-features",
    "deasync",
    "ffi-napi",
    "gl",
    "heapdump",
    "iconv",
    "integer",
    "isolated-vm",
    "kerberos",
    "leveldown",
    "libxmljs",
    "libxmljs2",
    "mmmagic",
    "node-pty",
    "node-rdkafka",
    "node-sass",
    "pg-native",
    "re2",
    "ref-napi",
    "secp256k1",
    "serialport",
    "sodium-native",
    "sqlite3",
    "usb",
    "zeromq",
];

/// Libraries of Debian that packages are compiled against, and those that they need when they run.
const LIBRARIES: [(&str, &[&str], &[&str]); 4] = [
    ("pg-native", &["libpq-dev"], &["libpq5"]),
    ("libxmljs", &["libxml2-dev"], &["libxml2"]),
    ("usb", &["libudev-dev"], &["libudev1"]),
    ("gl", &["libxi-dev", "libglu1-mesa-dev", "libglew-dev", "pkg-config"], &["libgl1", "libglew2.2"]),
];

/// What the packages of a source need.
pub(super) fn of(source: &Source<'_>, lock: &str, findings: &mut Findings) -> Needs {
    let asked = |name: &str| source.packages().any(|package| package.has(name));
    let kept = |name: &str| source.packages().any(|package| package.keeps(name));
    let there = |name: &str| asked(name) || lock::has(lock, name);
    let mut needs = Needs::default();
    let compiled: Vec<&str> = COMPILED.into_iter().filter(|name| there(name)).collect();
    if !compiled.is_empty() {
        findings.assume(format!(
            "the build stage installs a compiler for {}, which may be compiled while packages are installed",
            compiled.join(", ")
        ));
        needs.build.extend(["python3", "make", "g++"]);
    }
    for (_, build, run) in LIBRARIES.iter().filter(|(name, ..)| there(name)) {
        needs.build.extend(*build);
        needs.run.extend(*run);
    }
    if lock::has_git(lock) || source.packages().any(Package::asks_for_git) {
        needs.build.extend(["git", "ca-certificates"]);
    }
    if asked("prisma") || asked("@prisma/client") {
        needs.build.push("openssl");
        needs.run.push("openssl");
        needs.generate = prisma(source);
    }
    if kept("puppeteer") || kept("puppeteer-core") {
        findings.assume(
            "the image contains Debian's chromium for puppeteer, and PUPPETEER_EXECUTABLE_PATH points to it",
        );
        needs.run.extend(["chromium", "fonts-liberation"]);
        needs.tool = Some(Tool::Puppeteer);
    } else if kept("playwright") {
        findings
            .assume("the image contains the chromium of playwright and the Debian packages that it needs");
        needs.tool = Some(Tool::Playwright);
    }
    needs
}

/// The schema to generate Prisma's client from, if no script does it.
fn prisma(source: &Source<'_>) -> Option<String> {
    let named = source.package.prisma_schema().map(|path| path.trim_start_matches("./"));
    let schema = named
        .filter(|path| is_path(path) && (source.tree.has(path) || source.tree.has_directory(path)))
        .or_else(|| source.tree.first(&["prisma/schema.prisma", "schema.prisma"]))?;
    let generates = ["preinstall", "postinstall", "prepare", "prebuild", "build"]
        .iter()
        .filter_map(|name| source.package.scripts.get(*name))
        .any(|script| script.contains("generate"));
    let configured = ["prisma.config.ts", "prisma.config.js", "prisma.config.mjs"];
    // A configuration may read variables that only the running program has.
    (!generates && source.package.has("prisma") && source.tree.first(&configured).is_none())
        .then(|| schema.to_owned())
}
