//! Git's smart HTTP: passes each request to `git http-backend`, Git's own program for web servers.
//! That program rejects pushes without a login. A repository with a file `credentials` (`user:password`) is private:
//! requests need these credentials (RFC 7617).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdout, Command},
};
use tokio_util::io::ReaderStream;

/// In bytes. A fetch sends only what it wants and has, so a longer request is not a fetch.
const LONGEST_REQUEST: usize = 64 << 20;

pub(super) fn router(repositories: PathBuf) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(repositories))
}

async fn answer(State(repositories): State<Arc<PathBuf>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !may_read(&repositories, &parts) {
        let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"repositories\"")];
        return (StatusCode::UNAUTHORIZED, ask).into_response();
    }
    let Ok(body) = to_bytes(body, LONGEST_REQUEST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut command = backend(&repositories, &parts);
    command.env("CONTENT_LENGTH", body.len().to_string());
    match exchange(command, &body).await {
        Ok(response) => response,
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("git http-backend: {error}\n")).into_response()
        }
    }
}

fn may_read(repositories: &Path, parts: &Parts) -> bool {
    let name = parts.uri.path().trim_start_matches('/').split('/').next().unwrap_or_default();
    let Ok(wanted) = fs::read_to_string(repositories.join(name).join("credentials")) else { return true };
    let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given == Some(&format!("Basic {}", BASE64_STANDARD.encode(wanted.trim())))
}

/// `git http-backend` with the request in its environment, as RFC 3875 (CGI) defines.
fn backend(repositories: &PathBuf, parts: &Parts) -> Command {
    let value = |name: header::HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let mut command = Command::new("git");
    // Serve repositories of any owner, and ignore the Git settings of the user.
    command.args(["-c", "safe.directory=*", "http-backend"]);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_PROJECT_ROOT", repositories).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("REQUEST_METHOD", parts.method.as_str()).env("PATH_INFO", parts.uri.path());
    command.env("QUERY_STRING", parts.uri.query().unwrap_or_default());
    let passed = [
        ("CONTENT_TYPE", header::CONTENT_TYPE),
        ("HTTP_CONTENT_ENCODING", header::CONTENT_ENCODING),
        ("GIT_PROTOCOL", header::HeaderName::from_static("git-protocol")),
    ];
    for (variable, name) in passed {
        command.env_remove(variable);
        if let Some(value) = value(name) {
            command.env(variable, value);
        }
    }
    command.env_remove("REMOTE_USER");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    command
}

async fn exchange(mut command: Command, body: &[u8]) -> std::io::Result<Response> {
    let mut child = command.spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
        return Err(std::io::Error::other("no pipes"));
    };
    // git reads the whole request before it answers, so this write cannot deadlock with its output. The write fails if
    // git exits early; its answer then says why.
    let _early = stdin.write_all(body).await;
    drop(stdin);
    let mut stdout = BufReader::new(stdout);
    let (status, headers) = head(&mut stdout).await?;
    let mut response = Response::new(Body::from_stream(ReaderStream::new(stdout)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    tokio::spawn(collect(child));
    Ok(response)
}

async fn collect(mut child: Child) {
    if let Err(error) = child.wait().await {
        eprintln!("git http-backend: {error}");
    }
}

/// Reads header lines up to the empty line. Without a `Status` header the status is 200.
async fn head(stdout: &mut BufReader<ChildStdout>) -> std::io::Result<(StatusCode, HeaderMap)> {
    let (mut status, mut headers) = (StatusCode::OK, HeaderMap::new());
    let mut line = String::new();
    loop {
        line.clear();
        if stdout.read_line(&mut line).await? == 0 {
            return Err(std::io::Error::other("it ended without an answer; see the log for its output"));
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else { return Ok((status, headers)) };
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().unwrap_or_default();
            status = code.parse().map_err(std::io::Error::other)?;
        } else if let (Ok(name), Ok(value)) = (name.parse::<header::HeaderName>(), value.parse()) {
            headers.append(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, process};

    use super::*;

    fn git(dir: &Path, arguments: &[&str]) -> (bool, String) {
        let output = process::Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .env("GIT_TERMINAL_PROMPT", "0")
            .current_dir(dir)
            .output()
            .unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_repository_can_be_cloned_but_not_pushed_to() {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("work");
        std::fs::create_dir(&work).unwrap();
        assert!(git(&work, &["init", "--quiet"]).0);
        std::fs::write(work.join("index.html"), "hello").unwrap();
        assert!(git(&work, &["add", "."]).0 && git(&work, &["commit", "--quiet", "--message=one"]).0);
        assert!(git(dir.path(), &["clone", "--quiet", "--bare", "work", "served/shop.git"]).0);

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/shop.git", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router(dir.path().join("served"))).into_future());
        let (cloned, text) = git(dir.path(), &["clone", "--quiet", "--depth=1", &url, "clone"]);
        assert!(cloned, "{text}");
        assert_eq!(std::fs::read_to_string(dir.path().join("clone/index.html")).unwrap(), "hello");
        let (pushed, text) = git(&work, &["push", "--quiet", &url, "HEAD:other"]);
        assert!(!pushed && text.contains("403"), "{text}");
        std::fs::write(dir.path().join("served/shop.git/credentials"), "ann:secret\n").unwrap();
        let (read, text) = git(dir.path(), &["ls-remote", &url]);
        assert!(!read && text.contains("could not read Username"), "{text}");
        let (read, text) = git(dir.path(), &["ls-remote", &url.replace("://", "://ann:secret@")]);
        assert!(read, "{text}");
        let (found, text) = git(dir.path(), &["ls-remote", &url.replace("shop", "none")]);
        assert!(!found && text.contains("not found"), "{text}");
    }
}
