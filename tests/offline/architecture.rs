//! The import rule: who may use whom (the map in `src/lib.rs`), which files are pure, and what no file may be. It reads
//! text, tests apart, and knows no more of Rust than paths.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a module may use of ours besides itself and what is below it. The longest matching name counts.
const MAY_USE: &[(&str, &[&str])] = &[
    ("crd", &[]),
    ("version", &["build::order"]),
    ("quantity", &[]),
    ("project", &["crd", "version", "build::order"]),
    (
        "ledger",
        &["crd::annotations", "crd::conditions", "crd::status::Cause", "record::Trigger", "build::report"],
    ),
    (
        "record",
        &[
            "crd::annotations",
            "crd::init_command::InitCommand",
            "crd::run::Security",
            "crd::status::Cause",
            "build::report",
        ],
    ),
    (
        "desired",
        &[
            "project",
            "ledger",
            "record",
            "quantity",
            "version",
            "crd",
            "build::order",
            "build::report",
            "reconcile::world::BuildOf",
        ],
    ),
    (
        "reconcile",
        &[
            "crd",
            "project",
            "ledger",
            "record",
            "version",
            "desired",
            "build::not_found",
            "build::order",
            "build::report",
            "cluster",
            "config",
            "backoff",
            "announcements",
        ],
    ),
    ("reconcile::world", PURE),
    ("reconcile::asked", PURE),
    ("reconcile::decide", PURE),
    ("reconcile::facts", PURE),
    ("reconcile::summarize", PURE),
    ("reconcile::turn", PURE),
    // An event as data; who publishes it is `reconcile::report`.
    (
        "reconcile::summarize::events",
        &["cluster::events::Happening", "crd", "project", "reconcile::world", "reconcile::summarize"],
    ),
    ("cluster", &["crd", "project", "desired::names", "version", "reconcile::world::At"]),
    ("announcements", &[]),
    ("backoff", &[]),
    ("config", &["build::order", "desired::build_pods", "desired::copied"]),
    ("election", &["cluster"]),
    ("election::view", &["election::times"]),
    ("election::times", &[]),
    ("controller", &["reconcile", "cluster", "crd", "queue", "backoff", "election"]),
    ("queue", &["reconcile", "cluster", "crd"]),
    ("probes", &["reconcile", "election"]),
    ("sweep", &["cluster"]),
    ("sweep::named", &["crd", "desired::names", "desired::record", "desired::told"]),
    ("sweep::choose", &["sweep::named", "build::order"]),
    ("sweep::registry", &[]),
    ("relay", &["cluster"]),
    ("relay::request", &[]),
    ("build", &["version"]),
];

const PURE: &[&str] = &[
    "crd",
    "project",
    "ledger",
    "record",
    "version",
    "desired",
    "build::not_found",
    "build::order",
    "build::report",
    "reconcile::world",
    "reconcile::asked",
    "reconcile::decide",
    "reconcile::facts",
    "reconcile::summarize",
];

/// Modules that answer the same for the same input.
const NO_IO: &[&str] = &[
    "crd",
    "version",
    "quantity",
    "project",
    "ledger",
    "record",
    "desired",
    "announcements",
    "backoff",
    "election::times",
    "election::view",
    "reconcile::world",
    "reconcile::asked",
    "reconcile::decide",
    "reconcile::facts",
    "reconcile::summarize",
    "reconcile::turn",
    "sweep::choose",
    "sweep::named",
    "relay::request",
];

const IO: &[&str] = &[
    "kube::Client",
    "kube::Api",
    "Client::",
    "tokio",
    "Timestamp::now",
    "SystemTime",
    "Instant::now",
    "std::fs",
    "std::net",
];

/// Longest file in lines, unit tests apart. Most are under 300; one that holds a single idea is not split to please a number.
const LONGEST: usize = 460;

struct Module {
    /// `reconcile::decide`, empty for the root.
    name: String,
    path: PathBuf,
    /// The text without comments and unit tests.
    code: String,
    lines: usize,
}

fn modules() -> Vec<Module> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&src, &src, &mut found);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() > 40, "only {} modules found", found.len());
    found
}

