//! The log of a build whose Job is gone: the build pushed it to the registry of its image.

use std::sync::Arc;

use super::{Line, Origin, show};
use crate::cli::arguments::Logs;
use crate::cli::door::Door;
use crate::cli::failure::Failure;
use crate::cli::registry::Place;
use crate::cli::screen::Screen;
use crate::crd::ProjectDeployment;
use crate::desired::names;
use crate::protocol::order::cleanup::log_tag;
use crate::version::short;
use crate::view::remembered::Remembered;

/// What to do if the user cannot reach the registry.
const INSTEAD: &str = "docs/builds-logs.md says how to read the log with other programs";

/// Most logs that are printed without a version.
const MOST: usize = 3;

/// Prints the log of the last build, or, once its Job is forgotten, of the builds that failed, or of the newest version. Returns the
/// number of lines.
pub(super) async fn of_last_build(
    door: &Door,
    screen: &Screen,
    verb: &Logs,
    object: &ProjectDeployment,
) -> Result<usize, Failure> {
    let build = object.status.as_ref().and_then(|status| status.build.as_ref());
    let log = build.and_then(|build| Some((build.id.clone(), build.log.as_deref()?.rsplit_once(':')?)));
    if let Some((id, place)) = log {
        return print(door, screen, verb, place, origin(id, None)).await;
    }
    let remembered = door.remembered(object).await?;
    let Some(repository) = repository(door, verb, object, &remembered).await else { return Ok(0) };
    let failed = remembered.ledger.builds.iter().filter(|(_, attempts)| attempts.failed.is_some());
    let failed: Vec<&String> = failed.map(|(key, _)| key).take(MOST).collect();
    let newest = remembered.newest_first().into_iter().find_map(|record| record.facts.key.as_ref());
    let keys = if failed.is_empty() { newest.into_iter().collect() } else { failed };
    let mut lines = 0;
    for key in keys {
        let tag = log_tag(key);
        lines += print(door, screen, verb, (&repository, &tag), origin(tag.clone(), None)).await?;
    }
    Ok(lines)
}

/// The repository of a project: that of its spec, that of an image, or its own one in the embedded registry.
async fn repository(
    door: &Door,
    verb: &Logs,
    object: &ProjectDeployment,
    remembered: &Remembered,
) -> Option<String> {
    if let Some(named) = &object.spec.build.output.repository {
        return Some(named.clone());
    }
    let image = remembered.newest_first().into_iter().find_map(|record| record.named_image());
    if let Some((repository, _)) = image.and_then(|image| image.reference.split_once('@')) {
        return Some(repository.to_owned());
    }
    let uploads = door.uploads(&verb.operator.operator_namespace, INSTEAD).await.ok()?;
    Some(format!("{}/{}/{}", uploads.nodes, door.namespace, verb.name))
}

fn origin(pod: String, version: Option<String>) -> Origin {
    Origin { role: names::ROLE_BUILD.to_owned(), pod, container: names::BUILD.to_owned(), version }
}

/// Prints the log of the build that made the image of a version.
pub(super) async fn of_version(
    door: &Door,
    screen: &Screen,
    verb: &Logs,
    object: &ProjectDeployment,
    version: &str,
) -> Result<(), Failure> {
    let remembered = door.remembered(object).await?;
    let record = remembered.find(version).map_err(|unknown| Failure::error(unknown.to_string()))?;
    let version = short(&record.facts.version);
    let image = record.named_image().and_then(|image| image.reference.split_once('@'));
    let (Some(key), Some((repository, _))) = (&record.facts.key, image) else {
        return Err(Failure::error(format!(
            "{version} has no build with a log: it has a prebuilt image, or no build of it succeeded. See the last build: kubectl doce logs {} \
             --build {}",
            verb.name, door.flags
        )));
    };
    let origin = origin(format!("build of {version}"), Some(version));
    print(door, screen, verb, (repository, &log_tag(key)), origin).await.map(drop)
}

async fn print(
    door: &Door,
    screen: &Screen,
    verb: &Logs,
    (repository, tag): (&str, &str),
    origin: Origin,
) -> Result<usize, Failure> {
    let uploads = door.uploads(&verb.operator.operator_namespace, INSTEAD).await;
    // Only the cluster knows these names.
    let host = repository.split([':', '/']).next().unwrap_or_default();
    let place = match uploads {
        Err(failure) if host == "localhost" || host.rsplit('.').next() == Some("svc") => return Err(failure),
        uploads => Place::named(repository, uploads.ok()),
    };
    let Some(text) = place.text(door, tag).await? else {
        screen.note(&format!("{repository} has no log {tag} any more"));
        return Ok(0);
    };
    screen.note(&format!("from the registry: {repository}:{tag}"));
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let tail = verb.tail.and_then(|tail| usize::try_from(tail).ok()).unwrap_or(lines.len());
    let origin = Arc::new(origin);
    let shown = &lines[lines.len().saturating_sub(tail)..];
    for line in shown {
        show(screen, verb.output, &Line { from: origin.clone(), time: String::new(), text: line.to_vec() });
    }
    Ok(shown.len())
}
