//! A certificate authority of the tests' own, which the platform is told to trust (`build.caBundle` of the chart).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// Extensions by what a certificate is for. The address is given in the environment.
const SETTINGS: &str = "[req]\ndistinguished_name = name\n[name]\n[authority]\nbasicConstraints = critical, CA:TRUE\n\
    [server]\nbasicConstraints = CA:FALSE\nsubjectAltName = IP:$ENV::ADDRESS\n";

static AUTHORITY: OnceLock<Authority> = OnceLock::new();

/// Signs the certificates of servers.
pub struct Authority {
    directory: TempDir,
}

/// The one of this run.
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

    /// Certificate and key of a server at an IP address, both PEM.
    pub fn server(&self, address: &str) -> (String, String) {
        let (certificate, key) = (self.certificate(), self.file("authority.key"));
        self.make("server", address, &[Path::new("-CA"), &certificate, Path::new("-CAkey"), &key]);
        let read = |name: &str| std::fs::read_to_string(self.file(name)).unwrap();
        (read("server.crt"), read("server.key"))
    }

    fn make(&self, name: &str, address: &str, signed: &[&Path]) {
        let [certificate, key] = ["crt", "key"].map(|kind| self.file(&format!("{name}.{kind}")));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", "2", "-subj", &format!("/CN=node tests {name}"), "-extensions", name]);
        command
            .arg("-config")
            .arg(self.file("settings"))
            .arg("-keyout")
            .arg(key)
            .arg("-out")
            .arg(certificate);
        let output = command.args(signed).env("ADDRESS", address).output();
        let output = output.expect("openssl is among the packages of doce-cluster");
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}
