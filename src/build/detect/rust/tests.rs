use super::super::tests::{auto, generated};

const MANIFEST: (&str, &str) = ("Cargo.toml", "[package]\nname = \"shop\"\n[dependencies]\nserde = \"1\"\n");
const MAIN: (&str, &str) = ("src/main.rs", "fn main() {}");
const LOCK: (&str, &str) = ("Cargo.lock", "");

fn message(files: &[(&str, &str)]) -> String {
    auto(files).unwrap_err().message
}

#[test]
fn dependencies_are_compiled_before_the_source_is_copied() {
    let (framework, text) =
        generated(&[MANIFEST, MAIN, LOCK, ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.92.0\"")]);
    assert_eq!(framework, "Rust");
    let order = [
        "rust:1.92-bookworm",
        "COPY Cargo.toml Cargo.lock",
        "cargo build --release --locked",
        "COPY . .",
        "touch",
        "--package shop --bin shop",
        "USER 65532",
    ];
    let places: Vec<usize> =
        order.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"))).collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn what_is_not_simple_is_compiled_in_one_step() {
    let path = ("Cargo.toml", "[package]\nname = \"shop\"\n[dependencies]\na = { path = \"a\" }\n");
    for files in [vec![path, MAIN, LOCK], vec![MANIFEST, MAIN, LOCK, ("build.rs", "")]] {
        let text = generated(&files).1;
        assert!(!text.contains("fn main()") && text.contains("type=cache,target=/src/target"), "{text}");
    }
    let lock = ("Cargo.lock", "name = \"openssl-sys\"");
    assert!(generated(&[MANIFEST, MAIN, lock]).1.contains("libssl.so.3"));
}

#[test]
fn the_program_of_a_workspace_is_the_only_one() {
    let root = ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\", \"tools\"]\n");
    let web = ("crates/web/Cargo.toml", "[package]\nname = \"web\"\n");
    let files = [
        root,
        web,
        ("crates/web/src/main.rs", ""),
        ("crates/lib/Cargo.toml", "[package]\nname = \"lib\"\n"),
        LOCK,
    ];
    assert!(generated(&files).1.contains("--package web --bin web"));
    let mut two = files.to_vec();
    two.extend([("tools/Cargo.toml", "[package]\nname = \"tools\"\n"), ("tools/src/bin/dump.rs", "")]);
    let failure = message(&two);
    assert!(failure.contains("web, dump") && failure.contains("default-run"), "{failure}");
    assert!(message(&[root]).contains("no program"));
    let default = ("Cargo.toml", "[package]\nname = \"shop\"\ndefault-run = \"b\"\n");
    assert!(generated(&[default, ("src/bin/a.rs", ""), ("src/bin/b.rs", "")]).1.contains("--bin b "));
}

#[test]
fn a_toolchain_that_no_image_has_and_hostile_names_are_refused() {
    assert!(message(&[MANIFEST, MAIN, ("rust-toolchain", "nightly")]).contains("rust-toolchain.toml"));
    let hostile = ("Cargo.toml", "[package]\nname = \"a; evil\"\n");
    assert!(message(&[hostile, MAIN]).contains("other characters"));
    assert!(message(&[("Cargo.toml", "[package"), MAIN]).contains("Cargo.toml cannot be read"));
}
