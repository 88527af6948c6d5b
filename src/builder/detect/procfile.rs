//! A Procfile: the processes of a program, one per line.

use super::findings::Findings;
use super::init_command;
use super::tree::Tree;
use crate::builder::dockerfile::start;
use crate::builder::outcome::Failure;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) name: String,
    /// A line for the shell.
    pub(super) command: String,
    pub(super) line: usize,
}

/// The processes in their order; empty without a Procfile. Other lines are ignored.
pub(super) fn read(tree: Tree<'_>) -> Result<Vec<Process>, Failure> {
    let text = tree.text("Procfile")?.unwrap_or_default();
    let processes = text.lines().enumerate().filter_map(|(index, line)| {
        let (name, command) = line.trim().split_once(':')?;
        let (name, command) = (name.trim(), command.trim());
        let plain = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        (plain && !command.is_empty()).then(|| Process {
            name: name.to_owned(),
            command: command.to_owned(),
            line: index + 1,
        })
    });
    Ok(processes.collect())
}

/// The process that serves: `web`, else the only one that is not `release`.
pub(super) fn main(processes: &[Process]) -> Option<&Process> {
    let web = processes.iter().find(|process| process.name == "web");
    web.or_else(|| {
        let mut others = processes.iter().filter(|process| process.name != "release");
        others.next().filter(|_| others.next().is_none())
    })
}

/// The command of the process that serves, ready to be process 1. Adds findings about the others.
pub(super) fn start(tree: Tree<'_>, findings: &mut Findings) -> Result<Option<Vec<String>>, Failure> {
    let processes = read(tree)?;
    let serves = main(&processes);
    for process in processes.iter().filter(|process| Some(*process) != serves) {
        let Process { name, command, line } = process;
        if name == "release" {
            let runs = init_command::line(command);
            findings.warn(format!(
                "Procfile, line {line}: {name} does not run by itself; to run it before each version starts, set \
                {runs}"
            ));
        } else {
            findings.assume(format!(
                "Procfile, line {line}: {name} does not start; create a ProjectDeployment of its own for it with \
                spec.run.command"
            ));
        }
    }
    if let Some(process) = serves.filter(|process| process.name != "web") {
        findings.assume(format!(
            "Procfile, line {}: {} is the program; set spec.run.health.type: None if it listens on no port",
            process.line, process.name
        ));
    }
    Ok(serves.map(|process| start::command(&process.command)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    fn processes(text: &str) -> Vec<Process> {
        let dir = context(&[("Procfile", text)]);
        read(Tree::new(&dir.path().canonicalize().unwrap())).unwrap()
    }

    #[test]
    fn the_web_process_is_the_main_one_in_any_position() {
        let found =
            processes("# ours\nrelease: python manage.py migrate\nworker: rq worker\nweb: gunicorn a:b\n");
        assert_eq!(found.len(), 3);
        let main = main(&found).unwrap();
        assert_eq!((main.command.as_str(), main.line), ("gunicorn a:b", 4));
    }

    #[test]
    fn a_single_worker_is_the_program_and_several_are_ambiguous() {
        assert_eq!(main(&processes("release: x\nbot: python bot.py")).unwrap().name, "bot");
        assert_eq!(main(&processes("a: x\nb: y")), None);
        assert_eq!(main(&processes("web:\n: x\nno colon\n")), None);
    }
}
