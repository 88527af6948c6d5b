//! `export`: the manifest of a project, for Git.

use super::arguments::Export;
use super::deploy::Manifest;
use super::door::Door;
use super::failure::Failure;
use super::output::{self, Format};
use super::screen::Screen;

/// Prints the manifest.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &Export) -> Result<(), Failure> {
    let object = door.project(&verb.name).await?;
    let manifest = Manifest::of(&object, verb.with_namespace);
    let format = if verb.output.is_for_people() { Format::Yaml } else { verb.output.clone() };
    output::print(screen, &format, manifest.value(), std::slice::from_ref(&verb.name))
}
