//! Tests which paths each kind of workspace declares as needed by a member.

use super::super::tests::context;
use super::*;

/// The paths that the build of a directory needs.
fn needed_by(path: &str, files: &[(&str, &str)]) -> Needed {
    let dir = context(files);
    let root = dir.path().canonicalize().unwrap();
    needed(&root, &root.join(path))
}

fn paths(path: &str, files: &[(&str, &str)]) -> Vec<String> {
    match needed_by(path, files) {
        Needed::Paths(paths) => paths.into_iter().collect(),
        Needed::Everything(because) => panic!("everything: {because}"),
    }
}

fn everything(path: &str, files: &[(&str, &str)]) -> String {
    match needed_by(path, files) {
        Needed::Everything(because) => because,
        Needed::Paths(paths) => panic!("{paths:?}"),
    }
}

#[test]
fn a_directory_outside_any_workspace_does_not_need_its_siblings() {
    let files = [
        ("site/index.html", ""),
        ("other/index.html", ""),
        ("README.md", ""),
        ("Makefile", ""),
        ("runtime.txt", "python-3.12"),
    ];
    assert_eq!(paths("site", &files), ["runtime.txt", "site"]);
    assert!(everything("", &files).contains("root of the repository"));
}

#[test]
fn a_package_needs_its_workspace_dependencies_transitively() {
    let members = [
        ("packages/ui/package.json", r#"{"name":"@acme/ui","dependencies":{"@acme/icons":"^1.0.0"}}"#),
        ("packages/icons/package.json", r#"{"name":"@acme/icons","peerDependencies":{"@acme/theme":"*"}}"#),
        ("packages/theme/package.json", r#"{"name":"@acme/theme"}"#),
        ("packages/lint/package.json", r#"{"name":"@acme/lint"}"#),
        ("packages/mail/package.json", r#"{"name":"@acme/mail"}"#),
        ("packages/old/package.json", r#"{"name":"@acme/old"}"#),
        ("vendored/tool/package.json", r#"{"name":"tool","dependencies":{"deep":"file:../deep"}}"#),
        ("vendored/deep/package.json", r#"{"name":"deep"}"#),
        ("apps/admin/package.json", r#"{"name":"admin","dependencies":{"@acme/mail":"*"}}"#),
        ("apps/shop/tsconfig.json", r#"{"extends":"../../tsconfig.base.json"}"#),
        (
            "apps/shop/package.json",
            r#"{"name":"shop","scripts":{"build":"node ../../scripts/build.mjs && cd ../.. && vite build"},
                "dependencies":{"@acme/ui":"workspace:*","aside":"workspace:@acme/old@*","tool":"file:../../vendored/tool"}}"#,
        ),
        ("scripts/build.mjs", ""),
        ("scripts/other.mjs", ""),
        ("tsconfig.base.json", "{}"),
        ("README.md", ""),
        ("LICENSE", ""),
        ("docker-compose.yml", ""),
        (".yarn/releases/yarn.cjs", ""),
        (".github/workflows/ci.yml", ""),
    ];
    let needed = [
        ".yarn",
        "apps/shop",
        "package.json",
        "packages/icons",
        "packages/lint",
        "packages/old",
        "packages/theme",
        "packages/ui",
        "scripts/build.mjs",
        "tsconfig.base.json",
        "vendored/deep",
        "vendored/tool",
    ];
    let root = r#"{"workspaces":["apps/*","packages/*"],"devDependencies":{"@acme/lint":"*"}}"#;
    for lock in ["package-lock.json", "yarn.lock", "bun.lock"] {
        let files = [&[("package.json", root), (lock, "")][..], &members].concat();
        let mut expected: Vec<&str> = [&[lock][..], &needed].concat();
        expected.sort_unstable();
        assert_eq!(paths("apps/shop", &files), expected);
    }
    let pnpm = [
        ("package.json", r#"{"devDependencies":{"@acme/lint":"workspace:*"}}"#),
        ("pnpm-workspace.yaml", "packages: ['apps/*', 'packages/*']"),
        ("pnpm-lock.yaml", ""),
    ];
    let mut expected: Vec<&str> = [&["pnpm-lock.yaml", "pnpm-workspace.yaml"][..], &needed].concat();
    expected.sort_unstable();
    assert_eq!(paths("apps/shop", &[&pnpm[..], &members].concat()), expected);
}

#[test]
fn typescript_turborepo_and_nx_configurations_add_paths() {
    let files = [
        ("package.json", r#"{"workspaces":["apps/*","libs/*"]}"#),
        ("apps/shop/package.json", r#"{"name":"shop"}"#),
        (
            "apps/shop/tsconfig.json",
            r#"{ // ours
                "extends": ["../../configs/app", "@tsconfig/node22/tsconfig.json"],
                "references": [{"path": "../../libs/a"}],
                "compilerOptions": {"baseUrl": "./src", "paths": {"@b/*": ["../../../libs/b/src/*"], "~/*": ["./*"]}},
                "include": ["src", "../../types/**/*.d.ts"], }"#,
        ),
        ("configs/app.json", r#"{"extends":"./base.json"}"#),
        ("configs/base.json", "{}"),
        ("libs/a/package.json", "{}"),
        ("libs/b/src/index.ts", ""),
        ("libs/codegen/package.json", r#"{"name":"codegen"}"#),
        ("libs/implicit/package.json", r#"{"name":"@acme/x"}"#),
        ("libs/implicit/project.json", r#"{"name":"implicit"}"#),
        ("libs/other/package.json", r#"{"name":"other"}"#),
        ("types/env.d.ts", ""),
        ("shared/schema.json", ""),
        ("data/a.csv", ""),
        ("ops/deploy.sh", ""),
        (
            "turbo.json",
            r#"{"globalDependencies":["shared/**"],
                "tasks":{"build":{"dependsOn":["^build","codegen#generate"]},"deploy":{"dependsOn":["other#build"]}}}"#,
        ),
        ("nx.json", r#"{"namedInputs":{"shared":["{workspaceRoot}/data/**/*","!{workspaceRoot}/ops/**"]}}"#),
        ("apps/shop/project.json", r#"{"implicitDependencies":["implicit","!other"]}"#),
    ];
    let expected = [
        "apps/shop",
        "configs",
        "data",
        "libs/a",
        "libs/b/src",
        "libs/codegen",
        "libs/implicit",
        "nx.json",
        "package.json",
        "shared",
        "turbo.json",
        "types",
    ];
    assert_eq!(paths("apps/shop", &files), expected);
    let turbo = ("turbo.json", r#"{"tasks":{"build":{"dependsOn":["//#generate"]}}}"#);
    assert!(everything("apps/shop", &[files[0], files[1], turbo]).contains("generate"));
    let project = ("apps/shop/project.json", r#"{"implicitDependencies":["nowhere"]}"#);
    assert!(everything("apps/shop", &[files[0], files[1], ("nx.json", "{}"), project]).contains("nowhere"));
}

#[test]
fn imports_count_even_without_a_package_json_dependency() {
    let files = [
        ("package.json", r#"{"workspaces":["apps/*","packages/*"]}"#),
        ("tsconfig.base.json", r#"{"compilerOptions":{"paths":{"@libs/*":["libs/*/src/index.ts"]}}}"#),
        ("apps/shop/package.json", r#"{"name":"shop"}"#),
        (
            "apps/shop/src/pages/a.tsx",
            "import {B} from '@acme/ui/button'\nimport c from \"../../../../shared/c\"\nimport d from '@libs/d'\n\
             import '../../../env'\nimport e from '../e'\nconst admin = 'admin'\n",
        ),
        ("apps/env.d.ts", ""),
        ("apps/env.ts", ""),
        ("apps/admin/package.json", r#"{"name":"admin"}"#),
        ("packages/ui/package.json", r#"{"name":"@acme/ui"}"#),
        ("packages/ui/button.ts", "export * from '../../more/f'"),
        ("more/f/index.ts", ""),
        ("shared/c.ts", ""),
        ("libs/d/project.json", "{}"),
        ("libs/d/src/index.ts", ""),
        ("libs/other/src/index.ts", ""),
    ];
    let expected = [
        "apps/env.ts",
        "apps/shop",
        "libs/d",
        "more/f",
        "package.json",
        "packages/ui",
        "shared",
        "tsconfig.base.json",
    ];
    assert_eq!(paths("apps/shop", &files), expected);
}

#[test]
fn a_go_module_needs_the_modules_it_requires_imports_or_replaces() {
    let files = [
        (
            "go.work",
            "go 1.24\nuse (\n\t./api\n\t./shared\n\t./log\n\t./other\n)\nreplace x.y/z => ./forks/z\n",
        ),
        ("go.work.sum", ""),
        ("api/go.mod", "module example.com/api\ngo 1.24\nrequire example.com/shared v0.0.0\n"),
        ("api/main.go", "package main\n"),
        ("api/internal/deep/a.go", "package deep\nimport (\n\t\"example.com/log/json\"\n)\n"),
        ("shared/go.mod", "module example.com/shared\ngo 1.24\nrequire x.y/z v1.0.0\n"),
        ("log/go.mod", "module example.com/log\ngo 1.24\n"),
        ("other/go.mod", "module example.com/other\ngo 1.24\n"),
        ("other/a.go", "package other\nimport \"example.com/api\"\n"),
        ("forks/z/go.mod", "module x.y/z\ngo 1.24\n"),
        ("README.md", ""),
    ];
    let expected = ["api", "forks/z", "go.work", "go.work.sum", "log", "other/go.mod", "shared"];
    assert_eq!(paths("api", &files), expected);
    assert!(!paths("log", &files).contains(&"api".to_owned()), "{:?}", paths("log", &files));
    let replaced = [
        ("svc/go.mod", "module a\ngo 1.24\nrequire b v0.0.0\nreplace b => ../lib/b\n"),
        ("svc/go.sum", ""),
        ("svc/main.go", "package main\n"),
        ("lib/b/go.mod", "module b\ngo 1.24\n"),
        ("lib/c/go.mod", "module c\ngo 1.24\n"),
    ];
    assert_eq!(paths("svc", &replaced), ["lib/b", "svc"]);
}

#[test]
fn a_crate_needs_its_path_dependencies_and_those_of_its_workspace() {
    let files = [
        (
            "Cargo.toml",
            "[workspace]\nmembers=['crates/*']\n[workspace.dependencies]\nmodel={path='crates/model'}\n\
             unused={path='crates/unused'}\n[patch.crates-io]\nserde={path='forks/serde'}\n",
        ),
        ("Cargo.lock", ""),
        ("rust-toolchain.toml", ""),
        (".cargo/config.toml", ""),
        (
            "crates/api/Cargo.toml",
            "[package]\nname='api'\n[dependencies]\nmodel.workspace=true\nunused='1'\n\
             [target.'cfg(unix)'.dependencies]\nsys={path='../sys'}\n",
        ),
        (
            "crates/model/Cargo.toml",
            "[package]\nname='model'\n[build-dependencies]\ngen={path='../../tools/gen'}\n",
        ),
        ("crates/sys/Cargo.toml", "[package]\nname='sys'\n"),
        ("crates/unused/Cargo.toml", "[package]\nname='unused'\n"),
        ("tools/gen/Cargo.toml", "[package]\nname='gen'\n"),
        ("forks/serde/Cargo.toml", "[package]\nname='serde'\n"),
        ("README.md", ""),
    ];
    let expected = [
        ".cargo",
        "Cargo.lock",
        "Cargo.toml",
        "crates/api",
        "crates/model",
        "crates/sys",
        "forks/serde",
        "rust-toolchain.toml",
        "tools/gen",
    ];
    assert_eq!(paths("crates/api", &files), expected);
    // A workspace that is not at the root.
    let below: Vec<(String, &str)> =
        files.iter().map(|(path, text)| (format!("backend/{path}"), *text)).collect();
    let below: Vec<(&str, &str)> = below.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    assert_eq!(paths("backend/crates/api", &below), expected.map(|path| format!("backend/{path}")));
}

#[test]
fn a_uv_package_needs_members_by_name_and_other_packages_by_path() {
    let files = [
        (
            "pyproject.toml",
            "[project]\nname='root'\n[tool.uv.workspace]\nmembers=['packages/*','apps/*']\n\
             [tool.uv.sources]\ncommon={path='vendored/common'}\n",
        ),
        ("uv.lock", ""),
        (
            "apps/api/pyproject.toml",
            "[project]\nname='api'\ndependencies=['My_Models[all]>=1','common','flask']\n\
             [dependency-groups]\ndev=['testing']\n[tool.uv.sources]\nmy-models={workspace=true}\nlib={path='../../lib'}\n",
        ),
        ("packages/models/pyproject.toml", "[project]\nname='my-models'\ndependencies=['core']\n"),
        ("packages/core/pyproject.toml", "[project]\nname='core'\n"),
        ("packages/testing/pyproject.toml", "[project]\nname='testing'\n"),
        ("packages/other/pyproject.toml", "[project]\nname='other'\n"),
        ("vendored/common/a.py", ""),
        ("lib/a.py", ""),
    ];
    let expected = [
        "apps/api",
        "lib",
        "packages/core",
        "packages/models",
        "packages/testing",
        "pyproject.toml",
        "uv.lock",
        "vendored/common",
    ];
    assert_eq!(paths("apps/api", &files), expected);
    let on_root = ("apps/api/pyproject.toml", "[project]\nname='api'\ndependencies=['root']\n");
    assert!(everything("apps/api", &[files[0], files[1], on_root]).contains("root of its workspace"));
}

#[test]
fn an_unsupported_workspace_needs_the_whole_repository() {
    let member = ("apps/shop/package.json", r#"{"name":"shop"}"#);
    let broken = ("package.json", r#"{"workspaces":["apps/*"]"#);
    assert!(everything("apps/shop", &[member, broken]).contains("package.json cannot be read"));
    // Maven builds a module together with its siblings.
    let pom = |modules: &str| {
        format!(
            "<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version>{modules}</project>"
        )
    };
    let (root, module) = (pom("<packaging>pom</packaging><modules><module>api</module></modules>"), pom(""));
    let java = [
        ("pom.xml", root.as_str()),
        ("api/pom.xml", module.as_str()),
        ("api/src/main/java/A.java", "class A { public static void main(String[] a) {} }"),
    ];
    assert!(everything("api", &java).contains("Java"));
    let project = r#"<Project Sdk="Microsoft.NET.Sdk.Web"><PropertyGroup><TargetFramework>net8.0</TargetFramework></PropertyGroup>
        <ItemGroup><ProjectReference Include="../lib/lib.csproj" /></ItemGroup></Project>"#;
    assert!(everything("web", &[("web/web.csproj", project), ("lib/lib.csproj", project)]).contains(".NET"));
    let many: Vec<(String, String)> = (0..=MAX_DIRECTORIES)
        .map(|n| {
            (
                format!("p{n}/package.json"),
                format!(r#"{{"name":"p{n}","dependencies":{{"x":"file:../p{}"}}}}"#, n + 1),
            )
        })
        .collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert!(everything("p0", &many).contains("more than 200"));
}

#[test]
fn a_link_counts_at_its_target_and_a_submodule_at_its_path() {
    let dir = context(&[
        ("package.json", r#"{"workspaces":["apps/*","packages/*"]}"#),
        ("apps/shop/package.json", r#"{"name":"shop","dependencies":{"ui":"*"}}"#),
        ("real/ui/package.json", r#"{"name":"ui"}"#),
        ("shared/a.ts", ""),
        ("lib/sub/empty", ""),
        (
            ".gitmodules",
            "[submodule \"x\"]\n\tpath = lib/sub\n\turl = https://h/x\n[submodule \"y\"]\npath = ../out\n",
        ),
    ]);
    let root = dir.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("packages")).unwrap();
    for (link, target) in [
        ("packages/ui", "../real/ui"),
        ("apps/shop/shared", "../../shared"),
        ("apps/shop/self", "."),
        ("apps/shop/gone", "../../gone"),
        ("apps/shop/out", "/etc"),
    ] {
        std::os::unix::fs::symlink(target, root.join(link)).unwrap();
    }
    let Needed::Paths(found) = needed(&root, &root.join("apps/shop")) else { panic!() };
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found, [".gitmodules", "apps/shop", "lib/sub", "package.json", "real/ui", "shared"]);
    std::os::unix::fs::symlink("../..", root.join("apps/shop/all")).unwrap();
    assert!(matches!(needed(&root, &root.join("apps/shop")), Needed::Everything(_)));
}