fn collect(src: &Path, dir: &Path, found: &mut Vec<Module>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(src, &path, found);
            continue;
        }
        let inside =
            path.strip_prefix(src).unwrap().with_extension("").display().to_string().replace('/', "::");
        if path.extension().is_none_or(|extension| extension != "rs") || inside.ends_with("tests") {
            continue;
        }
        let name = if inside == "lib" || inside == "main" { String::new() } else { inside };
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
        let code =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        found.push(Module { name, path, code, lines: text.lines().count() });
    }
}

fn below(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every path of ours that a module names, from the root on: `build::order::Order`.
fn uses(module: &Module) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = module.code.as_str();
    while let Some(at) = ["crate::", "super::"].iter().filter_map(|start| rest.find(start)).min() {
        let begins = rest[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric() && before != '_' && before != '$');
        let mut tree = &rest[at..];
        rest = &rest[at + "crate::".len()..];
        if !begins
            || tree.starts_with("super::")
                && module.code[..module.code.len() - tree.len()].ends_with("super::")
        {
            continue;
        }
        let mut base: Vec<&str> = module.name.split("::").filter(|part| !part.is_empty()).collect();
        if let Some(after) = tree.strip_prefix("crate::") {
            base.clear();
            tree = after;
        }
        while let Some(after) = tree.strip_prefix("super::") {
            base.pop();
            tree = after;
        }
        expand(&base.join("::"), tree, &mut found);
    }
    found
}

/// `a::{b, c::{d}}` behind `base`; returns what follows the tree.
fn expand<'a>(base: &str, tree: &'a str, found: &mut BTreeSet<String>) -> &'a str {
    let end = tree.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tree.len());
    let (word, mut rest) = tree.split_at(end);
    let path = [base, word]
        .iter()
        .filter(|part| !part.is_empty() && **part != "self")
        .copied()
        .collect::<Vec<_>>()
        .join("::");
    if let Some(group) =
        rest.strip_prefix("::{").or_else(|| rest.strip_prefix('{').filter(|_| word.is_empty()))
    {
        rest = group;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            if rest.is_empty() {
                return rest;
            }
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let before = rest.len();
            rest = expand(&path, rest, found);
            rest = rest.trim_start_matches(|c: char| !matches!(c, ',' | '}'));
            assert!(rest.len() < before, "cannot read the use of {path}");
        }
    }
    if let Some(after) =
        rest.strip_prefix("::").filter(|after| after.starts_with(|c: char| c.is_alphabetic() || c == '_'))
    {
        return expand(&path, after, found);
    }
    found.insert(path);
    rest
}

#[test]
fn modules_use_only_what_the_map_allows() {
    let mut wrong = Vec::new();
    for module in modules().iter().filter(|module| !module.name.is_empty()) {
        let rule = MAY_USE
            .iter()
            .filter(|(subject, _)| below(&module.name, subject))
            .max_by_key(|(subject, _)| subject.len());
        let Some((subject, allowed)) = rule else {
            wrong.push(format!("{} is not on the map: give it a row in src/lib.rs and here", module.name));
            continue;
        };
        let is_right = |used: &String| below(used, subject) || allowed.iter().any(|may| below(used, may));
        // What a parent declares of itself is no use of a neighbour.
        let own = |used: &String| !used.contains("::") && below(&module.name, used);
        wrong.extend(
            uses(module)
                .iter()
                .filter(|used| !is_right(used) && !own(used))
                .map(|used| format!("{} uses {used}", module.name)),
        );
    }
    assert!(wrong.is_empty(), "not allowed by the map in src/lib.rs:\n  {}", wrong.join("\n  "));
}

#[test]
fn pure_modules_name_no_client_no_runtime_and_no_clock() {
    let mut wrong = Vec::new();
    for module in modules().iter().filter(|module| NO_IO.iter().any(|pure| below(&module.name, pure))) {
        wrong.extend(
            IO.iter()
                .filter(|word| module.code.contains(**word))
                .map(|word| format!("{} names {word}", module.name)),
        );
    }
    assert!(wrong.is_empty(), "pure modules do no I/O:\n  {}", wrong.join("\n  "));
}

