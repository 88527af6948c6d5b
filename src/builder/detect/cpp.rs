//! C and C++: which `CMake` or Meson target is the program, and which Debian libraries it needs.

use super::assets::Assets;
use super::choice;
use super::findings::Findings;
use super::names::is_path;
use super::tree::Tree;
use super::{Context, Generated, no_builder, step};
use crate::builder::dockerfile::Step;
use crate::builder::dockerfile::cpp::{self, Plan, Tool};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

/// Limits of the search for targets: depth and number of directories.
const DEPTH: usize = 3;
const MAX_DIRECTORIES: usize = 300;

/// Directories whose programs are not the one to run.
const APART: [&str; 14] = [
    "bench",
    "benchmark",
    "benchmarks",
    "build",
    "deps",
    "docs",
    "example",
    "examples",
    "extern",
    "external",
    "subprojects",
    "test",
    "tests",
    "third_party",
];

/// The `CMake` of Debian 12.
const CMAKE: (u32, u32) = (3, 25);

/// Libraries as build files name them, in lower case, and the Debian packages that contain them.
const LIBRARIES: [(&str, &[&str]); 27] = [
    ("openssl", &["libssl-dev"]),
    ("curl", &["libcurl4-openssl-dev"]),
    ("libcurl", &["libcurl4-openssl-dev"]),
    ("zlib", &["zlib1g-dev"]),
    ("boost", &["libboost-all-dev"]),
    ("sqlite3", &["libsqlite3-dev"]),
    ("postgresql", &["libpq-dev"]),
    ("libpq", &["libpq-dev"]),
    ("libpqxx", &["libpqxx-dev"]),
    ("mysql", &["default-libmysqlclient-dev"]),
    ("hiredis", &["libhiredis-dev"]),
    ("fmt", &["libfmt-dev"]),
    ("spdlog", &["libspdlog-dev"]),
    ("nlohmann_json", &["nlohmann-json3-dev"]),
    ("jsoncpp", &["libjsoncpp-dev"]),
    ("yaml-cpp", &["libyaml-cpp-dev"]),
    ("protobuf", &["protobuf-compiler", "libprotobuf-dev"]),
    ("grpc", &["protobuf-compiler-grpc", "libgrpc++-dev"]),
    ("libuv", &["libuv1-dev"]),
    ("libevent", &["libevent-dev"]),
    ("libmicrohttpd", &["libmicrohttpd-dev"]),
    ("cpprestsdk", &["libcpprest-dev"]),
    ("websocketpp", &["libwebsocketpp-dev"]),
    ("libxml2", &["libxml2-dev"]),
    ("eigen3", &["libeigen3-dev"]),
    ("uuid", &["uuid-dev"]),
    ("gtest", &["libgtest-dev"]),
];

