//! go.mod and go.work, line by line as Go reads them.

use super::super::no_builder;
use crate::builder::outcome::Failure;

/// What a go.mod says, as far as a build needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) path: Option<String>,
    /// The versions of Go that `go` and `toolchain` name: each is a minimum.
    pub(super) go: Option<Version>,
    pub(super) toolchain: Option<Version>,
    pub(super) requires: Vec<String>,
    /// Modules that a directory replaces, and the directory.
    pub(super) replaced: Vec<(String, String)>,
}

/// A version of Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) patch: Option<u32>,
}

impl Version {
    /// `1.24`, `1.24.3`, `1.25rc1`, `go1.24.3`, `v1.24`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches("go").trim_start_matches('v');
        let end = text.find(|char: char| char != '.' && !char.is_ascii_digit()).unwrap_or(text.len());
        let mut numbers = text[..end].split('.');
        let mut next = || numbers.next().filter(|number| number.len() <= 4)?.parse::<u32>().ok();
        Some(Self { major: next()?, minor: next()?, patch: next() })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

impl Module {
    /// Reads a go.mod; `file` is its name in errors.
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, Failure> {
        let mut module = Self::default();
        for (line, verb, rest) in directives(text) {
            let version = || {
                Version::parse(rest).ok_or_else(|| {
                    no_builder(format!(
                        "{file}, line {line}: {verb} names no version of Go; write one such as \"go 1.24\" (go mod edit \
                         -go=1.24)"
                    ))
                })
            };
            match verb {
                "module" => module.path = Some(unquoted(rest).to_owned()),
                "go" => module.go = Some(version()?),
                "toolchain" if rest != "default" => module.toolchain = Some(version()?),
                "require" => {
                    module
                        .requires
                        .extend(rest.split_whitespace().next().map(|path| unquoted(path).to_owned()));
                }
                "replace" => module.replaced.extend(replacement(rest)),
                _ => {}
            }
        }
        Ok(module)
    }

    /// Whether it requires a module, in any major version of it.
    pub(super) fn has(&self, path: &str) -> bool {
        let versioned = |name: &str| {
            let rest = name.strip_prefix(path)?.strip_prefix("/v")?;
            rest.bytes().all(|byte| byte.is_ascii_digit()).then_some(())
        };
        self.requires.iter().any(|name| name == path || versioned(name).is_some())
    }

    /// The last part of the module's path that is a name and no version.
    pub(super) fn name(&self) -> Option<&str> {
        let mut parts = self.path.as_deref()?.rsplit('/');
        let last = parts.next()?;
        let is_version =
            last.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        if is_version { parts.next() } else { Some(last) }
    }
}

/// The directories that a go.work uses, and the version that it requires.
pub(super) fn workspace(file: &str, text: &str) -> Result<(Vec<String>, Module), Failure> {
    let uses = directives(text).into_iter().filter(|(_, verb, _)| *verb == "use");
    Ok((uses.map(|(_, _, rest)| unquoted(rest).to_owned()).collect(), Module::parse(file, text)?))
}

/// The lines with their verb; those of a block have that of the block.
fn directives(text: &str) -> Vec<(usize, &str, &str)> {
    let mut block = None;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match (block, rest.trim()) {
            _ if line.is_empty() => {}
            (_, "(") => block = Some(verb),
            (None, _) if line.ends_with('(') => block = Some(line.trim_end_matches('(')),
            (Some(_), _) if line == ")" => block = None,
            (Some(verb), _) => found.push((index + 1, verb, line)),
            (None, rest) => found.push((index + 1, verb, rest)),
        }
    }
    found
}

/// `example.com/a v1 => ../a`: a module, and the directory where it is one.
fn replacement(rest: &str) -> Option<(String, String)> {
    let (module, target) = rest.split_once("=>")?;
    let target = unquoted(target.trim());
    let local = ["./", "../"].iter().any(|start| target.starts_with(start)) || target == "..";
    let module = module.split_whitespace().next()?;
    local.then(|| (unquoted(module).to_owned(), target.to_owned()))
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '`'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_go_mod_is_read_with_blocks_comments_and_quotes() {
        let text = "module \"example.com/shop/v2\" // ours\n\ngo 1.13 // old\ntoolchain go1.25.1\nrequire a.b/c v1\n\
                    require (\n\tgithub.com/mattn/go-sqlite3 v1 // indirect\n)\nreplace (\n\ta.b/c => ../c\n\tx.y/z v1 => q.r/z v2\n)\n";
        let module = Module::parse("go.mod", text).unwrap();
        assert_eq!(module.name(), Some("shop"));
        assert_eq!(module.go, Some(Version { major: 1, minor: 13, patch: None }));
        assert_eq!(module.toolchain.unwrap().to_string(), "1.25.1");
        assert_eq!(module.requires, ["a.b/c", "github.com/mattn/go-sqlite3"]);
        assert_eq!(module.replaced, [("a.b/c".to_owned(), "../c".to_owned())]);
        assert!(module.has("github.com/mattn/go-sqlite3") && !module.has("github.com/mattn/go"));
        let parsed = Module::parse("go.mod", "require github.com/a/b/v3 v3.0.0").unwrap();
        assert!(parsed.has("github.com/a/b"));
    }

    #[test]
    fn a_go_work_lists_directories() {
        let (uses, module) =
            workspace("go.work", "go 1.23\n\nuse (\n\t./api\n\t./shared // ours\n)\nuse ./x\n").unwrap();
        assert_eq!(uses, ["./api", "./shared", "./x"]);
        assert_eq!(module.go.unwrap().minor, 23);
    }

    #[test]
    fn a_line_without_a_valid_version_is_rejected_with_its_number() {
        for line in ["go $(evil)", "go latest", "toolchain x", "go 1"] {
            let failure = Module::parse("api/go.mod", &format!("module m\n{line}\n")).unwrap_err();
            assert!(failure.message.contains("api/go.mod, line 2"), "{}", failure.message);
        }
    }
}
