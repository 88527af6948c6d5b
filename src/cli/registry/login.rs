//! The login of the user for a registry, as Docker keeps it: in its configuration file or by one of its helpers.

use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::Reference;
use oci_client::secrets::RegistryAuth;

use crate::cli::failure::Failure;

/// How Docker names its own registry.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The login for a repository; anonymous if Docker knows none.
pub(super) async fn of(repository: &str) -> Result<RegistryAuth, Failure> {
    let host = Reference::try_from(repository).map(|place| place.registry().to_owned()).unwrap_or_default();
    let server = if host == "docker.io" { DOCKER_HUB.to_owned() } else { host.clone() };
    let failed = |why: &dyn std::fmt::Display| {
        Failure::error(format!(
            "cannot read the login for {host} from the settings of Docker: {why}. Repeat docker login {host}"
        ))
    };
    // It may start a program that asks its user.
    let found = tokio::task::spawn_blocking(move || docker_credential::get_credential(&server)).await;
    match found.map_err(|error| failed(&error))? {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(RegistryAuth::Basic(user, password)),
        Ok(DockerCredential::IdentityToken(_)) => Err(failed(
            &"it is an identity token, which this program cannot use. Log in with a user name and a password or access token",
        )),
        Err(
            CredentialRetrievalError::NoCredentialConfigured
            | CredentialRetrievalError::ConfigNotFound
            | CredentialRetrievalError::ConfigReadError,
        ) => Ok(RegistryAuth::Anonymous),
        // That is how a helper says that it has none.
        Err(CredentialRetrievalError::HelperFailure { stdout, stderr, .. })
            if [&stdout, &stderr].iter().any(|said| said.contains("credentials not found")) =>
        {
            Ok(RegistryAuth::Anonymous)
        }
        Err(error) => Err(failed(&error)),
    }
}
