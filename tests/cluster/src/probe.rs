//! Probes a component from outside: does it listen, does it report that it is healthy.
//! It checks once. The supervisor repeats checks until a deadline.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    process::Command,
    time::Duration,
};

use crate::error::last_lines;

/// The timeout of one connection and of one answer. The supervisor probes again after it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something accepts connections at `address`.
pub fn listens(address: SocketAddr) -> Result<(), String> {
    TcpStream::connect_timeout(&address, PATIENCE)
        .map(drop)
        .map_err(|error| format!("{address} does not accept connections ({error})"))
}

/// `http://<address><path>` answers 200.
pub fn http(address: SocketAddr, path: &str) -> Result<(), String> {
    let answer =
        get(address, path).map_err(|error| format!("http://{address}{path} does not answer ({error})"))?;
    let status = answer.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) == Some("200") {
        return Ok(());
    }
    Err(format!("http://{address}{path} answers {status:?}"))
}

/// The body that `http://host:port[/path]` answers with status 200.
pub fn body(url: &str) -> Result<String, String> {
    let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url} is not an http:// URL"))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let resolved = host.to_socket_addrs().map_err(|error| format!("{host} cannot be resolved ({error})"))?;
    let address = resolved.into_iter().next().ok_or_else(|| format!("{host} has no address"))?;
    let answer = get(address, if path.is_empty() { "/" } else { path })
        .map_err(|error| format!("{url} does not answer ({error})"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(format!("{url} answers {status:?}"));
    }
    Ok(body.to_owned())
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Runs a program and returns its standard output; an error has the last lines of its error output.
pub fn succeeds(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{} cannot be run ({error})", command.get_program().display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(last_lines(&String::from_utf8_lossy(&output.stderr), 3))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![];
            while !request.ends_with(b"\r\n\r\n") {
                let mut part = [0; 512];
                let length = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..length]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn only_status_200_is_healthy() {
        assert_eq!(http(answering("HTTP/1.0 200 OK\r\n\r\nok"), "/health"), Ok(()));
        let error = http(answering("HTTP/1.0 503 Service Unavailable\r\n\r\n"), "/health").unwrap_err();
        assert!(error.contains("503"), "{error}");
    }

    #[test]
    fn body_returns_what_curl_prints() {
        let address = answering("HTTP/1.0 200 OK\r\na: b\r\n\r\nhello\n");
        assert_eq!(body(&format!("http://{address}")).unwrap(), "hello\n");
        assert!(body("https://h").unwrap_err().contains("not an http://"));
    }

    #[test]
    fn a_failed_program_returns_its_error_output() {
        let error = succeeds(Command::new("ls").arg("/does/not/exist")).unwrap_err();
        assert!(error.contains("/does/not/exist"), "{error}");
    }
}
