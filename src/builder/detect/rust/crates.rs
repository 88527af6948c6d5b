//! What the crates of a program need from its image: Debian packages to compile with, and how frameworks listen.

use std::collections::BTreeSet;

use super::super::findings::Findings;
use super::super::tree::Tree;
use super::manifest::Manifest;
use crate::builder::dockerfile::rust::Framework;

/// Crates that need more than the image of Rust has, and the Debian packages for them. The image has a C compiler, and
/// the headers of `OpenSSL`, `SQLite`, `PostgreSQL`, `MySQL`, curl, zlib and the like.
const PACKAGES: [(&str, &[&str]); 27] = [
    ("clang-sys", &["clang", "libclang-dev"]),
    ("bindgen", &["clang", "libclang-dev"]),
    ("cmake", &["cmake"]),
    ("nasm-rs", &["nasm"]),
    ("prost-build", &["protobuf-compiler", "libprotobuf-dev"]),
    ("tonic-build", &["protobuf-compiler", "libprotobuf-dev"]),
    ("tonic-prost-build", &["protobuf-compiler", "libprotobuf-dev"]),
    ("capnpc", &["capnproto"]),
    ("libudev-sys", &["libudev-dev"]),
    ("hidapi", &["libudev-dev"]),
    ("libusb1-sys", &["libusb-1.0-0-dev"]),
    ("alsa-sys", &["libasound2-dev"]),
    ("libpulse-sys", &["libpulse-dev"]),
    ("libdbus-sys", &["libdbus-1-dev"]),
    ("pcap", &["libpcap-dev"]),
    ("yeslogic-fontconfig-sys", &["libfontconfig1-dev"]),
    ("servo-fontconfig-sys", &["libfontconfig1-dev"]),
    ("leptonica-sys", &["libleptonica-dev", "clang", "libclang-dev"]),
    ("tesseract-sys", &["libtesseract-dev", "libleptonica-dev", "clang", "libclang-dev"]),
    ("opencv", &["libopencv-dev", "clang", "libclang-dev"]),
    (
        "ffmpeg-sys-next",
        &["libavcodec-dev", "libavformat-dev", "libavfilter-dev", "libavdevice-dev", "clang", "libclang-dev"],
    ),
    ("gstreamer-sys", &["libgstreamer1.0-dev"]),
    ("openblas-src", &["gfortran", "libopenblas-dev"]),
    ("gdal-sys", &["libgdal-dev"]),
    ("geos-sys", &["libgeos-dev"]),
    ("zmq-sys", &["libzmq3-dev"]),
    ("libvips", &["libvips-dev"]),
];

/// Crates that bring their own copy of a Debian package.
const BROUGHT: [(&str, &str); 3] = [
    ("protoc-bin-vendored", "protobuf-compiler"),
    ("protobuf-src", "protobuf-compiler"),
    ("protox", "protobuf-compiler"),
];

/// Most packages of a lock file.
const MAX_CRATES: usize = 10_000;

/// The crates of a program.
#[derive(Debug, Default)]
pub(super) struct Used {
    all: BTreeSet<String>,
    named: BTreeSet<String>,
    leptos: bool,
}

/// The crates of the lock file below the root (`directory` empty, or with a slash at its end) and of the manifest.
pub(super) fn used(root: Tree<'_>, directory: &str, manifest: &Manifest) -> Used {
    // A lock file that is too large must not fail the build.
    let lock = root.text(&format!("{directory}Cargo.lock")).ok().flatten().unwrap_or_default();
    let locked = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let named: BTreeSet<String> = manifest.named().map(str::to_owned).collect();
    let all = locked.take(MAX_CRATES).map(str::to_owned).chain(named.iter().cloned()).collect();
    Used { all, named, leptos: manifest.has_metadata("leptos") }
}

impl Used {
    /// Debian's packages that compiling needs.
    pub(super) fn packages(&self) -> Vec<&'static str> {
        let needed = PACKAGES.iter().filter(|(name, _)| self.all.contains(*name));
        let mut packages: Vec<&str> = needed.flat_map(|(_, packages)| packages.iter().copied()).collect();
        let brought =
            |package: &str| BROUGHT.iter().any(|(name, other)| *other == package && self.all.contains(*name));
        packages.retain(|package| !brought(package));
        packages.sort_unstable();
        packages.dedup();
        packages
    }

    /// The framework that needs its listen address set.
    pub(super) fn framework(&self, findings: &mut Findings) -> Option<Framework> {
        if self.leptos {
            findings.warn(
                "Cargo.toml has settings for cargo-leptos, which the build does not run: it builds the server but not \
                 the browser part; add a Dockerfile for both",
            );
        }
        if self.named.contains("sqlx") {
            findings.assume(
                "queries that sqlx checks at compile time need .sqlx (cargo sqlx prepare) in the source",
            );
        }
        [("rocket", Framework::Rocket), ("leptos", Framework::Leptos), ("loco-rs", Framework::Loco)]
            .into_iter()
            .find_map(|(name, framework)| self.named.contains(name).then_some(framework))
    }
}
