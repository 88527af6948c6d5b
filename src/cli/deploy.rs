//! `deploy`: a project again, a manifest, or a Git repository. Each kind of source is a variant of [`Deployed`].

mod git;
mod manifest;

use kube::ResourceExt as _;

use super::arguments::{Deploy, Waiting};
use super::door::{Applying, Door};
use super::failure::Failure;
use super::follow::{ask, tell, until};
use super::run_state::warn;
use super::screen::Screen;
use crate::project::Project;
use crate::request::Request;
use crate::view::progress::Goal;
pub(super) use manifest::Manifest;

/// What is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Deployed {
    /// A project that exists: its source is looked up again.
    Project(String),
    /// The manifests in a file, or on standard input for `-`.
    Manifest(String),
    /// A Git repository.
    Repository(String),
    /// A directory of this machine.
    Folder(String),
}

impl Deployed {
    /// What the command line names.
    fn of(verb: &Deploy) -> Result<Self, Failure> {
        let Some(what) = &verb.what else {
            let file = verb.file.clone();
            return file
                .map(Self::Manifest)
                .ok_or_else(|| Failure::usage("name a project, a Git URL or -f FILE"));
        };
        let is_remote =
            what.contains("://") || what.split_once(':').is_some_and(|(host, _)| host.contains('@'));
        let is_path = what.starts_with('.') || what.contains('/');
        Ok(match () {
            () if is_remote => Self::Repository(what.clone()),
            () if is_path => Self::Folder(what.clone()),
            () => Self::Project(what.clone()),
        })
    }
}

/// Deploys.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &Deploy) -> Result<(), Failure> {
    match Deployed::of(verb)? {
        Deployed::Project(name) => again(door, screen, verb, &name).await,
        Deployed::Manifest(file) => {
            for manifest in Manifest::read(&file, &door.namespace)? {
                apply(door, screen, verb, &manifest).await?;
            }
            Ok(())
        }
        Deployed::Repository(url) => apply(door, screen, verb, &git::manifest(&url, verb)?).await,
        Deployed::Folder(path) => Err(Failure::usage(format!(
            "{path} is a directory of this machine, and this version of the program does not deploy directories. Push it to a Git \
             repository and deploy its URL, or name a project that exists: kubectl doce list -n {}",
            door.namespace
        ))),
    }
}

/// Looks the source of a project up again.
async fn again(door: &Door, screen: &Screen, verb: &Deploy, name: &str) -> Result<(), Failure> {
    let object = door.project(name).await?;
    if let Some(path) = &verb.save {
        Manifest::of(&object, false).save(path)?;
    }
    if verb.dry_run {
        let source = Project::parse(&object).map(|project| project.reference());
        let source = source.unwrap_or_else(|_| "its source".to_owned());
        screen.print(&format!("{name} would look up {source} and deploy what it finds"));
        return Ok(());
    }
    let limit = verb.waiting.limit.timeout;
    let (_, outcome) = ask(door, screen, name, &[Request::deploy()], limit).await?;
    screen.print(&format!("{name}: {outcome}"));
    live(door, screen, name, &verb.waiting).await
}

/// Applies a manifest and follows it.
async fn apply(door: &Door, screen: &Screen, verb: &Deploy, manifest: &Manifest) -> Result<(), Failure> {
    let name = &manifest.name;
    if let Some(path) = &verb.save {
        manifest.save(path)?;
        screen.note(&format!("wrote {path}"));
    }
    let before = door.project_if_there(name).await?;
    if let Some(before) = &before {
        warn(screen, before, "spec", &format!("the manifest of {name}"));
    }
    let applying = Applying { dry_run: verb.dry_run, force: verb.force_conflicts };
    let after = door.apply(name, &manifest.value, applying).await?;
    let changed = match &before {
        None => "created",
        Some(before) if before.metadata.generation == after.metadata.generation => "unchanged",
        Some(_) => "configured",
    };
    if verb.dry_run {
        screen.print_raw(&Manifest::of(&after, true).text()?);
        screen.note(&format!("{name} would be {changed} (checked by the API server, nothing was written)"));
        return Ok(());
    }
    screen.print(&format!("projectdeployment.doce.dev/{name} {changed}"));
    // The source may have changed, although the manifest has not.
    if changed == "unchanged" {
        let limit = verb.waiting.limit.timeout;
        let (_, outcome) = ask(door, screen, name, &[Request::deploy()], limit).await?;
        screen.print(&format!("{name}: {outcome}"));
    }
    live(door, screen, &after.name_any(), &verb.waiting).await
}

async fn live(door: &Door, screen: &Screen, name: &str, waiting: &Waiting) -> Result<(), Failure> {
    if waiting.no_wait {
        return Ok(());
    }
    let object = until(door, screen, name, waiting.limit.timeout, Goal::Deployed).await?;
    tell(screen, &object);
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::arguments::{Arguments, Verb};

    fn deployed(what: &str) -> Deployed {
        let line = ["kubectl-doce", "deploy"].into_iter().chain(what.split_whitespace());
        let Verb::Deploy(verb) = Arguments::try_parse_from(line).unwrap().verb else { panic!() };
        Deployed::of(&verb).unwrap()
    }

    #[test]
    fn what_is_deployed_follows_from_how_it_is_written() {
        for (what, expected) in [
            ("shop", Deployed::Project("shop".into())),
            ("-f shop.yaml", Deployed::Manifest("shop.yaml".into())),
            ("https://git.test/shop.git", Deployed::Repository("https://git.test/shop.git".into())),
            ("ssh://git@git.test/shop.git", Deployed::Repository("ssh://git@git.test/shop.git".into())),
            ("git@git.test:you/shop.git", Deployed::Repository("git@git.test:you/shop.git".into())),
            (".", Deployed::Folder(".".into())),
            ("./shop", Deployed::Folder("./shop".into())),
            ("apps/shop", Deployed::Folder("apps/shop".into())),
            ("/tmp", Deployed::Folder("/tmp".into())),
        ] {
            assert_eq!(deployed(what), expected, "{what}");
        }
    }
}
