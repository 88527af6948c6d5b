use super::super::Context;
use super::super::Recipe;
use super::super::tests::{auto, found, generated, in_order, message, plan_at as plan};
use super::*;
use crate::builder::dockerfile::images;

const MOD: (&str, &str) = ("go.mod", "module example.com/shop\n\ngo 1.24.3\n");
const MAIN: &str = "// The shop.\npackage main\n";

#[test]
fn modules_are_downloaded_before_the_source_is_copied() {
    let module = ("go.mod", "module m\ngo 1.23\ntoolchain go1.25.1\nrequire a.b/c v1\n");
    let (framework, text) = generated(&[module, ("go.sum", ""), ("main.go", MAIN), ("templates/a.html", "")]);
    assert_eq!(framework, "Go");
    let order = [
        "golang:1.26-bookworm",
        "COPY go.mod go.sum ./\n",
        "go mod download",
        "COPY . .",
        "/out/app .\n",
        "FROM scratch",
        "COPY --link templates/",
        "USER 65532",
        "ENTRYPOINT [\"/app\"]",
    ];
    in_order(&text, &order);
    assert!(message(&[module, ("main.go", MAIN)]).contains("go mod tidy"));
    let text = generated(&[module, ("go.sum", ""), ("vendor/modules.txt", ""), ("main.go", MAIN)]).1;
    assert!(!text.contains("go mod download"), "{text}");
}

// Regression: a minimum version was used as the exact one, and the image did not exist.
#[test]
fn the_go_mod_version_is_a_minimum_and_the_newest_go_builds_it() {
    for directive in ["go 1.13", "go 1.16", "go 1.21.0", "go 1.25.1\ntoolchain go1.26.1", ""] {
        let module = format!("module corner-shop.test/old\n\n{directive}\n");
        let made = plan(&[("go.mod", &module), ("main.go", MAIN)], "");
        assert!(made.text.contains("FROM docker.io/library/golang:1.26-bookworm"), "{}", made.text);
        assert!(made.findings.versions[0].because.starts_with("the newest"), "{:?}", made.findings);
    }
}

#[test]
fn a_version_manager_file_names_the_exact_version() {
    for (name, text, image, toolchain) in [
        ("mise.toml", "[tools]\ngo = \"1.25.3\"", "1.25", "go1.25.3+auto"),
        (".tool-versions", "golang 1.24.1", "1.24", "go1.24.1+auto"),
        (".go-version", "1.25\n", "1.25", "auto"),
        ("mise.toml", "[tools]\ngo = \"latest\"", "1.26", "auto"),
        (".tool-versions", "golang 1.20.3", "1.26", "go1.20.3+auto"),
        (".tool-versions", "golang 1.17.1", "1.26", "auto"),
    ] {
        let text = generated(&[("go.mod", "module m\ngo 1.20"), ("main.go", MAIN), (name, text)]).1;
        assert!(text.contains(&format!("golang:{image}-bookworm")), "{name}: {text}");
        assert!(text.contains(&format!(" GOTOOLCHAIN={toolchain}\n")), "{name}: {text}");
    }
}

#[test]
fn a_version_without_an_image_is_rejected_with_the_reason() {
    let future = message(&[("go.mod", "module m\n\ngo 1.99\n"), ("main.go", MAIN)]);
    assert!(future.contains("go in go.mod requires Go 1.99") && future.contains("1.26"), "{future}");
    let future = message(&[MOD, ("main.go", MAIN), (".tool-versions", "go 1.99.1")]);
    assert!(future.contains(".tool-versions, line 1 requires Go 1.99.1"), "{future}");
    assert!(
        message(&[MOD, ("main.go", MAIN), (".go-version", "$(evil)")])
            .contains(".go-version names no version")
    );
    assert!(message(&[("go.mod", "module m\ngo $(evil)"), ("main.go", MAIN)]).contains("go.mod, line 2"));
}

