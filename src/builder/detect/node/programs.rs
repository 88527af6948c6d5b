//! Whether the start command needs a devDependency.

use super::Source;

/// Programs whose packages have other names.
const PROGRAMS: [(&str, &str); 32] = [
    ("babel-node", "@babel/node"),
    ("dotenv", "dotenv-cli"),
    ("dotenvx", "@dotenvx/dotenvx"),
    ("drizzle-kit", "drizzle-kit"),
    ("ember", "ember-cli"),
    ("keystone", "@keystone-6/core"),
    ("mastra", "mastra"),
    ("medusa", "@medusajs/cli"),
    ("nest", "@nestjs/cli"),
    ("ng", "@angular/cli"),
    ("nuxi", "nuxt"),
    ("pm2-runtime", "pm2"),
    ("prisma", "prisma"),
    ("react-router-serve", "@react-router/serve"),
    ("remix-serve", "@remix-run/serve"),
    ("rsbuild", "@rsbuild/core"),
    ("run-p", "npm-run-all"),
    ("run-p", "npm-run-all2"),
    ("run-s", "npm-run-all"),
    ("run-s", "npm-run-all2"),
    ("sequelize", "sequelize-cli"),
    ("shopify", "@shopify/cli"),
    ("sirv", "sirv-cli"),
    ("strapi", "@strapi/strapi"),
    ("swc-node", "@swc-node/register"),
    ("tsc", "typescript"),
    ("ts-node-dev", "ts-node-dev"),
    ("ts-node-esm", "ts-node"),
    ("tsnd", "ts-node-dev"),
    ("typeorm", "typeorm"),
    ("typeorm-ts-node-commonjs", "typeorm"),
    ("vue-cli-service", "@vue/cli-service"),
];

/// Programs of the system, of Node and of the shell.
const SYSTEM: [&str; 28] = [
    "[", "bash", "bun", "cat", "cd", "chmod", "cp", "deno", "echo", "env", "exec", "export", "false", "grep",
    "kill", "ls", "mkdir", "mv", "node", "printf", "rm", "set", "sh", "sleep", "test", "touch", "trap",
    "true",
];

/// The package that the command needs and that pruning would remove, after the word of the command that needs it.
pub(super) fn pruned(source: &Source<'_>, command: &[String]) -> Option<(String, String)> {
    let dev: Vec<String> = source
        .packages()
        .flat_map(|package| {
            let (_, dev) = package.names();
            dev.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    if dev.is_empty() {
        return None;
    }
    let kept = |name: &str| source.packages().any(|package| package.keeps(name));
    let line = command.join(" ");
    let words = line.split(|char: char| char.is_whitespace() || "\"'=;&|()<>,".contains(char));
    for word in words.filter(|word| !word.is_empty()) {
        let named = package_of(word);
        let others = PROGRAMS.iter().filter(|(program, _)| *program == named).map(|(_, package)| *package);
        for package in others.chain([named]) {
            if dev.iter().any(|known| known == package) && !kept(package) {
                return Some((word.to_owned(), package.to_owned()));
            }
        }
    }
    imported(source, command, &dev).or_else(|| unknown(source, command))
}

/// A package that the file which is started imports.
fn imported(source: &Source<'_>, command: &[String], dev: &[String]) -> Option<(String, String)> {
    let file = command.iter().map(|word| word.trim_start_matches("./")).find(|word| {
        [".js", ".mjs", ".cjs", ".ts", ".mts"].iter().any(|end| word.ends_with(end)) && source.tree.has(word)
    })?;
    let text = source.tree.text(file).ok()??;
    let imports = |name: &&String| {
        ["'", "\""].iter().any(|quote| {
            ["from ", "require(", "import ", "import("].iter().any(|before| {
                text.contains(&format!("{before}{quote}{name}{quote}"))
                    || text.contains(&format!("{before}{quote}{name}/"))
            })
        })
    };
    dev.iter()
        .filter(|name| !name.starts_with("@types/"))
        .find(imports)
        .map(|name| (file.to_owned(), name.clone()))
}

/// A program that, by its name, belongs to no kept package.
fn unknown(source: &Source<'_>, command: &[String]) -> Option<(String, String)> {
    let first = command.iter().find(|word| *word != "env" && !word.contains('='))?;
    let program = first.as_str();
    let is_kept = source.packages().any(|package| {
        let (mut kept, _) = package.names();
        kept.any(|name| name == program || name.rsplit('/').next() == Some(program))
            || PROGRAMS.iter().any(|(known, name)| *known == program && package.keeps(name))
    });
    let known = program.contains('/') || SYSTEM.contains(&program) || is_kept;
    (!known).then(|| (program.to_owned(), "a package with another name".to_owned()))
}

/// The package that a word names: a program of it, a file in it, or itself.
fn package_of(word: &str) -> &str {
    let word = word.trim_start_matches("./");
    let word =
        word.strip_prefix("node_modules/").map_or(word, |rest| rest.strip_prefix(".bin/").unwrap_or(rest));
    let mut ends = word.match_indices('/').map(|(at, _)| at);
    let end = if word.starts_with('@') { ends.nth(1) } else { ends.next() };
    end.map_or(word, |end| &word[..end])
}

#[cfg(test)]
mod tests {
    use super::package_of;

    #[test]
    fn the_package_of_a_command_word_is_found() {
        for (word, package) in [
            ("tsx", "tsx"),
            ("ts-node/register", "ts-node"),
            ("node_modules/.bin/tsx", "tsx"),
            ("./node_modules/ts-node/dist/bin.js", "ts-node"),
            ("@swc-node/register/esm", "@swc-node/register"),
            ("server.ts", "server.ts"),
        ] {
            assert_eq!(package_of(word), package);
        }
    }
}
