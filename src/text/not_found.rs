//! Finds in the output of a shell which command it did not find or could not run.

/// Longest name, in bytes, that counts as a name.
const LONGEST: usize = 100;

/// How shells end a line about a command that does not exist.
pub const NOT_FOUND: &[&str] = &[": command not found", ": not found", ": No such file or directory"];

/// How shells end a line about a file that is not an executable program.
pub const NOT_RUN: &[&str] = &[
    ": Permission denied",
    ": cannot execute: required file not found",
    ": cannot execute binary file: Exec format error",
    ": Exec format error",
];

/// The command in the last line that ends with one of `ends`: `sh: 1: foo: not found`, `bash: line 1: foo: command not
/// found`.
pub fn command<'a>(lines: impl DoubleEndedIterator<Item = &'a str>, ends: &[&str]) -> Option<&'a str> {
    lines.rev().find_map(|line| {
        let before = ends.iter().find_map(|end| line.trim_end().strip_suffix(end))?;
        let name = before.rsplit(": ").next()?.trim();
        (!name.is_empty() && name.len() <= LONGEST && !name.contains(char::is_whitespace)).then_some(name)
    })
}

/// The shared library that a program did not find, from the message of the dynamic linker. The exit code is the same as
/// for a command that does not exist.
pub fn library<'a>(lines: impl DoubleEndedIterator<Item = &'a str>) -> Option<&'a str> {
    lines.rev().find_map(|line| {
        let (_, rest) = line.split_once("error while loading shared libraries: ")?;
        let (name, _) = rest.split_once(": cannot open shared object file")?;
        (name.len() <= LONGEST && !name.contains(char::is_whitespace)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_not_a_missing_command() {
        let said = "0.1 node: error while loading shared libraries: libatomic.so.1: cannot open shared object file: No such \
                    file or directory";
        assert_eq!(library(said.lines()), Some("libatomic.so.1"));
        assert_eq!(library("node: not found".lines()), None);
    }

    #[test]
    fn the_missing_command_is_found_in_the_message_of_each_shell() {
        for (said, name) in [
            ("sh: 1: foo: not found", Some("foo")),
            ("0.512 /bin/sh: 1: tsc: not found", Some("tsc")),
            ("sh: vite: not found", Some("vite")),
            ("bash: line 1: bar: command not found", Some("bar")),
            ("zsh: command not found: baz", None),
            ("/run.sh: line 3: ./app: No such file or directory", Some("./app")),
            ("page: not found\nsh: 1: foo: not found\nbye", Some("foo")),
            ("nothing", None),
            ("a user of ours: not found", None),
        ] {
            assert_eq!(command(said.lines(), NOT_FOUND), name, "{said}");
        }
        assert_eq!(command("/run.sh: 3: ./app: Permission denied".lines(), NOT_RUN), Some("./app"));
    }
}