#[test]
fn every_version_yields_an_existing_image_or_a_rejection() {
    for minor in 0..120 {
        for directive in
            [format!("go 1.{minor}"), format!("go 1.{minor}.4"), format!("go 1.1\ntoolchain go1.{minor}.0")]
        {
            let go_mod = format!("module m\n{directive}\n");
            for tool in [String::new(), format!("golang 1.{minor}.1"), format!("golang 1.{minor}")] {
                let files =
                    [("go.mod", go_mod.as_str()), ("main.go", MAIN), (".tool-versions", tool.as_str())];
                if let Ok(Recipe::Generated(made)) = auto(&files) {
                    assert!(images::named(&made.text).into_iter().all(images::is_known), "{}", made.text);
                } else {
                    assert!(minor > 26, "{directive} {tool}");
                }
            }
        }
    }
}

#[test]
fn the_program_is_at_the_root_or_below_cmd() {
    assert!(generated(&[MOD, ("cmd/web/main.go", MAIN)]).1.contains("-o /out/app ./cmd/web\n"));
    let several = [MOD, ("cmd/shop/main.go", MAIN), ("cmd/tool/main.go", MAIN)];
    assert!(generated(&several).1.contains("./cmd/shop\n"), "the program is named like the module");
    let server = [MOD, ("cmd/server/main.go", MAIN), ("cmd/tool/main.go", MAIN)];
    let made = plan(&server, "");
    assert!(
        made.text.contains("./cmd/server\n") && made.findings.assumed[0].contains("picks server by its name"),
        "{made:?}"
    );
    let failure = message(&[MOD, ("cmd/a/main.go", MAIN), ("cmd/b/main.go", MAIN)]);
    for part in ["./cmd/a, ./cmd/b", "spec.build.command", "go build -o /out/app ./cmd/a"] {
        assert!(failure.contains(part), "{failure}");
    }
    assert!(message(&[MOD, ("shop.go", "package shop")]).contains("no Go program"));
    assert!(message(&[MOD, ("gen.go", "//go:build ignore\n\npackage main\n")]).contains("no Go program"));
    let settings = Settings { command: Some("go build -o /out/app ./x".into()), ..Settings::default() };
    assert!(found(&[MOD], &settings).is_ok(), "with a command, detection needs no program");
    assert!(message(&[MOD, ("cmd/a;evil/main.go", MAIN)]).contains("no Go program"));
}

#[test]
fn a_magefile_is_not_a_program() {
    let mage = ("magefile.go", "//go:build mage\n\npackage main\n");
    assert!(generated(&[MOD, mage, ("cmd/shop/main.go", MAIN)]).1.contains("./cmd/shop\n"));
}

#[test]
fn a_procfile_chooses_the_program_and_its_arguments() {
    let two = [MOD, ("cmd/a/main.go", MAIN), ("cmd/b/main.go", MAIN)];
    let text = generated(&[two.as_slice(), &[("Procfile", "web: bin/b serve")]].concat()).1;
    assert!(
        text.contains("./cmd/b\n") && text.contains("CMD [\"serve\"]") && text.contains("FROM scratch"),
        "{text}"
    );
    let text = generated(&[two.as_slice(), &[("Procfile", "web: b -addr :$PORT")]].concat()).1;
    assert!(
        text.contains("exec /app -addr :$PORT") && text.contains("FROM docker.io/library/debian"),
        "{text}"
    );
}

#[test]
fn a_member_of_a_workspace_is_built_from_its_root() {
    let files = [
        ("go.work", "go 1.23\nuse (\n\t./api\n\t./shared\n)\n"),
        ("api/go.mod", "module example.com/api\ngo 1.23\nrequire example.com/shared v0.0.0\n"),
        ("api/main.go", MAIN),
        ("api/templates/a.html", ""),
        ("shared/go.mod", "module example.com/shared\ngo 1.23\n"),
        ("shared/shared.go", "package shared"),
    ];
    let whole = plan(&files, "");
    assert_eq!(whole.context, Context::Directory);
    in_order(
        &whole.text,
        &[
            "COPY go.work ./\nCOPY api/go.mod ./api/\nCOPY shared/go.mod ./shared/\n",
            "go mod download",
            "/out/app ./api\n",
        ],
    );
    let member = plan(&files, "api");
    assert_eq!(member.context, Context::Source);
    in_order(&member.text, &["COPY go.work", "/out/app ./api\n", "COPY --link api/templates/ ./templates/"]);
    let failure = message(&[("go.work", "go 1.23\nuse ./gone\n"), ("main.go", MAIN)]);
    assert!(failure.contains("go.work uses \"./gone\""), "{failure}");
}

