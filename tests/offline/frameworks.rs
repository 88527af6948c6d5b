//! Snapshots of the Dockerfiles for the samples, as `doce-operator build --explain` prints them.
//! `INSTA_UPDATE=always cargo test --test offline` rewrites them; review the diff.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn repositories() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/samples/repositories")
}

fn explain(directory: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doce-operator"));
    command.args(["build", "--explain"]).arg(directory).args(options);
    command.output().unwrap()
}

#[test]
fn every_sample_gets_its_dockerfile() {
    let mut names: Vec<String> = std::fs::read_dir(repositories())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() >= 14, "{names:?}");
    for name in names {
        let output = explain(&repositories().join(&name), &[]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        insta::assert_snapshot!(format!("dockerfile_{name}"), String::from_utf8(output.stdout).unwrap());
    }
}

#[test]
fn explain_uses_the_given_command_and_framework() {
    let options = ["--framework", "Node", "--build-command", "npm run build:prod", "--build-arg", "MODE"];
    let output = explain(&repositories().join("vite"), &options);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("# framework: Node\n"), "{text}");
    assert!(
        text.contains("ARG MODE\n") && text.contains(r#"["/bin/sh", "-c", "npm run build:prod"]"#),
        "{text}"
    );
}

#[test]
fn explain_exits_with_1_and_the_reason_if_nothing_can_be_built() {
    let empty = tempfile::tempdir().unwrap();
    let output = explain(empty.path(), &[]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.starts_with("error: NoBuilder: the build context has no Dockerfile.prod"), "{error}");
    assert!(output.stdout.is_empty());
}

#[test]
fn lock_files_of_samples_name_public_registries_only() {
    let public = [
        "https://registry.npmjs.org/",
        "https://registry.yarnpkg.com/",
        "https://pypi.org/",
        "https://files.pythonhosted.org/",
        "https://github.com/rust-lang/crates.io-index",
    ];
    let locks = ["package-lock.json", "pnpm-lock.yaml", "yarn.lock", "uv.lock", "Cargo.lock"];
    let marks = ["\"resolved\": \"", "resolved \"", "tarball: ", "url = \"", "registry = \"", "registry+"];
    let mut seen = 0;
    for entry in std::fs::read_dir(repositories()).unwrap() {
        for path in locks.map(|lock| entry.as_ref().unwrap().path().join(lock)) {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            seen += 1;
            for line in text.lines() {
                for mark in marks {
                    let Some((_, address)) = line.split_once(mark) else { continue };
                    let known = public.iter().any(|host| address.starts_with(host));
                    assert!(known, "{}: {line}", path.display());
                }
            }
        }
    }
    assert!(seen >= 8, "only {seen} lock files");
}
