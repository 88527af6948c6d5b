//! A certificate authority of the tests, which the platform trusts (`build.caBundle` of the chart).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// Extensions by purpose of a certificate. The environment contains the name.
const SETTINGS: &str = "[req]\ndistinguished_name = name\n[name]\n[authority]\nbasicConstraints = critical, CA:TRUE\n\
    [server]\nbasicConstraints = CA:FALSE\nsubjectAltName = $ENV::NAME\n";

static AUTHORITY: OnceLock<Authority> = OnceLock::new();

/// Signs certificates of servers and of their clients.
pub struct Authority {
    directory: TempDir,
}

/// The authority of this run.
pub fn authority() -> &'static Authority {
    AUTHORITY.get_or_init(|| {
        let authority = Authority { directory: tempfile::tempdir().unwrap() };
        std::fs::write(authority.file("settings"), SETTINGS).unwrap();
        authority.make("authority", "", &[]);
        authority
    })
}

impl Authority {
    /// Its own certificate, a PEM file.
    pub fn certificate(&self) -> PathBuf {
        self.file("authority.crt")
    }

    /// Certificate and key for a name such as `IP:10.0.0.1` or `DNS:builds.example.org`, both as PEM.
    pub fn signed(&self, name: &str) -> (String, String) {
        let (certificate, key) = (self.certificate(), self.file("authority.key"));
        self.make("server", name, &[Path::new("-CA"), &certificate, Path::new("-CAkey"), &key]);
        let read = |name: &str| std::fs::read_to_string(self.file(name)).unwrap();
        (read("server.crt"), read("server.key"))
    }

    fn make(&self, kind: &str, name: &str, signed: &[&Path]) {
        let [certificate, key] = ["crt", "key"].map(|part| self.file(&format!("{kind}.{part}")));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", "2", "-subj", &format!("/CN=node tests {kind}"), "-extensions", kind]);
        command
            .arg("-config")
            .arg(self.file("settings"))
            .arg("-keyout")
            .arg(key)
            .arg("-out")
            .arg(certificate);
        let output = command.args(signed).env("NAME", name).output();
        let output = output.expect("doce-cluster installs openssl");
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}
