//! Resolves the package managers in a script of package.json: as process 1, each of them would lose SIGTERM, and with
//! it every request in progress.

use super::super::names::{is_path, resolved};
use super::super::tree::Tree;
use super::package::Package;
use super::workspace::Workspace;

/// How deep scripts that run scripts are followed.
const MAX_DEPTH: usize = 8;
/// The longest line that is taken.
const MAX_LINE: usize = 4000;

/// Options that do not affect the started program.
const QUIET: [&str; 6] = ["--silent", "-s", "--quiet", "-q", "--if-present", "--bun"];

/// What follows scripts, from the root of the packages on.
pub(super) struct Scripts<'a> {
    pub(super) root: Tree<'a>,
    pub(super) workspace: Option<&'a Workspace>,
    /// The package manager runs `prestart` before `start`.
    pub(super) before: bool,
}

/// A script of a package that a command runs.
struct Call {
    directory: String,
    script: String,
    arguments: String,
}

impl Scripts<'_> {
    /// The resolved script of the package in `directory`; None if it has none, or if its line is not fit for a
    /// Dockerfile.
    pub(super) fn line(&self, directory: &str, script: &str) -> Option<String> {
        let line = self.script(directory, script, MAX_DEPTH)?;
        is_plain(&line).then_some(line)
    }

    /// Resolves a line that is not a script, such as one of a Procfile.
    pub(super) fn expand(&self, directory: &str, line: &str) -> String {
        let expanded = self.commands(directory, line, MAX_DEPTH);
        if is_plain(&expanded) { expanded } else { line.to_owned() }
    }

    fn script(&self, directory: &str, name: &str, depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        let package = self.package(directory)?;
        let line = package.scripts.get(name).filter(|line| is_plain(line.trim()))?;
        let line = self.commands(directory, line, depth);
        let before =
            package.scripts.get(&format!("pre{name}")).filter(|line| self.before && is_plain(line.trim()));
        Some(match before {
            Some(before) => format!("{} && {line}", group(&self.commands(directory, before, depth))),
            None => line,
        })
    }

    fn package(&self, directory: &str) -> Option<Package> {
        let file = if directory.is_empty() {
            "package.json".to_owned()
        } else {
            format!("{directory}/package.json")
        };
        if directory.is_empty() {
            return Package::read(self.root).ok().flatten();
        }
        self.root.json(&file).ok().flatten()
    }

    /// Resolves each command of a list. If more than `&&` joins them, the line stays unchanged.
    fn commands(&self, directory: &str, line: &str, depth: usize) -> String {
        let Some(commands) = chain(line) else { return line.trim().to_owned() };
        let mut here = directory.to_owned();
        let mut resolved = Vec::new();
        for (index, command) in commands.iter().enumerate() {
            let last = index + 1 == commands.len();
            if let Some(path) = command.strip_prefix("cd ").map(|path| path.trim().trim_matches(['"', '\'']))
            {
                match below(&here, path) {
                    Some(path) => here = path,
                    None => return line.trim().to_owned(),
                }
            }
            resolved.push(self.command(&here, command, depth, last));
        }
        resolved.join(" && ")
    }

    /// Resolves a single command: the script that it runs, or the command without its launcher.
    fn command(&self, here: &str, command: &str, depth: usize, last: bool) -> String {
        let words: Vec<&str> = command.split_whitespace().collect();
        let is_variable = |word: &&&str| {
            word.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            })
        };
        let mut variables: Vec<&str> = words.iter().take_while(is_variable).copied().collect();
        let mut rest = &words[variables.len()..];
        if rest.first().is_some_and(|word| ["cross-env", "cross-env-shell"].contains(word))
            && !command.contains(['"', '\''])
        {
            let more: Vec<&str> = rest[1..].iter().take_while(is_variable).copied().collect();
            rest = &rest[1 + more.len()..];
            variables.extend(more);
        }
        if rest.is_empty() {
            return command.trim().to_owned();
        }
        let with = |line: String| {
            if variables.is_empty() {
                line
            } else if chain(&line).is_some_and(|commands| commands.len() == 1) {
                format!("{} {line}", variables.join(" "))
            } else {
                format!("export {} && {line}", variables.join(" "))
            }
        };
        let call = self.call(here, rest);
        let called = call.and_then(|call| {
            let line = self.script(&call.directory, &call.script, depth)?;
            let line = if call.arguments.is_empty() { line } else { format!("{line} {}", call.arguments) };
            let line =
                if call.directory == here { line } else { format!("cd /app/{} && {line}", call.directory) };
            Some(line)
        });
        let line = match called {
            Some(line) => with(line.replace("cd /app/ &&", "cd /app &&")),
            None => with(program(rest)),
        };
        if last { line } else { group(&line) }
    }

    /// The script that a command of a package manager runs.
    fn call(&self, here: &str, words: &[&str]) -> Option<Call> {
        let (runner, words) = words.split_first()?;
        let known = ["npm", "pnpm", "yarn", "bun", "node", "turbo", "nx", "yarnpkg"];
        if !known.contains(runner) {
            // Launchers that only find one of them.
            let found =
                ["npx", "bunx"].contains(runner) && words.first().is_some_and(|word| known.contains(word));
            return if found { self.call(here, words) } else { None };
        }
        let mut directory = here.to_owned();
        let mut plain: Vec<&str> = Vec::new();
        let mut arguments: Vec<&str> = Vec::new();
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let (name, value) =
                word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            match name {
                "--" => {
                    arguments.extend(words.by_ref());
                }
                "--prefix" | "-C" | "--cwd" | "--dir" if plain.is_empty() || *runner == "npm" => {
                    directory = below(here, value.or_else(|| words.next())?)?;
                }
                "--workspace" | "-w" | "--filter" | "-F" if !(*runner == "pnpm" && name == "-w") => {
                    directory = self.member(value.or_else(|| words.next())?)?;
                }
                "workspace" if *runner == "yarn" && plain.is_empty() => {
                    directory = self.member(words.next()?)?;
                }
                "--run" if *runner == "node" && plain.is_empty() => plain.push("run"),
                _ if QUIET.contains(&word) => {}
                _ if word.starts_with('-') && plain.len() < 2 => return None,
                _ => plain.push(word),
            }
        }
        let script = match (*runner, plain.as_slice()) {
            ("node", ["run", script]) | ("npm", [script @ ("start" | "stop" | "restart" | "test")]) => {
                *script
            }
            ("npm", ["start", rest @ ..]) => {
                arguments.splice(0..0, rest.iter().copied());
                "start"
            }
            (
                "npm" | "pnpm" | "yarn" | "bun" | "yarnpkg" | "turbo",
                ["run" | "run-script", script, rest @ ..],
            )
            | ("pnpm" | "yarn" | "yarnpkg" | "turbo", [script, rest @ ..]) => {
                arguments.splice(0..0, rest.iter().copied());
                *script
            }
            ("nx", ["run", target]) => {
                let (name, script) = target.split_once(':')?;
                directory = self.member(name)?;
                script
            }
            ("nx", [script, name]) => {
                directory = self.member(name)?;
                *script
            }
            _ => return None,
        };
        if *runner == "turbo" && directory == here {
            directory = self.only(script)?;
        }
        Some(Call { directory, script: script.to_owned(), arguments: arguments.join(" ") })
    }

    /// The directory of a member, by its name or its path.
    fn member(&self, text: &str) -> Option<String> {
        let text = text.trim_matches(['"', '\'']);
        let workspace = self.workspace?;
        let path = text.trim_start_matches("./").trim_matches(['{', '}']);
        workspace.named(text).or_else(|| workspace.at(path)).map(|member| member.path.clone())
    }

    /// The directory of the only member that has a script.
    fn only(&self, script: &str) -> Option<String> {
        let mut members =
            self.workspace?.members.iter().filter(|member| member.package.scripts.contains_key(script));
        let member = members.next()?;
        members.next().is_none().then(|| member.path.clone())
    }
}

