//! `open`: the URL of a project, in the browser of this machine.

use std::process::{Command, Stdio};

use super::arguments::Open;
use super::door::Door;
use super::failure::Failure;
use super::screen::Screen;
use crate::crd::spec::NodePortMode;

/// Prints the URL and opens it.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &Open) -> Result<(), Failure> {
    let object = door.project(&verb.name).await?;
    let status = object.status.unwrap_or_default();
    let Some(url) = status.url else {
        let why = match status.node_port {
            Some(port) => format!(
                "the platform sets no address of its nodes, so {} has no URL. It answers at port {port} of every node",
                verb.name
            ),
            None if object.spec.expose.node_port.mode == NodePortMode::None => {
                format!("spec.expose.nodePort.mode of {} is None, so it has no URL", verb.name)
            }
            None => format!("{} has no node port yet, so it has no URL", verb.name),
        };
        return Err(Failure::error(format!(
            "{why}. Reach it from here: kubectl port-forward service/{} 8080:80 {}, then http://localhost:8080",
            verb.name, door.flags
        )));
    };
    screen.print(&url);
    // A browser is for a person. It gets the URL as one argument, never through a shell.
    let is_web = url.starts_with("http://") || url.starts_with("https://");
    if !verb.print && screen.is_terminal && is_web {
        browse(&url);
    }
    Ok(())
}

fn browse(url: &str) {
    let mut command = if cfg!(target_os = "macos") { Command::new("open") } else { Command::new("xdg-open") };
    // Without a desktop, the printed URL is the result.
    drop(command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn());
}
