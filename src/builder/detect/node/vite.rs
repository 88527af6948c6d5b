//! Vite: a site that routes in the browser, whatever its plugins.

use super::super::findings::Findings;
use super::site::{self, VITE};
use super::{Source, Way};
use crate::builder::outcome::Failure;

pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    // Another tool may use or bring the package of Vite.
    let builder = site::builder(&source.package).unwrap_or(VITE);
    site::way_of(source, &builder, findings)
}
