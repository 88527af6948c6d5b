//! The certificates of one cluster: an authority, one server certificate, and client certificates on demand.
//! The authority's key is in the cluster's runtime directory, which `down` removes.

use std::{
    fs,
    io::Write,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::json;

use crate::{Attempt, Error};

/// The certificate authority of one cluster.
#[derive(Debug)]
pub struct Pki {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, PEM.
    pub cert: PathBuf,
    /// Its private key, PEM, which only its owner can read.
    pub key: PathBuf,
}

impl Pki {
    /// Creates an authority and a key pair for service account tokens in `dir`.
    pub fn create(dir: PathBuf) -> Result<Self, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "doce-cluster");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = new_key("the authority")?;
        let cert = params
            .self_signed(&key)
            .map_err(|error| Error::failed("create the cluster's authority", error))?;
        write(&dir.join("ca.crt"), &cert.pem())?;
        write(&dir.join("ca.key"), &key.serialize_pem())?;
        let tokens = new_key("service account tokens")?;
        write(&dir.join("service-accounts.key"), &tokens.serialize_pem())?;
        write(&dir.join("service-accounts.pub"), &tokens.public_key_pem())?;
        Ok(Self { dir, issuer: Issuer::new(params, key) })
    }

    /// The authority's certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// The authority's key. The controller manager signs certificate requests with it.
    #[must_use]
    pub fn ca_key(&self) -> PathBuf {
        self.dir.join("ca.key")
    }

    /// The key that signs service account tokens.
    #[must_use]
    pub fn service_accounts_key(&self) -> PathBuf {
        self.dir.join("service-accounts.key")
    }

    /// The key that verifies service account tokens.
    #[must_use]
    pub fn service_accounts_public_key(&self) -> PathBuf {
        self.dir.join("service-accounts.pub")
    }

    /// A certificate for a server with these names and addresses. A client may use it too.
    pub fn server(&self, name: &str, names: &[&str], addresses: &[IpAddr]) -> Result<Identity, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        for name in names {
            let dns = (*name).try_into().map_err(|error| Error::failed(format!("certify {name}"), error))?;
            params.subject_alt_names.push(SanType::DnsName(dns));
        }
        params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(name, params)
    }

    /// A client certificate. Kubernetes reads the user from the common name and the groups from the organization.
    pub fn client(&self, file: &str, user: &str, group: Option<&str>) -> Result<Identity, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(file, params)
    }

    /// A kubeconfig with a new client certificate.
    pub fn kubeconfig(
        &self,
        server: &str,
        file: &str,
        user: &str,
        group: Option<&str>,
    ) -> Result<PathBuf, Error> {
        let identity = self.client(file, user, group)?;
        let path = self.dir.join(format!("{file}.kubeconfig"));
        // JSON is valid YAML and needs no quoting rules.
        let text = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "doce", "cluster": {"server": server, "certificate-authority": self.ca()}}],
            "users": [{"name": user, "user": {"client-certificate": identity.cert, "client-key": identity.key}}],
            "contexts": [{"name": "doce", "context": {"cluster": "doce", "user": user}}],
            "current-context": "doce",
        });
        write(&path, &format!("{text:#}\n"))?;
        Ok(path)
    }

    fn issue(&self, file: &str, mut params: CertificateParams) -> Result<Identity, Error> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = new_key(file)?;
        let cert = params
            .signed_by(&key, &self.issuer)
            .map_err(|error| Error::failed(format!("sign the certificate of {file}"), error))?;
        let identity = Identity {
            cert: self.dir.join(format!("{file}.crt")),
            key: self.dir.join(format!("{file}.key")),
        };
        write(&identity.cert, &cert.pem())?;
        write(&identity.key, &key.serialize_pem())?;
        Ok(identity)
    }
}

fn new_key(whose: &str) -> Result<KeyPair, Error> {
    KeyPair::generate().map_err(|error| Error::failed(format!("create a key for {whose}"), error))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let attempt = || format!("write {}", path.display());
    let mut file = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .attempt(attempt)?;
    file.write_all(text.as_bytes()).attempt(attempt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_names_files_that_exist() {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::create(dir.path().to_owned()).unwrap();
        let path =
            pki.kubeconfig("https://127.0.0.1:6443", "admin", "admin", Some("system:masters")).unwrap();
        let config: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!(config["clusters"][0]["cluster"]["server"], "https://127.0.0.1:6443");
        for pointer in ["/clusters/0/cluster/certificate-authority", "/users/0/user/client-key"] {
            let file = config.pointer(pointer).unwrap().as_str().unwrap();
            assert!(fs::read_to_string(file).unwrap().starts_with("-----BEGIN "), "{file}");
        }
    }
}
