//! `deploy`: a project again, a manifest, a Git repository, or a folder. Each kind of source is a variant of [`Deployed`].

mod folder;
mod git;
mod manifest;

use kube::ResourceExt as _;
use serde_json::json;

use super::arguments::Deploy;
use super::deadline::Deadline;
use super::door::{Applying, Door};
use super::failure::Failure;
use super::follow::{Asked, ask, ask_beside, tell, until};
use super::run_state::warn;
use super::screen::Screen;
use crate::crd::ProjectDeployment;
use crate::project::Project;
use crate::request::Request;
use crate::view::progress::Goal;
pub(super) use manifest::Manifest;

/// Longest name of a project, as the CRD says.
const LONGEST: usize = 40;

/// What is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Deployed {
    /// A project that exists: its source is looked up again.
    Project(String),
    /// The manifests in a file, or on standard input for `-`.
    Manifest(String),
    /// A Git repository.
    Repository(String),
    /// A folder of this machine.
    Folder(String),
}

impl Deployed {
    /// What the command line names.
    fn of(verb: &Deploy) -> Result<Self, Failure> {
        let Some(what) = &verb.what else {
            let file = verb.file.clone();
            return file
                .map(Self::Manifest)
                .ok_or_else(|| Failure::usage("name a project, a Git URL, a folder or -f FILE"));
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

    /// Rejects flags that do not apply to it.
    fn check(&self, verb: &Deploy) -> Result<(), Failure> {
        let of_sources = [
            ("--name", verb.name.is_some()),
            ("--path", verb.path.is_some()),
            ("--secret", verb.secret.is_some()),
        ];
        let of_repositories = [
            ("--branch", verb.branch.is_some()),
            ("--tag", verb.tag.is_some()),
            ("--commit", verb.commit.is_some()),
        ];
        let given =
            |flags: &[(&'static str, bool)]| flags.iter().find(|(_, given)| *given).map(|(flag, _)| *flag);
        let (is_repository, is_folder) =
            (matches!(self, Self::Repository(_)), matches!(self, Self::Folder(_)));
        if let Some(flag) = given(&of_repositories).filter(|_| !is_repository) {
            return Err(Failure::usage(format!(
                "{flag} needs the URL of a Git repository. Name the URL instead, or change spec.source.git in the manifest"
            )));
        }
        if let Some(flag) = given(&of_sources).filter(|_| !is_repository && !is_folder) {
            return Err(Failure::usage(format!(
                "{flag} needs the URL of a Git repository or a folder. Name one instead, or change spec.source in the manifest"
            )));
        }
        if verb.repository.is_some() && !is_folder {
            return Err(Failure::usage("--repository needs a folder to push, such as ."));
        }
        if is_folder && verb.secret.is_some() && verb.repository.is_none() {
            return Err(Failure::usage(
                "--secret has the login for a registry of your own, so it needs --repository. Builds reach the embedded registry without",
            ));
        }
        if verb.force_conflicts && matches!(self, Self::Project(_)) {
            return Err(Failure::usage(
                "--force-conflicts needs a manifest: a project that is looked up again changes no field. Leave the flag out, or use -f FILE",
            ));
        }
        Ok(())
    }
}

/// Deploys.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &Deploy) -> Result<(), Failure> {
    let deployed = Deployed::of(verb)?;
    deployed.check(verb)?;
    let deadline = Deadline::of_waiting(&verb.waiting);
    match deployed {
        Deployed::Project(name) => again(door, screen, verb, &name, deadline).await,
        Deployed::Manifest(file) => {
            apply(door, screen, verb, &Manifest::read(&file, &door.namespace)?, deadline).await
        }
        Deployed::Repository(url) => {
            let manifest = git::manifest(&url, verb)?;
            match door.project_if_there(&manifest.name).await? {
                None => apply(door, screen, verb, &[manifest], deadline).await,
                Some(before) => change(door, screen, verb, &url, &before, deadline).await,
            }
        }
        Deployed::Folder(path) => Box::pin(folder::run(door, screen, verb, &path, deadline)).await,
    }
}

/// Looks the source of a project up again.
async fn again(
    door: &Door,
    screen: &Screen,
    verb: &Deploy,
    name: &str,
    deadline: Deadline,
) -> Result<(), Failure> {
    let object = door.project(name).await?;
    if let Some(path) = &verb.save {
        Manifest::save(&[Manifest::of(&object, false)], path)?;
    }
    if verb.dry_run {
        let source = Project::parse(&object).map(|project| project.reference());
        let source = source.unwrap_or_else(|_| "its source".to_owned());
        screen.print(&format!("{name} would look up {source} and deploy what it finds"));
        return Ok(());
    }
    let Asked { outcome, .. } = ask(door, screen, name, &[Request::deploy()], deadline).await?;
    screen.print(&format!("{name}: {outcome}"));
    live(door, screen, name, deadline).await
}

/// Sets what the flags say in a project that has this repository already, and looks it up again. The rest of the spec stays: a
/// server-side apply would remove what this program has applied before.
async fn change(
    door: &Door,
    screen: &Screen,
    verb: &Deploy,
    url: &str,
    before: &ProjectDeployment,
    deadline: Deadline,
) -> Result<(), Failure> {
    let name = before.name_any();
    git::is_of(before, url, &door.namespace)?;
    let patch = git::change(verb);
    let changes = patch != json!({});
    if changes {
        warn(screen, before, "spec.source", &format!("spec.source.git of {name}"));
    }
    if verb.dry_run || verb.save.is_some() {
        let after = door.would_patch(&name, &patch).await?;
        if preview(screen, verb, before, &after, "nothing was written")? {
            return Ok(());
        }
    }
    // One write: else the operator looks the source up twice.
    let asked = ask_beside(door, screen, &name, patch, &[Request::deploy()], deadline).await?;
    screen.print(&format!("projectdeployment.doce.dev/{name} {}", changed(Some(before), &asked.object)));
    screen.print(&format!("{name}: {}", asked.outcome));
    live(door, screen, &name, deadline).await
}

/// Writes the manifest of a changed project to the file of `--save`, and shows it for `--dry-run`. Returns whether that is all.
fn preview(
    screen: &Screen,
    verb: &Deploy,
    before: &ProjectDeployment,
    after: &ProjectDeployment,
    without: &str,
) -> Result<bool, Failure> {
    let manifest = Manifest::of(after, false);
    if let Some(path) = &verb.save {
        Manifest::save(std::slice::from_ref(&manifest), path)?;
        screen.note(&format!("wrote {path}"));
    }
    if verb.dry_run {
        screen.print_raw(&manifest.text()?);
        let what = changed(Some(before), after);
        screen.note(&format!("{} would be {what} (checked by the API server, {without})", manifest.name));
    }
    Ok(verb.dry_run)
}

/// Applies manifests and follows their projects.
async fn apply(
    door: &Door,
    screen: &Screen,
    verb: &Deploy,
    manifests: &[Manifest],
    deadline: Deadline,
) -> Result<(), Failure> {
    if let Some(path) = &verb.save {
        Manifest::save(manifests, path)?;
        screen.note(&format!("wrote {path}"));
    }
    for manifest in manifests {
        apply_one(door, screen, verb, manifest, deadline).await?;
    }
    if verb.dry_run {
        return Ok(());
    }
    for manifest in manifests {
        live(door, screen, &manifest.name, deadline).await?;
    }
    Ok(())
}

async fn apply_one(
    door: &Door,
    screen: &Screen,
    verb: &Deploy,
    manifest: &Manifest,
    deadline: Deadline,
) -> Result<(), Failure> {
    let name = &manifest.name;
    let before = door.project_if_there(name).await?;
    if let Some(before) = &before {
        warn(screen, before, "spec", &format!("the manifest of {name}"));
    }
    let applying = Applying { dry_run: verb.dry_run, force: verb.force_conflicts };
    let after = door.apply(name, &manifest.value, applying).await?;
    let changed = changed(before.as_ref(), &after);
    if verb.dry_run {
        screen.print_raw(&Manifest::of(&after, true).text()?);
        screen.note(&format!("{name} would be {changed} (checked by the API server, nothing was written)"));
        return Ok(());
    }
    screen.print(&format!("projectdeployment.doce.dev/{name} {changed}"));
    // The source may have changed, although the manifest has not.
    if changed == "unchanged" {
        let Asked { outcome, .. } = ask(door, screen, name, &[Request::deploy()], deadline).await?;
        screen.print(&format!("{name}: {outcome}"));
    }
    Ok(())
}

/// What a write has done, in the words of kubectl.
fn changed(before: Option<&ProjectDeployment>, after: &ProjectDeployment) -> &'static str {
    match before {
        None => "created",
        Some(before) if before.metadata.generation == after.metadata.generation => "unchanged",
        Some(_) => "configured",
    }
}

async fn live(door: &Door, screen: &Screen, name: &str, deadline: Deadline) -> Result<(), Failure> {
    if deadline.no_wait {
        return Ok(());
    }
    let object = until(door, screen, name, deadline, Goal::Deployed).await?;
    tell(screen, &object);
    Ok(())
}

/// The name of the project: that of the flag, or one from the URL or path.
fn name_of(verb: &Deploy, place: &str) -> Result<String, Failure> {
    verb.name.clone().or_else(|| name(place)).ok_or_else(|| {
        Failure::usage(format!("{place} gives no name for the project. Choose one with --name"))
    })
}

/// A valid name from the last part of a URL or a path.
fn name(place: &str) -> Option<String> {
    let last = place.trim_end_matches('/').rsplit(['/', ':']).next()?;
    let last = last.strip_suffix(".git").unwrap_or(last).to_lowercase();
    let valid: String = last.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let valid = valid.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let valid: String = valid.chars().take(LONGEST).collect();
    let valid = valid.trim_end_matches('-').to_owned();
    (!valid.is_empty()).then_some(valid)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::arguments::{Arguments, Verb};
    use crate::cli::failure::Exit;

    fn parsed(what: &str) -> Deploy {
        let line = ["kubectl-doce", "deploy"].into_iter().chain(what.split_whitespace());
        let Verb::Deploy(verb) = Arguments::try_parse_from(line).unwrap().verb else { panic!() };
        verb
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
            assert_eq!(Deployed::of(&parsed(what)), Ok(expected), "{what}");
        }
    }

    #[test]
    fn a_url_or_a_path_gives_a_valid_name() {
        for (url, expected) in [
            ("https://github.com/you/shop.git", Some("shop")),
            ("https://github.com/you/My_Shop/", Some("my-shop")),
            ("git@github.com:shop.git", Some("shop")),
            ("https://git.test/2048-game", Some("game")),
            ("https://git.test/123", None),
            ("/home/ann/Web Shop", Some("web-shop")),
            ("/", None),
        ] {
            assert_eq!(name(url).as_deref(), expected, "{url}");
        }
        assert_eq!(name(&format!("https://x/{}", "a".repeat(60))).unwrap().len(), LONGEST);
    }

    #[test]
    fn a_flag_that_would_have_no_effect_is_wrong_usage() {
        for (what, names) in [
            ("shop --branch hotfix", "--branch"),
            ("shop --tag v1", "--tag"),
            ("shop --commit abc", "--commit"),
            ("-f shop.yaml --path apps", "--path"),
            ("-f shop.yaml --secret login", "--secret"),
            ("shop --name other", "--name"),
            ("shop --force-conflicts", "--force-conflicts"),
            (". --branch main", "--branch"),
            (". --secret login", "--secret"),
            ("shop --repository ghcr.io/you/shop", "--repository"),
            ("https://x.test/shop.git --repository ghcr.io/you/shop", "--repository"),
        ] {
            let verb = parsed(what);
            let failure = Deployed::of(&verb).unwrap().check(&verb).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{what}");
            assert!(failure.message.starts_with(names), "{what}: {}", failure.message);
        }
        for what in [
            "https://x.test/shop.git --branch a --path b --secret c --name d",
            "shop",
            "-f a --force-conflicts",
            ". --name shop --path apps/shop",
            ". --repository ghcr.io/you/shop --secret login",
        ] {
            let verb = parsed(what);
            assert_eq!(Deployed::of(&verb).unwrap().check(&verb), Ok(()), "{what}");
        }
    }
}
