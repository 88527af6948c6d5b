//! A user at a terminal: the real kubectl in the namespace of a test. It knows nothing of the operator.

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::World;

/// The output and the success of kubectl.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Exit code 0.
    pub(crate) ok: bool,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Said {
    /// Standard output of a command that must succeed.
    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert!(self.ok, "kubectl failed: {}{}", self.out, self.err);
        self.out
    }

    /// Standard error of a command that must fail.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert!(!self.ok, "kubectl succeeded: {}", self.out);
        self.err
    }
}

impl World {
    /// Runs kubectl in the namespace of this test.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> Said {
        self.kubectl_reading(arguments, "").await
    }

    /// The same with standard input, as in `kubectl apply -f -`.
    pub(crate) async fn kubectl_reading(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = Command::new("kubectl");
        command.args(["--namespace", &self.namespace]).args(arguments);
        run(command, input).await
    }

    /// Runs a line in a shell, like a user who pastes a command from a message.
    pub(crate) async fn paste(&self, line: &str) -> Said {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        run(command, "").await
    }
}

async fn run(mut command: Command, input: &str) -> Said {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("doce-cluster provides kubectl");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    Said {
        ok: output.status.success(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
