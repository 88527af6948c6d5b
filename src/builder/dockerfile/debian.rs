//! Debian's packages for building, and the libraries of them that a program is linked to.

use super::{Trust, run};

/// The last stage of programs that are linked to Debian's C library.
pub(super) const SLIM: &str = "docker.io/library/debian:bookworm-slim";

/// Libraries that the slim image has.
const THERE: &str = "libc|libm|libdl|librt|libpthread|libresolv|libgcc_s|libstdc\\+\\+";

/// Installs packages; empty without packages.
pub(super) fn install(packages: &[&str]) -> String {
    if packages.is_empty() {
        return String::new();
    }
    let command = format!(
        "apt-get update && apt-get install --yes --no-install-recommends {} && rm -rf /var/lib/apt/lists/*",
        packages.join(" ")
    );
    // A package may be the one that writes the certificates of the system.
    run(Trust::Beside, None, &command)
}

/// Copies the libraries that a program is linked to, and that the last stage does not have, into /libraries.
pub(super) fn collect(program: &str) -> String {
    format!(
        "mkdir --parents /libraries && ldd {program} | sed --quiet 's|.* => \\(/[^ ]*\\) .*|\\1|p' \\\n    \
         | grep --extended-regexp --invert-match '/({THERE})\\.so' \\\n    \
         | xargs --no-run-if-empty cp --dereference --target-directory=/libraries"
    )
}

/// Copies them to where the last stage finds them without configuration.
pub(super) const LIBRARIES: &str = "COPY --link --from=build /libraries/ /usr/lib/\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_installed_if_nothing_is_needed() {
        assert_eq!(install(&[]), "");
        assert!(install(&["cmake", "clang"]).contains("--no-install-recommends cmake clang &&"));
    }

    #[test]
    fn the_dynamic_linker_finds_the_libraries_of_a_program() {
        let dir = tempfile::tempdir().unwrap();
        let command = collect("/bin/ls").replace("/libraries", dir.path().to_str().unwrap());
        assert!(std::process::Command::new("sh").args(["-c", &command]).status().unwrap().success());
        let names: Vec<String> = dir
            .path()
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(names.iter().any(|name| name.starts_with("libselinux.so")), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with("libc.so")), "{names:?}");
    }
}
