//! Gatsby: static files, below `pathPrefix` if the build uses it.

use super::super::findings::Findings;
use super::config::Config;
use super::{Source, Way, frameworks, site};
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;

pub(super) fn way(source: &Source<'_>, findings: &mut Findings) -> Result<Way, Failure> {
    let (build, call) = frameworks::build(source, &["gatsby"], "build", "gatsby build", findings)?;
    let mut made = Site::new("public", Otherwise::NotFound);
    if call.is_some_and(|call| call.has("--prefix-paths")) {
        let config = Config::read(source, &["gatsby-config"])?;
        if let Some(path) = config.text("pathPrefix", findings) {
            site::answer_at(&path, &mut made, findings);
        }
    }
    Ok(Way::site("Gatsby", build, made))
}
