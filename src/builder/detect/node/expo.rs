//! Expo for the web: one page that routes in the browser, or one page per route.

use serde_json::Value;

use super::super::findings::Findings;
use super::super::no_builder;
use super::Source;
use super::invocation::Invocation;
use crate::builder::dockerfile::site::{Otherwise, Site};
use crate::builder::outcome::Failure;

pub(super) fn adjust(
    source: &Source<'_>,
    _: Option<&Invocation>,
    site: &mut Site,
    _: &mut Findings,
) -> Result<(), Failure> {
    let app: Option<Value> = source.tree.json("app.json")?;
    let output = app.as_ref().and_then(|app| app.pointer("/expo/web/output")).and_then(Value::as_str);
    match output {
        Some("server") => Err(no_builder(
            "expo.web.output in app.json is \"server\", which is not supported; write \"static\" or \"single\", or add \
             a Dockerfile",
        )),
        Some("static") => {
            site.otherwise = Otherwise::NotFound;
            Ok(())
        }
        _ => Ok(()),
    }
}