/// A program without its launcher: the programs of packages are on the PATH.
fn program(words: &[&str]) -> String {
    let rest = match words {
        ["npx" | "bunx", rest @ ..]
        | ["pnpm" | "yarn" | "npm", "exec", rest @ ..]
        | ["bun", "x", rest @ ..] => rest,
        ["pm2", "start", rest @ ..] => {
            // pm2 starts its program in the background, and the container would end.
            return format!("pm2-runtime start {}", rest.join(" "));
        }
        _ => words,
    };
    let rest = rest.strip_prefix(&["--"]).unwrap_or(rest);
    // With an option before the program or a version after it, the runner may download it, so the runner stays.
    let named = rest
        .first()
        .is_some_and(|word| !word.starts_with('-') && !word.trim_start_matches('@').contains('@'));
    if named { rest.join(" ") } else { words.join(" ") }
}

/// A line that stays one command within a chain of them.
fn group(line: &str) -> String {
    let moves = |command: &&str| command.starts_with("cd ") || command.starts_with("export ");
    match chain(line) {
        Some(commands) if commands.len() == 1 || !commands.iter().any(moves) => line.to_owned(),
        _ => format!("({line})"),
    }
}

/// The commands of a line that only `&&` joins; None if it uses other shell syntax.
fn chain(line: &str) -> Option<Vec<&str>> {
    let bytes = line.as_bytes();
    let mut quote = None;
    let (mut commands, mut start, mut index) = (Vec::new(), 0, 0);
    while let Some(&byte) = bytes.get(index) {
        if let Some(open) = quote {
            quote = (byte != open).then_some(open);
        } else if matches!(byte, b'"' | b'\'' | b'`') {
            quote = Some(byte);
        } else if byte == b'&' && bytes.get(index + 1) == Some(&b'&') {
            commands.push(line[start..index].trim());
            start = index + 2;
            index += 1;
        } else if matches!(byte, b'&' | b'|' | b';' | b'<' | b'>' | b'(' | b')') {
            return None;
        }
        index += 1;
    }
    commands.push(line[start..].trim());
    (quote.is_none() && !commands.iter().any(|command| command.is_empty())).then_some(commands)
}

