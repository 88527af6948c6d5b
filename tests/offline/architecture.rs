//! The import rules: which modules may use which, which modules are pure, and how files must look. The tests read the
//! text of `src/` without its tests, and understand only paths of Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of this crate that a module may use besides itself and its submodules; this is the only place that
/// defines it. The longest matching name counts. Rows must not form a cycle, and every grant must be used.
const MAY_USE: &[(&str, &[&str])] = &[
    // Base.
    ("text", &[]),
    ("quantity", &[]),
    ("distribution", &[]),
    ("protocol", &[]),
    ("crd", &["protocol::framework", "protocol::order::Strategy", "text"]),
    ("version", &["protocol::order"]),
    ("request", &["crd::annotations"]),
    ("project", &["crd", "version", "protocol::order"]),
    (
        "platform",
        &["crd", "project", "quantity", "protocol::builder_key", "protocol::order", "protocol::proxies"],
    ),
    // Memory and desired objects.
    (
        "memory",
        &[
            "crd::annotations",
            "crd::conditions",
            "crd::init_command::InitCommand",
            "crd::run::Security",
            "crd::status::TriggerKind",
            "protocol::report",
            "text",
        ],
    ),
    ("desired", &["crd", "project", "platform", "memory", "quantity", "version", "protocol"]),
    ("memory::revisions", &["memory", "project", "desired::meta", "desired::names"]),
    // Access to the API server.
    (
        "cluster",
        &["crd", "project", "desired::names", "desired::service", "protocol::lost_list", "version", "text"],
    ),
    ("cluster::events", &["cluster", "crd", "desired::names", "text"]),
    ("cluster::counted", &["metrics"]),
    ("metrics", &[]),
    // The loop, in its order. Its I/O goes through `cluster`.
    ("reconcile::observed", &["crd", "image_cleanup::observed", "memory", "protocol", "text"]),
    (
        "reconcile::facts",
        &["reconcile::observed", "crd", "project", "memory", "desired", "version", "protocol", "text"],
    ),
    (
        "reconcile::observe",
        &[
            "cluster",
            "reconcile::facts",
            "reconcile::observed",
            "build_queue",
            "build_queue::schedule",
            "image_cleanup::facts",
            "image_cleanup::observed",
            "project",
            "platform",
            "memory",
            "memory::revisions",
            "desired",
        ],
    ),
    ("reconcile::target", &["reconcile::observed", "project", "memory", "version"]),
    (
        "reconcile::decide",
        &[
            "reconcile::target",
            "reconcile::observed",
            "crd",
            "project",
            "memory",
            "desired::names",
            "version",
            "protocol",
            "text",
        ],
    ),
    (
        "reconcile::act",
        &[
            "cluster",
            "reconcile::observed",
            "reconcile::facts",
            "reconcile::decide",
            "build_queue",
            "image_cleanup::job",
            "config",
            "project",
            "platform",
            "memory",
            "memory::revisions",
            "desired",
            "version",
            "protocol",
        ],
    ),
    // An event as data. `reconcile::report` publishes it.
    (
        "reconcile::status",
        &[
            "cluster::events::Happening",
            "reconcile::target",
            "reconcile::observed",
            "reconcile::facts",
            "crd",
            "project",
            "memory",
            "desired::names",
            "desired::meta",
            "version",
            "protocol::build_target",
            "text",
        ],
    ),
    (
        "reconcile::report",
        &["cluster", "reconcile::status", "reconcile::observed", "crd", "metrics", "project", "text"],
    ),
    (
        "reconcile",
        &[
            "reconcile::observe",
            "reconcile::observed",
            "reconcile::decide",
            "reconcile::act",
            "reconcile::status",
            "reconcile::report",
            "build_queue",
            "cluster",
            "config",
            "backoff",
            "status_debounce",
            "crd",
            "metrics",
            "project",
            "platform",
            "memory",
        ],
    ),
    // Beside the loop.
    (
        "build_queue",
        &[
            "build_queue::schedule",
            "build_queue::ownership",
            "build_queue::places",
            "image_cleanup::plan",
            "reconcile::facts",
            "cluster",
            "config",
            "project",
        ],
    ),
    ("build_queue::schedule", &["reconcile::facts", "desired::names"]),
    ("build_queue::ownership", &["desired::names"]),
    ("build_queue::places", &["build_queue::schedule", "desired::names"]),
    (
        "builder_pods",
        &[
            "build_queue",
            "build_queue::schedule",
            "cluster",
            "desired",
            "platform",
            "project",
            "protocol::builder_key",
            "builder_pods::plan",
        ],
    ),
    (
        "builder_pods::plan",
        &[
            "build_queue::schedule",
            "cluster::builder_jobs",
            "desired",
            "protocol::builder_key",
            "reconcile::facts",
        ],
    ),
    ("image_cleanup::observed", &[]),
    ("image_cleanup::job", &["project", "platform", "memory", "desired", "protocol"]),
    (
        "image_cleanup::facts",
        &[
            "image_cleanup::job",
            "image_cleanup::observed",
            "reconcile::facts",
            "project",
            "platform",
            "memory",
            "memory::revisions",
            "desired::names",
            "protocol::order",
        ],
    ),
    (
        "image_cleanup::plan",
        &[
            "image_cleanup::facts",
            "image_cleanup::job",
            "reconcile::facts",
            "reconcile::observed",
            "desired",
            "protocol::order",
        ],
    ),
    ("image_cleanup", &[]),
    // What people see: derived from the resource and the memory, with the rules of the loop.
    (
        "view",
        &[
            "crd",
            "desired::names",
            "memory",
            "memory::revisions",
            "project",
            "reconcile::observed",
            "reconcile::target",
            "text",
            "version",
        ],
    ),
    ("status_debounce", &["project"]),
    ("backoff", &["project"]),
    ("config", &["platform", "protocol::lost_list", "protocol::order", "protocol::proxies"]),
    ("election", &["cluster", "election::lease", "election::times", "text"]),
    ("election::lease", &["election::times"]),
    ("election::times", &[]),
    (
        "controller",
        &[
            "reconcile",
            "build_queue",
            "builder_pods",
            "cluster",
            "crd",
            "election",
            "metrics",
            "project",
            "text",
        ],
    ),
    ("probes", &["build_queue::admit", "build_queue::schedule", "reconcile", "election", "metrics"]),
    // Separate processes.
    (
        "cli",
        &[
            "builder::explain",
            "crd",
            "desired::names",
            "distribution",
            "memory",
            "project",
            "protocol::order",
            "protocol::registry_token",
            "protocol::source_upload",
            "quantity",
            "request",
            "text",
            "version",
            "view",
        ],
    ),
    ("builder", &["distribution", "protocol", "version", "text"]),
    ("gc", &["cluster", "gc::references", "gc::choose", "gc::registry", "protocol::lost_list"]),
    ("gc::references", &["crd", "desired::names", "desired::job_env", "memory::revisions"]),
    ("gc::choose", &["gc::references", "protocol::order"]),
    ("gc::registry", &["distribution", "protocol::registry_token"]),
    (
        "registry_proxy",
        &[
            "registry_proxy::access",
            "cluster::token_reviews",
            "distribution",
            "protocol::registry_token",
            "text",
        ],
    ),
    ("registry_proxy::access", &["distribution", "text"]),
    (
        "server",
        &[
            "cluster::counted",
            "crd",
            "desired::names",
            "memory::ledger",
            "metrics::Requests",
            "request",
            "text",
            "view",
        ],
    ),
];

