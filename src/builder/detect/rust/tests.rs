use super::super::tests::{generated, in_order, message, plan_at as plan};
use super::*;
use crate::builder::dockerfile::images;

const MANIFEST: (&str, &str) = ("Cargo.toml", "[package]\nname = \"shop\"\n[dependencies]\nserde = \"1\"\n");
const MAIN: (&str, &str) = ("src/main.rs", "fn main() {}");
const LOCK: (&str, &str) = ("Cargo.lock", "");

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
        "cargo build --release --locked --bin shop",
        "USER 65532",
    ];
    in_order(&text, &order);
}

#[test]
fn complex_crates_are_compiled_in_one_step() {
    let path = ("Cargo.toml", "[package]\nname = \"shop\"\n[dependencies]\na = { path = \"a\" }\n");
    let text = generated(&[path, MAIN, LOCK]).1;
    assert!(!text.contains("fn main()") && text.contains("type=cache,target=/src/target"), "{text}");
    let default = ("Cargo.toml", "[package]\nname = \"shop\"\ndefault-run = \"b\"\n");
    let text = generated(&[default, MAIN, LOCK, ("src/bin/b.rs", "")]).1;
    assert!(!text.contains("fn main()") && text.contains("--bin b "), "{text}");
    let text = generated(&[MANIFEST, MAIN, LOCK, ("build.rs", "")]).1;
    assert!(text.contains("cp src/main.rs build.rs") && text.contains("find src build.rs -type f"), "{text}");
}

#[test]
fn the_only_program_of_a_workspace_is_chosen() {
    let root = ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\", \"tools\"]\n");
    let web = ("crates/page/Cargo.toml", "[package]\nname = \"page\"\n");
    let files = [
        root,
        web,
        ("crates/page/src/main.rs", ""),
        ("crates/lib/Cargo.toml", "[package]\nname = \"lib\"\n"),
        LOCK,
    ];
    assert!(generated(&files).1.contains("--manifest-path crates/page/Cargo.toml --bin page"));
    let mut two = files.to_vec();
    two.extend([("tools/Cargo.toml", "[package]\nname = \"tools\"\n"), ("tools/src/bin/dump.rs", "")]);
    let failure = message(&two);
    assert!(failure.contains("page, dump") && failure.contains("default-run"), "{failure}");
    assert!(message(&[root]).contains("no program"));
    let default = ("Cargo.toml", "[package]\nname = \"shop\"\ndefault-run = \"b\"\n");
    assert!(generated(&[default, ("src/bin/a.rs", ""), ("src/bin/b.rs", "")]).1.contains("--bin b "));
}

#[test]
fn a_member_of_a_workspace_is_built_from_its_root() {
    let files = [
        ("Cargo.toml", "[workspace]\nmembers = [\"services/*\", \"lib-?\"]\nexclude = [\"services/old\"]\n"),
        ("Cargo.lock", ""),
        ("services/api/Cargo.toml", "[package]\nname = \"api\"\n"),
        ("services/api/src/main.rs", ""),
        ("services/api/static/a.css", ""),
        ("services/old/Cargo.toml", "[package]\nname = \"old\"\n"),
        ("services/old/src/main.rs", ""),
        ("lib-a/Cargo.toml", "[package]\nname = \"lib-a\"\n"),
    ];
    assert!(plan(&files, "").text.contains("--manifest-path services/api/Cargo.toml --bin api"));
    let member = plan(&files, "services/api");
    assert_eq!(member.context, Context::Source);
    for part in [
        "--locked --manifest-path services/api/Cargo.toml --bin api",
        "COPY --link services/api/static/ ./static/",
    ] {
        assert!(member.text.contains(part), "{}", member.text);
    }
    assert!(!member.text.contains("WORKDIR /src/"), "{}", member.text);
    assert_eq!(plan(&files, "services/old").context, Context::Directory, "excluded from the workspace");
}

#[test]
fn a_path_dependency_outside_the_directory_widens_the_context() {
    let files = [
        ("api/Cargo.toml", "[package]\nname = \"api\"\n[dependencies]\nlib = { path = \"../lib\" }\n"),
        ("api/src/main.rs", ""),
        ("lib/Cargo.toml", "[package]\nname = \"lib\"\n"),
    ];
    let made = plan(&files, "api");
    assert_eq!(made.context, Context::Source);
    assert!(made.text.contains("COPY . .\nWORKDIR /src/api\n"), "{}", made.text);
}

#[test]
fn one_of_several_programs_is_chosen_by_features_procfile_or_name() {
    let files = [
        (
            "Cargo.toml",
            "[package]\nname = \"shop\"\n[[bin]]\nname = \"web\"\npath = \"src/main.rs\"\nrequired-features = [\"http\"]\n",
        ),
        MAIN,
        ("src/bin/tool.rs", ""),
    ];
    assert!(generated(&files).1.contains("--bin web --features http "), "picked by its name");
    let text = generated(&[files.as_slice(), &[("Procfile", "web: ./target/release/tool --all")]].concat()).1;
    assert!(text.contains("--bin tool ") && text.contains("CMD [\"--all\"]"), "{text}");
}

