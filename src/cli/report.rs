//! `report`: one file for a bug report. Values of environment variables are hidden, and Secrets are not read.

use std::fs::{File, OpenOptions};

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

/// Bytes of each log.
const MOST_OF_A_LOG: u64 = 4 << 20;

/// What stands in place of a value.
const HIDDEN: &str = "(hidden)";

/// Writes the file.
pub(super) async fn run(door: &Door, screen: &Screen, verb: &Report) -> Result<(), Failure> {
    let name = &verb.name;
    let object = door.project(name).await?;
    let (pods, jobs, revisions) = tokio::join!(door.pods(name), door.jobs(name), door.revisions(name));
    let (pods, events) = (pods?, door.events(name).await);
    let found = cause(&object, Around { pods: &pods, events: &events, flags: Some(&door.flags) });
    let mut files: Vec<(String, String)> = vec![
        (
            "explain.txt".to_owned(),
            without_secrets(&anstream::adapter::strip_str(&explain::text(&found)).to_string()),
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
            let mut log = vec![];
            if let Ok(stream) = door.log(&pod.name_any(), &params).await {
                // A log that breaks off is still of use.
                let _ = Box::pin(stream).take(MOST_OF_A_LOG).read_to_end(&mut log).await;
            }
            let log = String::from_utf8_lossy(&log).into_owned();
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
    let mut archive = tar::Builder::new(GzEncoder::new(only_for_its_user(path)?, Compression::default()));
    for (file, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_cksum();
        archive.append_data(&mut header, format!("{name}-report/{file}"), text.as_bytes())?;
    }
    archive.into_inner()?.finish()?.sync_all()
}

/// Creates the file. Others on the machine may not read it, even if it was there before.
fn only_for_its_user(path: &str) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

fn yaml(value: &Value) -> Result<String, Failure> {
    let mut value = value.clone();
    hide(&mut value);
    serde_yaml::to_string(&value).map_err(|error| Failure::error(format!("cannot write the report: {error}")))
}

/// Hides the values of variables and headers, what arguments set, secrets in URLs, and copies of whole objects in annotations.
fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("kubectl.kubernetes.io/last-applied-configuration");
            for (key, below) in map.iter_mut() {
                if matches!(key.as_str(), "env" | "args" | "httpHeaders") {
                    hide_variables(below);
                }
                if matches!(key.as_str(), "args" | "command") {
                    hide_arguments(below);
                }
                hide(below);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::String(text) if text.contains("://") => *text = without_secrets(text),
        _ => {}
    }
}

/// Hides what arguments set: `--token=…`, `--token …`, `-t…`, `-t …`, `TOKEN=…`, and so also the command of `sh -c`.
fn hide_arguments(arguments: &mut Value) {
    let mut is_value = false;
    for argument in arguments.as_array_mut().into_iter().flatten() {
        let Value::String(text) = argument else { continue };
        let is_flag = text.starts_with('-');
        let follows = std::mem::replace(&mut is_value, is_flag && !text.contains('='));
        let attached =
            text.char_indices().nth(2).map(|(at, _)| at).filter(|_| is_flag && !text.starts_with("--"));
        if follows && !is_flag {
            HIDDEN.clone_into(text);
        } else if let Some(at) = attached {
            text.replace_range(at.., HIDDEN);
        } else if let Some((name, _)) = text.split_once('=') {
            *text = format!("{name}={HIDDEN}");
        }
    }
}

/// The text without the logins and queries of its URLs.
fn without_secrets(text: &str) -> String {
    text.split_inclusive(char::is_whitespace).map(without_secret).collect()
}

fn without_secret(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let host_ends = place.find('/').unwrap_or(place.len());
    let (host, path) = place.split_at(host_ends);
    // Some servers take a token as the name of a login. Over ssh, and as `git`, the name is not secret.
    let host = match host.rsplit_once('@') {
        Some((login, host)) if login.contains(':') || (scheme != "ssh" && login != "git") => {
            format!("{HIDDEN}@{host}")
        }
        _ => host.to_owned(),
    };
    let after = query.map_or_else(String::new, |query| {
        let blank = query.chars().next_back().filter(|last| last.is_whitespace());
        format!("?{HIDDEN}{}", blank.map(String::from).unwrap_or_default())
    });
    format!("{scheme}://{host}{path}{after}")
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

    #[test]
    fn headers_arguments_and_urls_keep_their_names_and_lose_their_secrets() {
        let object = json!({
            "health": { "httpHeaders": [{ "name": "Authorization", "value": "hunter2" }] },
            "command": ["node", "server.js", "--token=hunter2", "--port", "hunter2", "--verbose", "-x"],
            "args": ["PASSWORD=hunter2", "serve", "sh", "-c", "login hunter2", "-p", "hunter2", "-phunter2"],
            "url": "https://me:hunter2@git.test/shop.git",
            "other": "https://hunter2@git.test/other.git",
            "message": "GET https://files.test/a.tgz?sig=hunter2 answered 403; see ssh://git@git.test/x?",
        });
        let text = yaml(&object).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        for kept in [
            "name: Authorization",
            "- server.js",
            "--token=(hidden)",
            "--port",
            "- -x",
            "PASSWORD=(hidden)",
            "- serve",
            "- -p(hidden)",
            "- sh",
            "- -c",
            "https://(hidden)@git.test/shop.git",
            "https://(hidden)@git.test/other.git",
            "GET https://files.test/a.tgz?(hidden) answered 403",
            "ssh://git@git.test/x",
        ] {
            assert!(text.contains(kept), "{kept} is not in\n{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_its_user_may_read_the_report() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.tar.gz");
        std::fs::write(&path, "old").unwrap();
        write(path.to_str().unwrap(), "shop", &[("a.txt".to_owned(), "a".to_owned())]).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
