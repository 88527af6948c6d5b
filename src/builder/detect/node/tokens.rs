//! Variables that the configuration of a package manager uses, such as `${NPM_TOKEN}`.

use super::super::findings::Findings;
use super::super::names::is_identifier;
use super::Source;

/// The files that package managers replace variables in.
const FILES: [&str; 4] = [".npmrc", ".yarnrc.yml", ".yarnrc", "bunfig.toml"];

/// A variable, and where it is used.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    name: String,
    line: usize,
}

/// Warns about variables without a value.
pub(super) fn warn(source: &Source<'_>, findings: &mut Findings) {
    let given =
        |name: &str| source.settings.args.contains_key(name) || source.settings.secrets.contains(name);
    let mut trees = vec![source.tree];
    trees.extend(source.is_member().then(|| source.tree.source()));
    for (tree, file) in trees.into_iter().flat_map(|tree| FILES.map(|file| (tree, file))) {
        for Asked { name, line } in asked(&tree.head(file)) {
            if !given(&name) {
                findings.warn(format!(
                    "{file}, line {line}, uses {name}, which has no value while packages are installed; name a Secret \
                     in spec.build.secrets under {name}"
                ));
            }
        }
    }
}

/// The variables of a text without a default.
fn asked(text: &str) -> Vec<Asked> {
    let mut found: Vec<Asked> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = if line.trim_start().starts_with(['#', ';']) { "" } else { line };
        for (at, _) in line.match_indices("${") {
            let Some(name) = line[at + 2..].split('}').next().filter(|name| is_identifier(name)) else {
                continue;
            };
            if !found.iter().any(|asked| asked.name == name) {
                found.push(Asked { name: name.to_owned(), line: index + 1 });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_without_a_default_is_reported_with_its_line() {
        let text = "# ${OLD}\nregistry=https://r.example/\n//r.example/:_authToken=${NPM_TOKEN}\nx=${NPM_TOKEN}\ny=${A:-b}${B-c}";
        assert_eq!(asked(text), [Asked { name: "NPM_TOKEN".into(), line: 3 }]);
        assert_eq!(asked("npmAuthToken: \"${TOKEN:-}\""), []);
    }
}
