use super::super::tests::{auto, found, generated};
use crate::build::order::Settings;

const MOD: (&str, &str) = ("go.mod", "module example.com/shop\n\ngo 1.24.3\n");
const MAIN: &str = "// The shop.\npackage main\n";

fn message(files: &[(&str, &str)]) -> String {
    auto(files).unwrap_err().message
}

#[test]
fn modules_are_downloaded_before_the_source_is_copied() {
    let module = ("go.mod", "module m\ngo 1.23\ntoolchain go1.25.1\nrequire a v1\n");
    let (framework, text) = generated(&[module, ("go.sum", ""), ("main.go", MAIN), ("templates/a.html", "")]);
    assert_eq!(framework, "Go");
    let order = [
        "golang:1.25-bookworm",
        "COPY go.mod go.sum",
        "go mod download",
        "COPY . .",
        "/out/app .\n",
        "FROM scratch",
        "COPY --link templates/",
        "USER 65532",
    ];
    let places: Vec<usize> =
        order.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"))).collect();
    assert!(places.is_sorted(), "{text}");
    assert!(message(&[module, ("main.go", MAIN)]).contains("go mod tidy"));
    let text = generated(&[module, ("go.sum", ""), ("vendor/modules.txt", ""), ("main.go", MAIN)]).1;
    assert!(!text.contains("go mod download"), "{text}");
}

#[test]
fn the_program_is_the_root_or_the_one_below_cmd() {
    assert!(generated(&[MOD, ("cmd/web/main.go", MAIN)]).1.contains("-o /out/app ./cmd/web\n"));
    let several = [MOD, ("cmd/shop/main.go", MAIN), ("cmd/tool/main.go", MAIN)];
    assert!(generated(&several).1.contains("./cmd/shop\n"), "the one named as the module");
    let failure = message(&[MOD, ("cmd/a/main.go", MAIN), ("cmd/b/main.go", MAIN)]);
    assert!(failure.contains("cmd/a, cmd/b") && failure.contains("spec.build.command"), "{failure}");
    assert!(message(&[MOD, ("shop.go", "package shop")]).contains("no program"));
    assert!(message(&[MOD, ("gen.go", "//go:build ignore\n\npackage main\n")]).contains("no program"));
    let settings = Settings { command: Some("go build -o /out/app ./x".into()), ..Settings::default() };
    assert!(found(&[MOD], &settings).is_ok(), "a command needs no program to be found");
}

#[test]
fn a_module_without_a_version_or_with_hostile_names_is_refused() {
    assert!(message(&[("go.mod", "module m"), ("main.go", MAIN)]).contains("go mod edit"));
    assert!(message(&[("go.mod", "module m\ngo $(evil)"), ("main.go", MAIN)]).contains("go mod edit"));
    assert!(message(&[MOD, ("cmd/a;evil/main.go", MAIN)]).contains("no program"));
}
