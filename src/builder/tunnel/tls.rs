//! Both ends of the TLS connection. No I/O.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, ClientConfig};
use rustls::crypto::ring;
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, ServerConfig};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme, version};

use crate::protocol::builder_key::{BuilderKey, Side};

/// Beginning of an Ed25519 private key in PKCS #8 (RFC 8410). The 32 bytes of the seed follow.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// What a connection is for, as a protocol name of ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Stays as long as the build pod works.
    Presence,
    /// Goes to BuildKit.
    BuildKit,
}

impl Purpose {
    const ALL: [Self; 2] = [Self::Presence, Self::BuildKit];

    fn name(self) -> &'static [u8] {
        match self {
            Self::Presence => b"doce-presence",
            Self::BuildKit => b"doce-buildkit",
        }
    }

    /// The purpose that both ends agreed on.
    pub(super) fn agreed(name: Option<&[u8]>) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| Some(purpose.name()) == name)
    }
}

/// Settings of the build pod for a connection of this purpose.
pub(super) fn build_side(key: &BuilderKey, purpose: Purpose) -> Result<ClientConfig, Error> {
    let own = key_pair(key, Side::Build)?;
    let verifier = Arc::new(Expected::new(key, Side::Builder)?);
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13])?
        .dangerous() // The verifier is ours. It accepts one public key.
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(own)));
    config.alpn_protocols = vec![purpose.name().to_vec()];
    Ok(config)
}

/// Settings of the builder pod.
pub(super) fn builder_side(key: &BuilderKey) -> Result<ServerConfig, Error> {
    let own = key_pair(key, Side::Builder)?;
    let verifier = Arc::new(Expected::new(key, Side::Build)?);
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(own)));
    config.alpn_protocols = Purpose::ALL.iter().map(|purpose| purpose.name().to_vec()).collect();
    config.max_early_data_size = 0;
    config.send_tls13_tickets = 0; // Each connection proves that both ends have the key.
    Ok(config)
}

/// The server name that TLS asks for. The public key decides, not the name.
pub(super) fn server_name() -> ServerName<'static> {
    ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into())
}

fn key_pair(key: &BuilderKey, side: Side) -> Result<Arc<CertifiedKey>, Error> {
    let (signing, public) = signing_key(key, side)?;
    Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(public.to_vec())], signing)))
}

fn signing_key(
    key: &BuilderKey,
    side: Side,
) -> Result<(Arc<dyn SigningKey>, SubjectPublicKeyInfoDer<'static>), Error> {
    let encoded = [&PKCS8[..], &key.seed(side)].concat();
    let signing = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(encoded))?;
    let public = signing.public_key().ok_or(Error::General("the key has no public key".to_owned()))?;
    let public = SubjectPublicKeyInfoDer::from(public.to_vec());
    Ok((signing, public))
}

/// Accepts one public key.
#[derive(Debug)]
struct Expected {
    public: SubjectPublicKeyInfoDer<'static>,
    provider: CryptoProvider,
}

impl Expected {
    fn new(key: &BuilderKey, side: Side) -> Result<Self, Error> {
        Ok(Self { public: signing_key(key, side)?.1, provider: ring::default_provider() })
    }

    fn check(&self, presented: &CertificateDer<'_>) -> Result<(), Error> {
        let same = presented.as_ref() == self.public.as_ref();
        if same { Ok(()) } else { Err(Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)) }
    }

    fn check_signature(
        &self,
        message: &[u8],
        presented: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let public = SubjectPublicKeyInfoDer::from(presented.as_ref());
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &public, signature, algorithms)
    }

    fn schemes() -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// TLS 1.2 is not offered.
fn too_old() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
}

impl ServerCertVerifier for Expected {
    fn verify_server_cert(
        &self,
        presented: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(presented).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _presented: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        presented: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, presented, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Self::schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Expected {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        presented: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(presented).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _presented: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        presented: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, presented, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Self::schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
