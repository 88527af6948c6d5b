//! How a script calls a tool: its arguments and variables, also through `npm run` and the like.

use super::package::Package;

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Invocation {
    variables: Vec<(String, String)>,
    /// What follows the name of the tool.
    words: Vec<String>,
}

/// How deep scripts that run scripts are followed.
const DEPTH: usize = 6;

/// Words before a tool that only find it or set variables.
const RUNNERS: [&str; 14] = [
    "npx",
    "bunx",
    "pnpx",
    "pnpm",
    "yarn",
    "bun",
    "npm",
    "exec",
    "dlx",
    "x",
    "cross-env",
    "env",
    "dotenv",
    "--",
];

/// The first call of one of these tools in a line.
pub(super) fn of(package: &Package, line: &str, tools: &[&str]) -> Option<Invocation> {
    find(package, line, tools, DEPTH)
}

fn find(package: &Package, line: &str, tools: &[&str], depth: usize) -> Option<Invocation> {
    let depth = depth.checked_sub(1)?;
    commands(line).into_iter().find_map(|words| {
        let mut variables = Vec::new();
        let mut words = words.into_iter().peekable();
        let mut ran = false;
        while let Some(word) = words.next() {
            let name = word.rsplit('/').next().unwrap_or_default();
            if tools.contains(&name) {
                return Some(Invocation { variables, words: words.collect() });
            }
            if let Some((name, value)) = word.split_once('=').filter(|(name, _)| !name.starts_with('-')) {
                variables.push((name.to_owned(), value.to_owned()));
            } else if matches!(name, "run" | "run-script" | "run-s" | "run-p" | "npm-run-all") {
                ran = true;
            } else if let Some(script) = package.scripts.get(&word) {
                if let Some(mut found) = find(package, script, tools, depth) {
                    found.variables.extend(variables);
                    found.words.extend(words);
                    return Some(found);
                }
            } else if !RUNNERS.contains(&name) && !word.starts_with('-') && !ran {
                return None;
            }
        }
        None
    })
}

/// The commands of a line, in words without their quotes.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    for char in line.chars() {
        match (quote, char) {
            (Some(open), _) if char == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (None, '&' | '|' | ';' | '\n' | '(' | ')') => {
                commands.last_mut().into_iter().for_each(|words| words.extend(word.take()));
                commands.push(Vec::new());
            }
            (None, _) if char.is_whitespace() => {
                commands.last_mut().into_iter().for_each(|words| words.extend(word.take()));
            }
            _ => word.get_or_insert_default().push(char),
        }
    }
    commands.last_mut().into_iter().for_each(|words| words.extend(word.take()));
    commands
}

impl Invocation {
    /// The value of an option: `--outDir x`, `--outDir=x`.
    pub(super) fn option(&self, names: &[&str]) -> Option<&str> {
        self.words.iter().enumerate().find_map(|(at, word)| match word.split_once('=') {
            Some((name, value)) if names.contains(&name) => Some(value),
            _ if names.contains(&word.as_str()) => self.words.get(at + 1).map(String::as_str),
            _ => None,
        })
    }

    /// Whether a word is there.
    pub(super) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|known| known == word)
    }

    /// The first word after a word such as `build` that is not an option.
    pub(super) fn argument(&self, verb: &str) -> Option<&str> {
        let at = self.words.iter().position(|word| word == verb)?;
        self.words.get(at + 1).map(String::as_str).filter(|word| !word.starts_with('-'))
    }

    /// A variable that is set for this call.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(scripts: &str) -> Package {
        serde_json::from_str(&format!("{{\"scripts\":{scripts}}}")).unwrap()
    }

    #[test]
    fn a_tool_is_found_through_runners_scripts_and_variables() {
        let package =
            package(r#"{"build:app":"vite build --outDir web","site":"pnpm run build:app -- --base=/x/"}"#);
        for line in [
            "vite build --outDir web",
            "tsc -b && vite build --outDir=web",
            "cross-env NODE_ENV=production npx vite build --outDir 'web'",
            "./node_modules/.bin/vite build --outDir web",
            "npm run build:app",
            "yarn build:app",
            "run-s lint build:app",
            "pnpm site",
        ] {
            let found = of(&package, line, &["vite"]).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(found.option(&["--outDir"]), Some("web"), "{line}");
            assert!(found.has("build"), "{line}");
        }
        assert_eq!(of(&package, "npm run site", &["vite"]).unwrap().option(&["--base"]), Some("/x/"));
        for line in ["", "echo vite", "node vite.js", "npm run nothing", "vitest"] {
            assert_eq!(of(&package, line, &["vite"]), None, "{line}");
        }
    }

    #[test]
    fn arguments_and_variables_are_read_from_the_call() {
        let package = package("{}");
        let found = of(&package, "BUILD_PATH=out react-scripts build", &["react-scripts"]).unwrap();
        assert_eq!(found.variable("BUILD_PATH"), Some("out"));
        let found = of(&package, "vitepress build docs --outDir x", &["vitepress"]).unwrap();
        assert_eq!(found.argument("build"), Some("docs"));
    }

    #[test]
    fn scripts_that_call_each_other_do_not_loop() {
        let package = package(r#"{"a":"npm run b","b":"npm run a && npm run b"}"#);
        assert_eq!(of(&package, "npm run a", &["vite"]), None);
    }
}
