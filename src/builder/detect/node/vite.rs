//! Vite: a site that routes in the browser, whatever its plugins are for.

use super::super::findings::Findings;
use super::site::{self, VITE};
use super::{Source, Way};
use crate::builder::outcome::Failure;

pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    // The package of Vite may be that of another tool, or come with one.
    let builder = site::builder(&source.package).unwrap_or(VITE);
    site::way_of(source, &builder, findings)
}