#[test]
fn a_replacement_directory_outside_the_module_widens_the_context() {
    let files = [
        ("api/go.mod", "module m\ngo 1.23\nrequire x.y/lib v0.0.0\nreplace x.y/lib => ../lib\n"),
        ("api/main.go", MAIN),
        ("lib/go.mod", "module x.y/lib\n"),
    ];
    let made = plan(&files, "api");
    assert_eq!(made.context, Context::Source);
    in_order(
        &made.text,
        &[
            "COPY api/go.mod ./api/\nCOPY lib/go.mod ./lib/\n",
            "cd /src/api && go mod download",
            "COPY . .\nWORKDIR /src/api\n",
            "/out/app .\n",
        ],
    );
    let inside =
        plan(&[("go.mod", "module m\nreplace x.y/l => ./l"), ("l/go.mod", ""), ("main.go", MAIN)], "");
    assert_eq!(inside.context, Context::Directory);
    let gone = message(&[("go.mod", "module m\nreplace x.y/l => ./l"), ("main.go", MAIN)]);
    assert!(gone.contains("go.mod replaces \"x.y/l\" with \"./l\""), "{gone}");
    let above = message(&[("go.mod", "module m\nreplace x.y/l => ../../etc"), ("main.go", MAIN)]);
    assert!(above.contains("../../etc"), "{above}");
}

#[test]
fn cgo_programs_are_compiled_and_run_on_debian() {
    let sqlite = ("go.mod", "module m\ngo 1.23\nrequire github.com/mattn/go-sqlite3 v1.14.24 // indirect\n");
    let made = plan(&[sqlite, ("go.sum", ""), ("main.go", MAIN)], "");
    in_order(
        &made.text,
        &[
            "CGO_ENABLED=1",
            "ldd /out/app",
            "FROM docker.io/library/debian:bookworm-slim",
            "/libraries/ /usr/lib/",
        ],
    );
    assert!(made.findings.assumed[0].contains("go-sqlite3"), "{:?}", made.findings);
    let own = ("c/c.go", "package c\n\n// #include <math.h>\nimport \"C\"\n");
    assert!(generated(&[MOD, ("main.go", MAIN), own]).1.contains("CGO_ENABLED=1"));
    let vips = ("go.mod", "module m\nrequire (\n\tgithub.com/davidbyttow/govips/v2 v2.16.0\n)\n");
    assert!(
        generated(&[vips, ("go.sum", ""), ("main.go", MAIN)])
            .1
            .contains("--no-install-recommends libvips-dev")
    );
    assert!(generated(&[MOD, ("main.go", MAIN)]).1.contains("CGO_ENABLED=0"));
}

#[test]
fn a_main_go_without_a_module_is_built_if_it_needs_only_the_standard_library() {
    let made = plan(&[("main.go", "package main\nimport (\n\t\"net/http\"\n)\n")], "");
    assert!(made.text.contains("go mod init app && go build"), "{}", made.text);
    let failure = message(&[("main.go", "package main\nimport \"github.com/a/b\"\n")]);
    assert!(failure.contains("go mod init") && failure.contains("github.com/a/b"), "{failure}");
}

#[test]
fn gin_runs_in_release_mode() {
    let gin = ("go.mod", "module m\nrequire github.com/gin-gonic/gin v1.8.1\n");
    assert!(generated(&[gin, ("go.sum", ""), ("main.go", MAIN)]).1.contains(" GIN_MODE=release\n"));
}