/// A path from a directory, both relative to the root; None if it leaves the root.
fn below(here: &str, path: &str) -> Option<String> {
    let path = path.trim_matches(['"', '\'']);
    let found = match path.strip_prefix("/app") {
        Some(rest) => resolved("", rest),
        None if path.starts_with('/') => None,
        None => resolved(here, path),
    };
    found.filter(|path| path.is_empty() || is_path(path))
}

/// Whether it is one line of reasonable length.
fn is_plain(line: &str) -> bool {
    !line.is_empty() && line.len() <= MAX_LINE && !line.chars().any(char::is_control)
}

/// The directories below the root that a command changes to. Their programs must be found, too.
pub(super) fn directories(command: &[String], directory: &str) -> Vec<String> {
    let mut found = vec![directory.to_owned()];
    let mut here = directory.to_owned();
    let text = command.last().map_or("", String::as_str);
    for (at, _) in text.match_indices("cd ") {
        let path = text[at + 3..].split([' ', ')', ';', '&']).next().unwrap_or_default();
        if let Some(path) = below(&here, path) {
            here.clone_from(&path);
            found.push(path);
        }
    }
    found.push(String::new());
    let mut unique: Vec<String> = Vec::new();
    for path in found {
        if !unique.contains(&path) {
            unique.push(path);
        }
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::detect::tests::context;

    fn start(scripts: &str) -> Option<String> {
        let package = format!(r#"{{"scripts":{{{scripts}}},"workspaces":["apps/*"]}}"#);
        let dir = context(&[
            ("package.json", &package),
            (
                "apps/web/package.json",
                r#"{"name":"@x/web","scripts":{"start":"next start","prestart":"node check.js","serve":"PORT=1 npm run go -- --fast","go":"node go.js"}}"#,
            ),
            ("apps/api/package.json", r#"{"name":"api","scripts":{"serve:api":"node api.js"}}"#),
        ]);
        let root = dir.path().canonicalize().unwrap();
        let workspace = Workspace::read(Tree::new(&root)).unwrap();
        let scripts = Scripts { root: Tree::new(&root), workspace: workspace.as_ref(), before: true };
        scripts.line("", "start")
    }

    #[test]
    fn a_script_that_runs_scripts_resolves_to_its_program() {
        for (scripts, line) in [
            (r#""start":"node server.js""#, "node server.js"),
            (r#""start":"npm run serve","serve":"yarn go","go":"node a.js""#, "node a.js"),
            (r#""start":"npm run serve -- --port 80","serve":"node a.js""#, "node a.js --port 80"),
            (r#""start":"node --run serve","serve":"node a.js""#, "node a.js"),
            (r#""start":"pnpm run -s serve","serve":"node a.js""#, "node a.js"),
            (
                r#""prestart":"npm run check","check":"node c.js","start":"node a.js""#,
                "node c.js && node a.js",
            ),
            (
                r#""start":"cross-env NODE_ENV=production npm run serve","serve":"node a.js""#,
                "NODE_ENV=production node a.js",
            ),
            (r#""start":"A=1 npm run two","two":"node a && node b""#, "export A=1 && node a && node b"),
            (r#""start":"npx next start -p 3000""#, "next start -p 3000"),
            (r#""start":"npx --yes serve""#, "npx --yes serve"),
            (r#""start":"pm2 start app.js -i 2""#, "pm2-runtime start app.js -i 2"),
            (r#""start":"bun run serve","serve":"bun index.ts""#, "bun index.ts"),
            (r#""start":"bun run index.ts""#, "bun run index.ts"),
            (r#""start":"node a & npm run b","b":"node b""#, "node a & npm run b"),
        ] {
            assert_eq!(start(scripts).as_deref(), Some(line), "{scripts}");
        }
    }

    #[test]
    fn a_script_of_another_package_starts_in_its_directory() {
        for (scripts, line) in [
            (r#""start":"cd apps/web && npm start""#, "cd apps/web && node check.js && next start"),
            (r#""start":"npm run serve -w @x/web""#, "cd /app/apps/web && PORT=1 node go.js --fast"),
            (r#""start":"npm --prefix apps/api run serve:api""#, "cd /app/apps/api && node api.js"),
            (r#""start":"pnpm --filter @x/web serve""#, "cd /app/apps/web && PORT=1 node go.js --fast"),
            (r#""start":"yarn workspace api serve:api""#, "cd /app/apps/api && node api.js"),
            (r#""start":"turbo run serve:api""#, "cd /app/apps/api && node api.js"),
            (
                r#""start":"turbo run start --filter=@x/web""#,
                "cd /app/apps/web && node check.js && next start",
            ),
            (r#""start":"cd ../../etc && npm start""#, "cd ../../etc && npm start"),
        ] {
            assert_eq!(start(scripts).as_deref(), Some(line), "{scripts}");
        }
    }

    #[test]
    fn a_cycle_of_scripts_ends_and_control_characters_are_rejected() {
        assert!(start(r#""start":"npm run start""#).unwrap().starts_with("npm run"));
        assert_eq!(start(r#""start":"node a\nRUN evil""#), None);
        assert_eq!(start(r#""test":"x""#), None);
    }

    #[test]
    fn programs_are_searched_in_the_directories_of_the_command() {
        let command = |line: &str| vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()];
        assert_eq!(directories(&command("cd apps/web && exec next start"), ""), ["", "apps/web"]);
        assert_eq!(directories(&["node".to_owned()], "apps/api"), ["apps/api", ""]);
    }
}
