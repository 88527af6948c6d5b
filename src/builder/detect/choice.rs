//! Chooses which of several programs runs, for languages whose programs are files.

use super::findings::Findings;
use super::procfile;
use super::tree::Tree;
use crate::builder::outcome::Failure;

/// Usual names of programs that serve.
const SERVERS: [&str; 5] = ["server", "web", "api", "app", "main"];

/// The chosen program, and its arguments if a Procfile gives any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) index: usize,
    /// The rest of its line in the Procfile; may be empty.
    pub(super) arguments: String,
}

/// The one that the Procfile names, else the only one, else the one with the project's name, else the one with a usual
/// server name. None if none of these applies.
pub(super) fn choose(
    tree: Tree<'_>,
    names: &[&str],
    own: Option<&str>,
    findings: &mut Findings,
) -> Result<Option<Chosen>, Failure> {
    if let Some(chosen) = by_procfile(tree, names, findings)? {
        return Ok(Some(chosen));
    }
    Ok(by_name(names, own, findings).map(|index| Chosen { index, ..Chosen::default() }))
}

/// The only one, else the one with the project's name, else the one with a usual server name.
pub(super) fn by_name(names: &[&str], own: Option<&str>, findings: &mut Findings) -> Option<usize> {
    let position = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
    if names.len() == 1 {
        return Some(0);
    }
    if let Some(index) = own.and_then(position) {
        return Some(index);
    }
    let mut servers = SERVERS.iter().filter_map(|name| position(name));
    let (Some(index), None) = (servers.next(), servers.next()) else { return None };
    findings.assume(format!(
        "the source has the programs {}, and the build picks {} by its name",
        names.join(", "),
        names[index]
    ));
    Some(index)
}

/// Warns about a Procfile in a language whose image always starts the same way.
pub(super) fn unused_procfile(tree: Tree<'_>, findings: &mut Findings) -> Result<(), Failure> {
    if let Some(process) = procfile::main(&procfile::read(tree)?) {
        findings.warn(format!(
            "Procfile, line {}: the line is not used; set spec.run.command and spec.run.args to change how the program \
            starts",
            process.line
        ));
    }
    Ok(())
}

/// The program that the Procfile starts, if this source has it.
fn by_procfile(tree: Tree<'_>, names: &[&str], findings: &mut Findings) -> Result<Option<Chosen>, Failure> {
    let processes = procfile::read(tree)?;
    let Some(process) = procfile::main(&processes) else { return Ok(None) };
    let line = process.command.trim_start_matches("exec ").trim();
    let (program, arguments) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let name = program.rsplit('/').next().unwrap_or_default();
    if let Some(index) = names.iter().position(|other| *other == name) {
        return Ok(Some(Chosen { index, arguments: arguments.trim().to_owned() }));
    }
    findings.warn(format!(
        "Procfile, line {}: {program} is not a program of this source ({}), so the line is not used; set \
         spec.run.command to change what starts",
        process.line,
        names.join(", ")
    ));
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    fn chosen(procfile: &str, names: &[&str], own: Option<&str>) -> (Option<Chosen>, Findings) {
        let dir = context(&[("Procfile", procfile)]);
        let mut findings = Findings::default();
        let root = dir.path().canonicalize().unwrap();
        let chosen = choose(Tree::new(&root), names, own, &mut findings).unwrap();
        (chosen, findings)
    }

    #[test]
    fn a_procfile_names_the_program_and_its_arguments() {
        let (found, findings) = chosen("web: ./target/release/b --port $PORT", &["a", "b"], Some("a"));
        assert_eq!(found, Some(Chosen { index: 1, arguments: "--port $PORT".into() }));
        assert_eq!(findings, Findings::default());
        let (found, findings) = chosen("web: ./start.sh", &["a"], None);
        assert_eq!(found, Some(Chosen::default()));
        assert!(findings.warnings[0].starts_with("Procfile, line 1: ./start.sh"), "{findings:?}");
    }

    #[test]
    fn the_package_name_wins_over_a_server_name_and_two_servers_are_ambiguous() {
        assert_eq!(chosen("", &["server", "shop"], Some("shop")).0.unwrap().index, 1);
        let (found, findings) = chosen("", &["tool", "server"], Some("shop"));
        assert_eq!((found.unwrap().index, findings.assumed.len()), (1, 1));
        assert_eq!(chosen("", &["api", "server"], None).0, None);
        assert_eq!(chosen("", &["a", "b"], None).0, None);
        assert_eq!(chosen("", &[], None).0, None);
    }
}
