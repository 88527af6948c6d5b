//! Create React App: `homepage` is the address that its pages are made for, `BUILD_PATH` the directory.

use super::super::findings::Findings;
use super::Source;
use super::invocation::Invocation;
use super::{paths, site};
use crate::builder::dockerfile::site::Site;
use crate::builder::outcome::Failure;

pub(super) fn adjust(
    source: &Source<'_>,
    call: Option<&Invocation>,
    site: &mut Site,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let variables = ["BUILD_PATH", "PUBLIC_URL"].map(|name| {
        let called = call.and_then(|call| call.variable(name));
        called.or_else(|| source.settings.args.get(name).map(String::as_str))
    });
    if let Some(path) = variables[0] {
        site.output = paths::output(source, "", path, "BUILD_PATH")?;
    }
    // Of a full URL only the path counts.
    let address = variables[1].map(str::to_owned).or_else(|| source.package.homepage.clone());
    if let Some(path) = address.as_deref().and_then(paths::base) {
        site::answer_at(&path, site, findings);
    }
    Ok(())
}
