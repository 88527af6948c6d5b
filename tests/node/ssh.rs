//! A repository behind OpenSSH's own server, at an address of this machine that pods can reach.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tempfile::TempDir;

use crate::repository::variable;

/// Longest wait until the server listens.
const PATIENCE: Duration = Duration::from_mins(5);

/// Serves one repository to the owner of one key, and nothing else. It ends when this value is dropped.
pub struct SshServer {
    /// URL of the repository for build pods.
    pub url: String,
    /// The private key that it accepts.
    pub identity: String,
    /// Its host key, as a line of `ssh-keyscan`.
    pub known_hosts: String,
    server: Child,
    words: Arc<Mutex<String>>,
    _directory: TempDir,
}

impl SshServer {
    /// Waits until it listens.
    pub fn start(repository: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        let (address, port) = free();
        let key = |name: &str| KeyPair::new(&file(name));
        let (host, client) = (key("host"), key("client"));
        // Whatever command the client requests, it gets this one.
        let command = format!("git-upload-pack '{}'", repository.display());
        fs::write(file("keys"), format!("command=\"{command}\",restrict {}", client.public)).unwrap();
        fs::write(file("settings"), settings(&address, port, directory.path())).unwrap();
        let (server, words) = run(&file("settings"));
        Self {
            // Node tests run as root, and so does this server.
            url: format!("ssh://root@{address}:{port}/shop.git"),
            identity: client.private,
            known_hosts: format!("[{address}]:{port} {}\n", host.public),
            server,
            words,
            _directory: directory,
        }
    }

    /// True if a client has logged in so far.
    pub fn was_entered(&self) -> bool {
        self.words.lock().unwrap().contains("Accepted publickey")
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let ended = self.server.kill().and_then(|()| self.server.wait());
        assert!(std::thread::panicking() || ended.is_ok(), "sshd: {ended:?}");
    }
}

/// A key pair, created by `ssh-keygen`.
pub struct KeyPair {
    /// The private key, without a passphrase.
    pub private: String,
    /// The public key: its type and the key itself.
    pub public: String,
}

impl KeyPair {
    /// Creates the two files.
    pub fn new(file: &Path) -> Self {
        output(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(file));
        let read = |file: PathBuf| fs::read_to_string(file).unwrap();
        let public = read(file.with_extension("pub")).trim().to_owned();
        Self { private: read(file.to_owned()), public }
    }
}

/// The node's address for servers, and a free port there.
fn free() -> (String, u16) {
    let url = variable("DOCE_GIT_URL");
    let place = url.trim_start_matches("http://");
    let address = place.to_socket_addrs().unwrap().next().unwrap().ip();
    let port = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
    (address.to_string(), port)
}

fn settings(address: &str, port: u16, directory: &Path) -> String {
    let directory = directory.display();
    // Temporary directories are world-writable, and the machine's login rules are not under test.
    format!(
        "ListenAddress {address}:{port}\nHostKey {directory}/host\nAuthorizedKeysFile {directory}/keys\nPidFile none\n\
         AuthenticationMethods publickey\nPermitRootLogin forced-commands-only\nAcceptEnv GIT_PROTOCOL\n\
         StrictModes no\nUsePAM no\n"
    )
}

/// The server and its output.
fn run(settings: &Path) -> (Child, Arc<Mutex<String>>) {
    // sshd isolates itself in this directory while a client is unauthenticated. Normally its service unit creates the
    // directory.
    fs::create_dir_all("/run/sshd").unwrap();
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f"]).arg(settings).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut server = command.spawn().expect("doce-cluster installs openssh-server");
    let lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let words = Arc::new(Mutex::new(String::new()));
    let (noted, (listens, listening)) = (words.clone(), mpsc::channel());
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            noted.lock().unwrap().extend([line.as_str(), "\n"]);
            if line.starts_with("Server listening") {
                let _ = listens.send(());
            }
        }
    });
    let up = listening.recv_timeout(PATIENCE);
    assert!(up.is_ok(), "sshd does not listen: {}", words.lock().unwrap());
    (server, words)
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("openssh-server includes openssh-client");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
