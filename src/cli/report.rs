//! `report`: one file for a bug report. Values of environment variables are hidden, and Secrets are not read.

use std::fs::File;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::AsyncReadExt as _;
use kube::ResourceExt as _;
use kube::api::LogParams;
use serde_json::{Value, json};

use super::arguments::Report;
use super::door::Door;
use super::explain;
use super::failure::Failure;
use super::screen::Screen;
use crate::view::cause::{Around, cause};

/// Lines of each log.
const LINES: i64 = 1000;

/// What stands in place of a value.
const HIDDEN: &str = "(hidden)";

/// Writes the file.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &Report) -> Result<(), Failure> {
    let name = &verb.name;
    let object = door.project(name).await?;
    let (pods, jobs, revisions) = tokio::join!(door.pods(name), door.jobs(name), door.revisions(name));
    let (pods, events) = (pods?, door.events(name).await);
    let mut files: Vec<(String, String)> = vec![
        (
            "explain.txt".to_owned(),
            anstream::adapter::strip_str(&explain::text(&cause(
                &object,
                Around { pods: &pods, events: &events },
            )))
            .to_string(),
        ),
        (
            "versions.txt".to_owned(),
            format!(
                "kubectl-doce {}\nKubernetes {}\n",
                env!("CARGO_PKG_VERSION"),
                door.server_version().await?
            ),
        ),
        ("project.yaml".to_owned(), yaml(&json!(object))?),
        ("pods.yaml".to_owned(), yaml(&json!(pods))?),
        ("jobs.yaml".to_owned(), yaml(&json!(jobs?))?),
        ("controllerrevisions.yaml".to_owned(), yaml(&json!(revisions?))?),
        ("events.yaml".to_owned(), yaml(&json!(events))?),
    ];
    for pod in &pods {
        for container in pod.spec.iter().flat_map(|spec| &spec.containers) {
            let params = LogParams {
                container: Some(container.name.clone()),
                tail_lines: Some(LINES),
                ..LogParams::default()
            };
            let mut log = String::new();
            if let Ok(stream) = door.log(&pod.name_any(), &params).await {
                let _ = Box::pin(stream).read_to_string(&mut log).await; // A log that breaks off is still of use.
            }
            files.push((format!("logs/{}-{}.log", pod.name_any(), container.name), log));
        }
    }
    let path = verb.file.clone().unwrap_or_else(|| format!("{name}-report.tar.gz"));
    write(&path, name, &files).map_err(|error| Failure::file(&path, &error))?;
    screen.print(&path);
    screen.note("Values of variables are hidden and Secrets are not in it. Logs are as the programs wrote them: read them before you share the file");
    Ok(())
}

fn write(path: &str, name: &str, files: &[(String, String)]) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(File::create(path)?, Compression::default()));
    for (file, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, format!("{name}-report/{file}"), text.as_bytes())?;
    }
    archive.into_inner()?.finish()?.sync_all()
}

fn yaml(value: &Value) -> Result<String, Failure> {
    let mut value = value.clone();
    hide(&mut value);
    serde_yaml::to_string(&value).map_err(|error| Failure::error(format!("cannot write the report: {error}")))
}

/// Hides the values of environment variables, and copies of whole objects in annotations.
fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("kubectl.kubernetes.io/last-applied-configuration");
            for (key, below) in map.iter_mut() {
                if matches!(key.as_str(), "env" | "args") {
                    hide_variables(below);
                }
                hide(below);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

fn hide_variables(variables: &mut Value) {
    match variables {
        Value::Array(items) => {
            for item in items {
                if let Some(there) = item.get_mut("value") {
                    *there = json!(HIDDEN);
                }
            }
        }
        Value::Object(map) => {
            map.values_mut().filter(|value| value.is_string()).for_each(|value| *value = json!(HIDDEN));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_variables_and_copies_of_objects_are_not_in_the_report() {
        let secret = "hunter2";
        let object = json!({
            "metadata": { "annotations": { "kubectl.kubernetes.io/last-applied-configuration": secret } },
            "spec": {
                "run": { "env": [{ "name": "PASSWORD", "value": secret }] },
                "build": { "args": { "TOKEN": secret } },
            },
            "data": { "template": { "spec": { "containers": [{ "env": [{ "name": "PASSWORD", "value": secret }] }] } } },
        });
        let text = yaml(&object).unwrap();
        assert!(!text.contains(secret) && text.contains("PASSWORD") && text.contains(HIDDEN), "{text}");
    }
}