/// Pure modules: the same input yields the same output.
const NO_IO: &[&str] = &[
    "text",
    "distribution",
    "quantity",
    "protocol::framework",
    "protocol::order::cleanup",
    "protocol::reason",
    "protocol::report",
    "protocol::build_target",
    "protocol::builder_key",
    "crd",
    "version",
    "project",
    "platform",
    "memory",
    "metrics",
    "desired",
    "status_debounce",
    "backoff",
    "election::times",
    "election::lease",
    "reconcile::observed",
    "reconcile::target",
    "reconcile::decide",
    "reconcile::facts",
    "reconcile::status",
    "build_queue::schedule",
    "build_queue::ownership",
    "build_queue::places",
    "builder_pods::plan",
    "image_cleanup",
    "view",
    "gc::choose",
    "gc::references",
    "registry_proxy::access",
    "server::ansi",
    "server::answers",
    "server::body",
    "server::asked",
    "server::body_tree",
    "server::caller",
    "server::cors",
    "server::labels",
    "server::log_cursor",
    "server::log_lines",
    "server::log_sources",
    "server::metrics",
    "server::precondition",
    "server::problem",
    "server::production",
    "server::refusal",
    "server::site",
    "server::size",
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

/// Longest file in lines, without unit tests. Most have under 300. A file with a single idea is not split to meet a
/// number.
const LONGEST: usize = 460;

struct Module {
    /// `reconcile::decide`; empty for the root.
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
        let is_program = inside.starts_with("bin::");
        let name = if inside == "lib" || inside == "main" || is_program { String::new() } else { inside };
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

/// Every path of this crate that a module names, from the root on: `build::order::Order`.
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
    // A module names the modules that it declares without `crate`.
    for line in module.code.lines() {
        let words = line.strip_prefix("pub ").unwrap_or(line);
        let tree = words.strip_prefix("use ").filter(|tree| !tree.starts_with("crate::"));
        let declares = |tree: &&str| {
            let child = tree.split("::").next().unwrap_or_default();
            module.code.lines().any(|line| line.ends_with(&format!("mod {child};")))
        };
        if let Some(tree) = tree.filter(declares) {
            let at = module.code.find(tree).unwrap_or_default();
            expand(&module.name, &module.code[at..], &mut found);
        }
    }
    found
}

/// Expands `a::{b, c::{d}}` after `base`; returns the text after the tree.
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
            assert!(rest.len() < before, "cannot parse the use of {path}");
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

/// The table row of a module.
fn row(name: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    MAY_USE.iter().filter(|(subject, _)| below(name, subject)).max_by_key(|(subject, _)| subject.len())
}

/// The paths of other rows that a module uses, each with its row.
fn uses_of_others(module: &Module) -> Vec<(String, &'static str)> {
    let subject = row(&module.name).map(|(subject, _)| *subject);
    // A module's own path and its parents do not count as other modules.
    let own = |used: &String| below(&module.name, used);
    let used = uses(module).into_iter().filter(|used| !own(used));
    let of = used.filter_map(|used| {
        let (of, _) = row(&used)?;
        Some((used, *of))
    });
    of.filter(|(_, of)| Some(*of) != subject).collect()
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for module in modules().iter().filter(|module| !module.name.is_empty()) {
        let Some((_, allowed)) = row(&module.name) else {
            wrong.push(format!("{} is not in the table: give it a row here", module.name));
            continue;
        };
        for (used, of) in uses_of_others(module) {
            // A grant applies to its own row, not to a row below it.
            let may = |grant: &&&str| below(&used, grant) && row(grant).is_some_and(|(row, _)| *row == of);
            if !allowed.iter().any(|grant| may(&grant)) {
                wrong.push(format!("{} uses {used}", module.name));
            }
        }
    }
    assert!(wrong.is_empty(), "not allowed by the table:\n  {}", wrong.join("\n  "));
}

#[test]
fn every_grant_in_the_table_is_used() {
    let modules = modules();
    let mut unused = Vec::new();
    for (subject, allowed) in MAY_USE {
        let of_row =
            || modules.iter().filter(|module| row(&module.name).is_some_and(|(of, _)| of == subject));
        let used: Vec<String> = of_row().flat_map(uses_of_others).map(|(used, _)| used).collect();
        let idle = allowed.iter().filter(|grant| !used.iter().any(|used| below(used, grant)));
        unused.extend(idle.map(|grant| format!("{subject} does not use {grant}")));
        // A row whose module no longer exists is stale.
        assert!(of_row().next().is_some(), "the table has a row for {subject}, which does not exist");
    }
    assert!(
        unused.is_empty(),
        "these grants are unused; remove them from the table:\n  {}",
        unused.join("\n  ")
    );
}

#[test]
fn no_two_modules_use_each_other() {
    let modules = modules();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for module in &modules {
        if let Some((subject, _)) = row(&module.name) {
            edges.entry(subject).or_default().extend(uses_of_others(module).iter().map(|(_, of)| *of));
        }
    }
    assert_eq!(circle(&edges), None, "modules form a cycle");
    let two = BTreeMap::from([
        ("a", BTreeSet::from(["b"])),
        ("b", BTreeSet::from(["c"])),
        ("c", BTreeSet::from(["b"])),
    ]);
    assert_eq!(circle(&two).as_deref(), Some("b → c → b"), "the search finds a cycle");
}

/// The first cycle among the edges.
fn circle(edges: &BTreeMap<&str, BTreeSet<&str>>) -> Option<String> {
    fn walk<'a>(
        at: &'a str,
        edges: &BTreeMap<&'a str, BTreeSet<&'a str>>,
        path: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<String> {
        if let Some(from) = path.iter().position(|there| *there == at) {
            return Some(path[from..].iter().chain([&at]).copied().collect::<Vec<_>>().join(" → "));
        }
        if !done.contains(at) {
            path.push(at);
            let next = edges.get(at).into_iter().flatten();
            let found = next.copied().find_map(|next| walk(next, edges, path, done));
            if found.is_some() {
                return found;
            }
            path.pop();
            done.insert(at);
        }
        None
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|start| walk(start, edges, &mut vec![], &mut done))
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
fn only_the_cluster_module_and_the_doors_of_the_cli_and_the_http_api_reach_the_api_server() {
    let mut wrong = Vec::new();
    let doors =
        ["callers", "children", "feed", "pod_logs", "rights", "writes"].map(|door| format!("server::{door}"));
    for module in modules() {
        let api = ["kube::Api", "Api<", "Api::"].iter().any(|word| module.code.contains(word));
        // The CLI and the HTTP API are other programs, with the rights of their users.
        if api
            && !below(&module.name, "cluster")
            && !below(&module.name, "cli::door")
            && !doors.contains(&module.name)
        {
            wrong.push(format!("{} names kube's Api", module.name));
        }
        let build_knows = below(&module.name, "builder")
            && ["kube::", "k8s_openapi", "crate::crd"].iter().any(|word| module.code.contains(word));
        if build_knows {
            wrong.push(format!("{} uses Kubernetes, but it runs in a pod without permissions", module.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every program that the code starts. The command that ssh gets runs on the host of the repository.
const PROGRAMS: [&str; 7] = ["buildctl", "buildkitd", "git", "open", "rootlesskit", "ssh", "xdg-open"];

/// Names of shells.
const SHELLS: [&str; 6] = ["\"sh\"", "\"bash\"", "\"ash\"", "\"dash\"", "/bin/sh", "/bin/bash"];

/// Variables whose value Git passes to a shell.
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
fn user_input_never_reaches_a_shell_of_the_operator() {
    let mut wrong = Vec::new();
    let mut started = BTreeSet::new();
    for module in modules() {
        for call in module.code.split("Command::new(").skip(1) {
            let program = call.split(')').next().unwrap_or_default().trim();
            match program.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
                Some(name) => drop(started.insert(name.to_owned())),
                None => wrong.push(format!("{} starts {program}, which is not a fixed name", module.name)),
            }
        }
        let has = |words: &[&str]| words.iter().any(|word| module.code.contains(word));
        if has(&["Command as ", "process::exec", "libc::"]) {
            wrong.push(format!("{} could start programs that this test does not see", module.name));
        }
        // These modules write Dockerfiles, which contain shell lines on purpose. Those lines run in a build step or in
        // the app. The modules must not start a program themselves.
        let writes = ["builder::dockerfile", "builder::detect"].iter().any(|room| below(&module.name, room));
        if writes && has(&["Command::new("]) {
            wrong.push(format!("{} starts a program", module.name));
        }
        if has(&SHELLS) && !writes {
            wrong.push(format!("{} names a shell", module.name));
        }
        // There the value is the path of a file that this program chose (`builder::git::tests`).
        if has(&READ_BY_A_SHELL) && module.name != "builder::git::access" {
            wrong.push(format!("{} passes a command to Git", module.name));
        }
    }
    assert_eq!(started, BTreeSet::from(PROGRAMS.map(str::to_owned)), "the programs that the code starts");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn source_files_are_short_well_named_and_documented() {
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
            wrong.push(format!("{}: the name is too vague", module.path.display()));
        }
        if !module.name.is_empty() && !fs::read_to_string(&module.path).unwrap().starts_with("//! ") {
            wrong.push(format!("{} has no `//!` header", module.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn use_paths_are_parsed_as_rust_parses_them() {
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
    assert_eq!(read("a", "mod b;\nuse b::{\n    C, d::E,\n};\nuse f::G;"), ["a::b::C", "a::b::d::E"]);
}
