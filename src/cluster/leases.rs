//! The Lease of the operators: read, create, replace. It bypasses the fence, because the fence depends on it.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::{Api, Client};

use super::Error;
use super::writes::by_us;

/// One Lease, which may not exist.
#[derive(Clone)]
pub struct Leases {
    api: Api<Lease>,
    namespace: String,
    name: String,
}

impl Leases {
    /// The Lease of that name, through a client without a fence.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The Lease; `None` if it does not exist.
    pub async fn read(&self) -> Result<Option<Lease>, Error> {
        self.api.get_opt(&self.name).await.map_err(|error| Error::sort(&self.to("read"), error))
    }

    /// Creates the Lease. It is a conflict if another operator was faster.
    pub async fn create(&self, spec: LeaseSpec) -> Result<Lease, Error> {
        let mut lease = Lease { spec: Some(spec), ..Lease::default() };
        lease.metadata.name = Some(self.name.clone());
        let what = self.to("create");
        self.api.create(&by_us(), &lease).await.map_err(|error| match error {
            // The namespace does not exist.
            kube::Error::Api(status) if status.code == 404 => {
                Error::Request { what, source: Box::new(kube::Error::Api(status)) }
            }
            error => Error::sort(&what, error),
        })
    }

    /// Writes `spec` if the Lease has not changed since `seen`.
    pub async fn replace(&self, seen: &Lease, spec: LeaseSpec) -> Result<Lease, Error> {
        let mut lease = seen.clone();
        lease.metadata.managed_fields = None;
        lease.spec = Some(spec);
        self.api
            .replace(&self.name, &by_us(), &lease)
            .await
            .map_err(|error| Error::sort(&self.to("write"), error))
    }

    fn to(&self, verb: &str) -> String {
        format!("{verb} {self}")
    }
}

impl std::fmt::Display for Leases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lease {} in namespace {}", self.name, self.namespace)
    }
}
