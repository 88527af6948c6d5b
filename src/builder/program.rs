//! Runs a program to its end with bounded output and time, never through a shell.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It could not be started.
    #[error("cannot start {program}: {source}; the image of the build pod must contain it")]
    Start { program: String, source: std::io::Error },
    /// It did not end in time.
    #[error("{program} did not end within {seconds} s")]
    Timeout { program: String, seconds: u64 },
    /// Its end could not be observed.
    #[error("cannot wait for {program}: {source}")]
    Wait { program: String, source: std::io::Error },
}

/// What a program printed and whether it succeeded.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) success: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
    /// The program printed more than the limit and was cut off.
    pub(super) cut: bool,
}

const MAX_STDERR: u64 = 64 * 1024;

/// Starts a program in its own process group. It ends when the returned child is dropped.
pub(super) fn start(command: &mut Command) -> Result<Child, Error> {
    command.stdin(Stdio::null()).kill_on_drop(true).process_group(0);
    command.spawn().map_err(|source| Error::Start { program: name(command), source })
}

/// Runs a program to its end, keeping at most `limit` bytes of its standard output.
pub(super) async fn output(command: &mut Command, limit: u64, time: Duration) -> Result<Output, Error> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = start(command)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let work = async {
        // Both pipes are dropped when full: a program that prints more gets SIGPIPE instead of blocking.
        let (stdout, stderr) = tokio::join!(read(stdout, limit + 1), read(stderr, MAX_STDERR));
        (stdout, stderr, child.wait().await)
    };
    let (mut stdout, stderr, status) = tokio::time::timeout(time, work)
        .await
        .map_err(|_| Error::Timeout { program: name(command), seconds: time.as_secs() })?;
    let status = status.map_err(|source| Error::Wait { program: name(command), source })?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let cut = stdout.len() > limit;
    stdout.truncate(limit);
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    Ok(Output { success: status.success() && !cut, stdout, stderr, cut })
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // After an error, what was read before it is the output.
        let _ = pipe.take(limit).read_to_end(&mut bytes).await;
    }
    bytes
}

fn name(command: &Command) -> String {
    command.as_std().get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn endless_output_is_cut_off() {
        let output = output(Command::new("yes").arg("no"), 1000, Duration::from_secs(20)).await.unwrap();
        assert!(output.cut && !output.success);
        assert_eq!(output.stdout.len(), 1000);
    }

    #[tokio::test]
    async fn a_hanging_program_is_killed() {
        let error = output(Command::new("sleep").arg("600"), 10, Duration::from_millis(50)).await;
        assert!(matches!(error, Err(Error::Timeout { .. })));
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = output(&mut Command::new("no-such-program"), 10, Duration::from_secs(1)).await;
        assert!(error.unwrap_err().to_string().contains("cannot start no-such-program"));
    }
}