/// The recipe for a CMakeLists.txt or a meson.build.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let (tool, file) = match tree.first(&["CMakeLists.txt", "meson.build"]) {
        Some("CMakeLists.txt") => (Tool::CMake, "CMakeLists.txt"),
        Some(_) => (Tool::Meson, "meson.build"),
        None => {
            return Err(no_builder(
                "the build context has no CMakeLists.txt and no meson.build, one of which spec.build.framework: Cpp \
                 needs; correct the field, or set the path of the source",
            ));
        }
    };
    let mut findings = Findings::default();
    let texts = texts(tree, file)?;
    check(tree, tool, &texts[0], &mut findings)?;
    let build = step(settings).unwrap_or(Step::Usual);
    let project = first(&texts[0], "project");
    let mut targets = Vec::new();
    for name in texts
        .iter()
        .flat_map(|text| calls(text, if tool == Tool::CMake { "add_executable" } else { "executable" }))
    {
        let name = name.replace("${PROJECT_NAME}", project.as_deref().unwrap_or_default());
        let name = name.replace("${CMAKE_PROJECT_NAME}", project.as_deref().unwrap_or_default());
        if is_path(&name) && !name.contains('/') && !targets.contains(&name) {
            targets.push(name);
        }
    }
    let names: Vec<&str> = targets.iter().map(String::as_str).collect();
    let chosen = match (&build, names.is_empty()) {
        (Step::Command(_), _) => None,
        (_, true) => {
            return Err(no_builder(format!(
                "{file} defines no program: there is no {} with a plain name in it or in the directories below; set \
                 spec.build.command (it must write the program to /out/app)",
                if tool == Tool::CMake { "add_executable" } else { "executable" }
            )));
        }
        _ => Some(choice::choose(tree, &names, project.as_deref(), &mut findings)?.ok_or_else(|| {
            no_builder(format!(
                "there are several programs: {}; choose one with a line \"web: {}\" in a Procfile, or with \
                 spec.build.command (it must write the program to /out/app)",
                names.join(", "),
                names[0]
            ))
        })?),
    };
    let assets = Assets::find(tree, "");
    assets.sentence().into_iter().for_each(|sentence| findings.assume(sentence));
    let packages = libraries(&texts);
    if !packages.is_empty() {
        findings.assume(format!("the build stage installs these Debian packages: {}", packages.join(", ")));
    }
    let plan = Plan {
        tool,
        target: chosen.as_ref().map(|chosen| targets[chosen.index].clone()).unwrap_or_default(),
        packages,
        build,
        arguments: super::arguments(settings),
        start: chosen.map(|chosen| chosen.arguments).unwrap_or_default(),
        assets,
    };
    Ok(Generated { framework: Framework::Cpp, text: cpp::text(&plan), context: Context::Directory, findings })
}

/// The build files of the directory and those below, the top one first, without comments.
fn texts(tree: Tree<'_>, file: &str) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let mut level = vec![String::new()];
    let mut seen = 0;
    for _ in 0..=DEPTH {
        let mut next = Vec::new();
        for directory in level {
            if let Some(text) = tree.text(&format!("{directory}{file}"))? {
                let line = |line: &str| line.split('#').next().unwrap_or_default().to_owned() + "\n";
                found.push(text.lines().map(line).collect::<String>());
            }
            for name in tree.names(&directory)? {
                let path = format!("{directory}{name}");
                let apart = name.starts_with('.') || APART.contains(&name.as_str());
                if !apart && seen < MAX_DIRECTORIES && tree.has_directory(&path) {
                    seen += 1;
                    next.push(format!("{path}/"));
                }
            }
        }
        level = next;
    }
    Ok(found)
}

/// The first argument of every call of a function.
fn calls<'t>(text: &'t str, function: &str) -> Vec<&'t str> {
    let is_name = |char: char| char.is_alphanumeric() || char == '_';
    let places = text.match_indices(function).filter(|(at, _)| !text[..*at].ends_with(is_name));
    let arguments = places.filter_map(|(at, _)| {
        let rest = text[at + function.len()..].trim_start().strip_prefix('(')?.trim_start();
        let end = rest.find(|char: char| char.is_whitespace() || "),".contains(char)).unwrap_or(rest.len());
        Some(rest[..end].trim_matches(['\'', '"']))
    });
    arguments.filter(|name| !name.is_empty()).collect()
}

fn first(text: &str, function: &str) -> Option<String> {
    calls(text, function).first().map(|name| (*name).to_owned()).filter(|name| is_path(name))
}

/// Rejects what Debian 12 cannot build, before the build tries it.
fn check(tree: Tree<'_>, tool: Tool, text: &str, findings: &mut Findings) -> Result<(), Failure> {
    let least = text.split_once("cmake_minimum_required").and_then(|(_, rest)| rest.split_once("VERSION"));
    let least = least.and_then(|(_, rest)| {
        let mut numbers =
            rest.trim_start().split(['.', ')', ' ']).map_while(|part| part.trim().parse::<u32>().ok());
        Some((numbers.next()?, numbers.next().unwrap_or(0)))
    });
    if let Some((major, minor)) = least.filter(|least| tool == Tool::CMake && *least > CMAKE) {
        return Err(no_builder(format!(
            "CMakeLists.txt requires CMake {major}.{minor}, but the image has CMake {}.{} of Debian 12; lower \
             cmake_minimum_required, or add a Dockerfile",
            CMAKE.0, CMAKE.1
        )));
    }
    if let Some(file) = tree.first(&["vcpkg.json", "conanfile.txt", "conanfile.py"]) {
        findings.warn(format!(
            "the build does not install the packages of {file}: libraries come only from Debian"
        ));
    }
    Ok(())
}

