//! A program for Node or Bun: its Procfile, its `start` script or its main file starts it.

use super::super::findings::Findings;
use super::super::names::is_path;
use super::super::tree::Tree;
use super::super::{no_builder, procfile, step};
use super::package::Package;
use super::version::Node;
use super::{Source, Way};
use crate::builder::dockerfile::Step;
use crate::builder::dockerfile::node::{Manager, Serve};
use crate::builder::dockerfile::start;
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;

/// Usual main files of a program.
const FILES: [&str; 4] = ["server", "index", "app", "main"];
const EXTENSIONS: [&str; 5] = ["js", "mjs", "cjs", "ts", "mts"];

/// Packages that answer requests.
const SERVERS: [&str; 22] = [
    "@adonisjs/core",
    "@apollo/server",
    "@elysiajs/node",
    "@feathersjs/express",
    "@hapi/hapi",
    "@hono/node-server",
    "@koa/router",
    "@loopback/rest",
    "@nestjs/core",
    "apollo-server",
    "elysia",
    "express",
    "fastify",
    "h3",
    "hono",
    "koa",
    "polka",
    "restify",
    "sails",
    "socket.io",
    "uWebSockets.js",
    "ws",
];

/// How it is built and started.
pub(super) fn way(
    source: &Source<'_>,
    node: &Node,
    manager: &Manager,
    findings: &mut Findings,
) -> Result<Way, Failure> {
    let build = step(source.settings)
        .or_else(|| (source.has_build() || source.needs_a_build()).then_some(Step::Usual));
    let bun = matches!(manager, Manager::Bun(_)) || source.settings.framework == Some(Framework::Bun);
    let command = match line(source, findings)? {
        Some(line) => Some(start::command(&with_environment_files(&line, source.tree, node))),
        None if source.package.scripts.contains_key("start") => {
            // A script that is not fit for a Dockerfile is left to npm, which is in the image.
            Some(vec!["npm".to_owned(), "start".to_owned()])
        }
        None => match file(source.tree, &source.package) {
            Some(file) => Some(runner(&file, bun, source, node, findings)?),
            None => None,
        },
    };
    if command.is_none() {
        if source.settings.framework.is_none() {
            return Err(no_builder(
                "package.json does not say what to start. It has no \"start\" script, no known framework and no known \
                 static site builder. Its \"main\" is not a file. There is no server.js, index.js, app.js or \
                 main.js, also not in src/ or in TypeScript. Add a \"start\" script or a Dockerfile",
            ));
        }
        findings.assume(
            "no file says how the program starts: set spec.run.command, such as [node, app.js]".to_owned(),
        );
    }
    if let Some(command) = &command {
        worker(source, command, findings);
    }
    let what = if command.as_ref().is_some_and(|words| words[0] == "bun") {
        "a program for Bun"
    } else {
        "a program for Node"
    };
    let serve = Serve::Program { command };
    Ok(Way { what, build, cache: None, serve, variables: &[] })
}

/// The start command as one shell line.
fn line(source: &Source<'_>, findings: &mut Findings) -> Result<Option<String>, Failure> {
    let scripts = source.scripts();
    let directory = source.directory();
    let processes = procfile::read(source.tree)?;
    if let Some(main) = procfile::main(&processes) {
        return Ok(Some(scripts.expand(directory, &main.command)));
    }
    if source.package.scripts.contains_key("poststart") {
        findings.assume("the script \"poststart\" does not run, because the container ends with the program");
    }
    Ok(scripts.line(directory, "start"))
}

/// Makes `--env-file` optional: an environment file that is not in the image must not stop the program.
fn with_environment_files(line: &str, tree: Tree<'_>, node: &Node) -> String {
    let Some(at) = line.find("--env-file=") else { return line.to_owned() };
    let rest = &line[at + "--env-file=".len()..];
    let file = rest.split_whitespace().next().unwrap_or_default();
    if tree.has(file) && !file.contains(".env") {
        return line.to_owned();
    }
    let (before, after) = (&line[..at], &rest[file.len()..]);
    if (node.release.0, node.release.1) >= (22, 9) {
        format!("{before}--env-file-if-exists={file}{after}")
    } else {
        format!("{before}{}", after.trim_start())
    }
}

/// The file to start: one of the source, or an output of the build if `main` names it.
pub(super) fn file(tree: Tree<'_>, package: &Package) -> Option<String> {
    let main = [package.main.as_deref(), package.module.as_deref()].into_iter().flatten();
    let named =
        main.map(|path| path.trim_start_matches("./")).filter(|path| is_path(path)).find_map(|path| {
            let ends = ["", ".js", "/index.js"];
            ends.iter().map(|end| format!("{path}{end}")).find(|path| tree.has(path))
        });
    let usual = || {
        ["", "src/"].iter().find_map(|directory| {
            let mut paths = FILES.iter().flat_map(|file| {
                EXTENSIONS.iter().map(move |extension| format!("{directory}{file}.{extension}"))
            });
            paths.find(|path| tree.has(path))
        })
    };
    // The build creates `main` from other files.
    let built = package.main.as_deref().map(|path| path.trim_start_matches("./"));
    let built = built.filter(|path| {
        package.scripts.contains_key("build") && is_path(path) && path.contains('/') && path.ends_with("js")
    });
    named.or_else(|| built.map(str::to_owned)).or_else(usual)
}

/// What runs a file.
fn runner(
    file: &str,
    bun: bool,
    source: &Source<'_>,
    node: &Node,
    findings: &mut Findings,
) -> Result<Vec<String>, Failure> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    if bun {
        return Ok(words(&["bun", file]));
    }
    if !file.ends_with("ts") {
        return Ok(words(&["node", file]));
    }
    for (package, word) in
        [("tsx", "tsx"), ("ts-node", "ts-node"), ("@types/bun", "bun"), ("bun-types", "bun")]
    {
        if source.packages().any(|known| known.has(package)) {
            return Ok(words(&[word, file]));
        }
    }
    let release = (node.release.0, node.release.1);
    if release >= (23, 6) || ((22, 18)..(23, 0)).contains(&release) {
        findings.assume(format!("Node runs {file} directly and ignores its types"));
        return Ok(words(&["node", file]));
    }
    Err(no_builder(format!(
        "{file} is TypeScript, which Node {} does not run; require Node 22 or later, add tsx to the dependencies, or \
         add a \"start\" script",
        node.tag.split('-').next().unwrap_or_default()
    )))
}

/// Warns about a program that answers no requests, because its health check would fail.
fn worker(source: &Source<'_>, command: &[String], findings: &mut Findings) {
    let serves = |package: &Package| SERVERS.iter().any(|name| package.has(name));
    if source.packages().any(serves) {
        return;
    }
    let words = command.iter().flat_map(|word| word.split_whitespace());
    let file = words.map(|word| word.trim_start_matches("./")).find(|word| source.tree.has(word));
    let Some(text) = file.and_then(|file| source.tree.text(file).ok().flatten()) else { return };
    let listens = ["listen", "serve(", "createServer"].iter().any(|sign| text.contains(sign));
    // Its imports may listen.
    let imports =
        text.contains("'./") || text.contains("\"./") || text.contains("'../") || text.contains("\"../");
    if !listens && !imports {
        findings.warn(
            "the program does not seem to listen on a port; if it answers no requests, as a bot does, set \
             spec.run.health.type: None",
        );
    }
}