#[test]
fn debian_packages_follow_from_the_crates() {
    let lock = ("Cargo.lock", "[[package]]\nname = \"clang-sys\"\n[[package]]\nname = \"prost-build\"\n");
    let text = generated(&[MANIFEST, MAIN, lock]).1;
    assert!(
        text.contains("--no-install-recommends clang libclang-dev libprotobuf-dev protobuf-compiler &&"),
        "{text}"
    );
    let brought = ("Cargo.lock", "name = \"prost-build\"\nname = \"protoc-bin-vendored\"\n");
    assert!(!generated(&[MANIFEST, MAIN, brought]).1.contains("protobuf-compiler"));
    assert!(generated(&[MANIFEST, MAIN, LOCK]).1.contains("ldd /out/app"), "its libraries are copied");
}

#[test]
fn rocket_listens_on_the_given_port_on_all_addresses() {
    let rocket = ("Cargo.toml", "[package]\nname = \"shop\"\n[dependencies]\nrocket = \"0.5\"\n");
    let text = generated(&[rocket, MAIN, LOCK]).1;
    assert!(text.contains("ROCKET_ADDRESS=0.0.0.0"), "{text}");
    assert!(text.contains("\"ROCKET_PORT=${ROCKET_PORT:-$PORT} exec /usr/local/bin/app\""), "{text}");
}

#[test]
fn a_toolchain_is_an_image_or_is_installed_into_the_newest_image() {
    for (file, text, image, fetched) in [
        ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.88.0\"", "1.88", None),
        (
            "rust-toolchain.toml",
            "[toolchain]\nchannel = \"1.59.0\"\nprofile = \"minimal\"",
            "1",
            Some("1.59.0"),
        ),
        ("rust-toolchain", "nightly-2026-01-31\n", "1", Some("nightly-2026-01-31")),
        ("rust-toolchain", "stable", "1", None),
        (".tool-versions", "rust 1.88.0", "1.88", None),
        ("mise.toml", "[tools]\nrust = \"latest\"", "1", None),
    ] {
        let made = plan(&[MANIFEST, MAIN, LOCK, (file, text)], "");
        assert!(made.text.contains(&format!("rust:{image}-bookworm AS")), "{}", made.text);
        let install = fetched.map(|channel| format!("rustup toolchain install {channel} --profile minimal"));
        assert_eq!(made.text.contains("rustup toolchain install"), install.is_some(), "{text}");
        assert!(install.is_none_or(|line| made.text.contains(&line)), "{}", made.text);
    }
    let least = ("Cargo.toml", "[package]\nname = \"shop\"\nrust-version = \"1.56.0\"\n");
    let made = plan(&[least, MAIN, LOCK], "");
    assert!(
        made.text.contains("rust:1-bookworm")
            && made.findings.versions[0].because.contains("1.56.0 or later")
    );
    let future = plan(&[MANIFEST, MAIN, LOCK, ("rust-toolchain", "1.999.0")], "");
    assert!(future.findings.warnings[0].contains("newer than any"), "{:?}", future.findings);
}

#[test]
fn every_toolchain_yields_an_existing_image() {
    let versions = (0..150).flat_map(|minor| [format!("1.{minor}"), format!("1.{minor}.1")]);
    for channel in versions.chain(["stable", "beta", "nightly", "stable-2026-01-01"].map(str::to_owned)) {
        let text = generated(&[MANIFEST, MAIN, LOCK, ("rust-toolchain", &channel)]).1;
        assert!(images::named(&text).into_iter().all(images::is_known), "{text}");
    }
}

#[test]
fn invalid_toolchains_and_hostile_names_are_rejected() {
    for channel in ["my-toolchain", "nightly-$(evil)", "1.2.3.4", "nightly; evil", "2.0"] {
        let failure = message(&[MANIFEST, MAIN, ("rust-toolchain", channel)]);
        assert!(failure.contains("rust-toolchain names"), "{failure}");
    }
    let targets = "[toolchain]\nchannel = \"nightly\"\ntargets = [\"wasm32-unknown-unknown\", \"a; evil\"]\n";
    let text = generated(&[MANIFEST, MAIN, ("rust-toolchain.toml", targets)]).1;
    assert!(text.contains("--target wasm32-unknown-unknown\n") && !text.contains("evil"), "{text}");
    let hostile = ("Cargo.toml", "[package]\nname = \"a; evil\"\n");
    assert!(message(&[hostile, MAIN]).contains("characters other than"));
    assert!(message(&[("Cargo.toml", "[package"), MAIN]).contains("Cargo.toml cannot be read"));
}