/// Debian's packages for the libraries that the build files look for.
fn libraries(texts: &[String]) -> Vec<&'static str> {
    let asked: Vec<String> = texts
        .iter()
        .flat_map(|text| {
            let found = ["find_package", "dependency"].iter().flat_map(|function| calls(text, function));
            let modules = ["pkg_check_modules", "pkg_search_module"]
                .iter()
                .flat_map(|function| modules(text, function));
            found.map(str::to_lowercase).chain(modules).collect::<Vec<_>>()
        })
        .collect();
    let needed = LIBRARIES.iter().filter(|(name, _)| asked.iter().any(|asked| asked == name));
    let mut packages: Vec<&str> = needed.flat_map(|(_, packages)| packages.iter().copied()).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// The words of every call of a function of `CMake`.
fn modules(text: &str, function: &str) -> Vec<String> {
    let calls = text.split(function).skip(1).filter_map(|rest| rest.split_once('(')?.1.split_once(')'));
    calls.flat_map(|(words, _)| words.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{auto, generated};

    #[test]
    fn the_cmake_target_is_built_and_its_libraries_are_copied() {
        let cmake = (
            "CMakeLists.txt",
            "cmake_minimum_required(VERSION 3.15)\nproject(shop LANGUAGES CXX)\nfind_package(OpenSSL REQUIRED)\nadd_executable(shop main.cc) # add_executable(no x)\n",
        );
        let (framework, text) = generated(&[cmake, ("main.cc", "")]);
        assert_eq!(framework, "Cpp");
        for part in [
            "FROM docker.io/library/debian:bookworm AS build",
            "cmake git ninja-build",
            "libssl-dev",
            "--target shop",
            "ldd /out/app",
            "USER 65532",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn the_meson_executable_is_built() {
        let text = generated(&[(
            "meson.build",
            "project('cpp-meson', ['cpp'])\n\nexecutable('cpp-meson', ['main.cc'])\n",
        )])
        .1;
        assert!(text.contains("meson setup") && text.contains("-name cpp-meson"), "{text}");
    }

    #[test]
    fn the_target_with_the_project_name_is_the_program() {
        let cmake = (
            "CMakeLists.txt",
            "project(shop)\nadd_executable(${PROJECT_NAME} a.cc)\nadd_executable(tool b.cc)\n",
        );
        assert!(generated(&[cmake]).1.contains("--target shop"));
        let two = ("CMakeLists.txt", "project(x)\nadd_executable(a a.cc)\nadd_subdirectory(src)\n");
        let failure = auto(&[
            two,
            ("src/CMakeLists.txt", "add_executable(b b.cc)"),
            ("test/CMakeLists.txt", "add_executable(c c.cc)"),
        ]);
        assert!(failure.unwrap_err().message.contains("several programs: a, b;"));
    }

    #[test]
    fn unsupported_projects_are_rejected_with_the_reason() {
        let new = ("CMakeLists.txt", "cmake_minimum_required(VERSION 3.30)\nadd_executable(a a.cc)");
        assert!(auto(&[new]).unwrap_err().message.contains("requires CMake 3.30"));
        for text in
            ["project(x)\nadd_library(x x.cc)", "add_executable(a;evil a.cc)", "add_executable($(evil) a.cc)"]
        {
            assert!(auto(&[("CMakeLists.txt", text)]).unwrap_err().message.contains("no program"), "{text}");
        }
    }
}