#[test]
fn only_the_door_reaches_the_api_server() {
    let mut wrong = Vec::new();
    for module in modules() {
        let api = ["kube::Api", "Api<", "Api::"].iter().any(|word| module.code.contains(word));
        // The controller hands the client to one watch and asks for nothing with it.
        if api && !below(&module.name, "cluster") && module.name != "controller" {
            wrong.push(format!("{} names kube's Api", module.name));
        }
        let build_knows = below(&module.name, "build")
            && ["kube::", "k8s_openapi", "crate::crd"].iter().any(|word| module.code.contains(word));
        if build_knows {
            wrong.push(format!("{} knows Kubernetes: it runs in a pod without rights", module.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every program that is started. What ssh is to run is for the host of the repository.
const PROGRAMS: [&str; 5] = ["buildctl", "buildkitd", "git", "rootlesskit", "ssh"];

/// How a shell would be named.
const SHELLS: [&str; 6] = ["\"sh\"", "\"bash\"", "\"ash\"", "\"dash\"", "/bin/sh", "/bin/bash"];

/// Variables whose value Git gives to a shell.
const READ_BY_A_SHELL: [&str; 7] = [
    "GIT_SSH_COMMAND",
    "GIT_ASKPASS",
    "GIT_EDITOR",
    "GIT_SEQUENCE_EDITOR",
    "GIT_PAGER",
    "GIT_EXTERNAL_DIFF",
    "GIT_PROXY_COMMAND",
];

#[test]
fn what_people_write_reaches_no_shell_of_ours() {
    let mut wrong = Vec::new();
    let mut started = BTreeSet::new();
    for module in modules() {
        for call in module.code.split("Command::new(").skip(1) {
            let program = call.split(')').next().unwrap_or_default().trim();
            match program.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
                Some(name) => drop(started.insert(name.to_owned())),
                None => wrong.push(format!("{} starts {program}, which is no fixed name", module.name)),
            }
        }
        let has = |words: &[&str]| words.iter().any(|word| module.code.contains(word));
        if has(&["Command as ", "process::exec", "libc::"]) {
            wrong.push(format!("{} could start programs unseen", module.name));
        }
        // The texts of Dockerfiles: there a line for the shell is what was asked for, and it runs in a step of the build or
        // as the program. What chooses them starts nothing itself.
        let writes = ["build::dockerfile", "build::detect"].iter().any(|room| below(&module.name, room));
        if writes && has(&["Command::new("]) {
            wrong.push(format!("{} starts a program", module.name));
        }
        if has(&SHELLS) && !writes {
            wrong.push(format!("{} names a shell", module.name));
        }
        // Its value there is the place of a file that this program chose (`build::git::tests`).
        if has(&READ_BY_A_SHELL) && module.name != "build::git::access" {
            wrong.push(format!("{} gives Git a command", module.name));
        }
    }
    assert_eq!(started, BTreeSet::from(PROGRAMS.map(str::to_owned)), "the programs that are started");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_can_be_read_in_one_go() {
    let mut wrong = Vec::new();
    for module in modules() {
        if module.lines > LONGEST {
            wrong.push(format!("{} has {} lines, more than {LONGEST}", module.path.display(), module.lines));
        }
        if module.path.ends_with("mod.rs") {
            wrong.push(format!("{}: name it after its module", module.path.display()));
        }
        let vague = ["utils", "util", "manager", "helpers", "helper", "common", "misc"];
        if module.name.rsplit("::").next().is_some_and(|last| vague.contains(&last)) {
            wrong.push(format!("{}: the name says nothing", module.path.display()));
        }
        if !module.name.is_empty() && !fs::read_to_string(&module.path).unwrap().starts_with("//! ") {
            wrong.push(format!("{} does not say what it is", module.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn paths_are_read_as_rust_reads_them() {
    let module = |name: &str, code: &str| Module {
        name: name.to_owned(),
        path: PathBuf::new(),
        code: code.to_owned(),
        lines: 1,
    };
    let read = |name: &str, code: &str| uses(&module(name, code)).into_iter().collect::<Vec<_>>();
    assert_eq!(read("a::b", "use crate::x::{y, z::{self, W}};"), ["x::y", "x::z", "x::z::W"]);
    assert_eq!(
        read("a::b::c", "super::super::q::f(); use super::{d, e::G};"),
        ["a::b::d", "a::b::e::G", "a::q::f"]
    );
    assert_eq!(read("a", "use crate::{b, c::D};\nlet x = crate::e::f();"), ["b", "c::D", "e::f"]);
    assert_eq!(read("a", "pub(in crate::node) fn f() {}"), ["node"]);
}
