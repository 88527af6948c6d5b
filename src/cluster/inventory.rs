//! The reads of the registry sweep: every build Job, every ControllerRevision and every project that it may list. Read
//! page by page from the newest state of the API server; no watch and no write.

use std::fmt::Debug;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::Job;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::Error;
use crate::crd::ProjectDeployment;
use crate::desired::names;

/// Objects per page.
const PAGE: u32 = 500;

/// Lists objects, in all namespaces or in one.
#[derive(Clone)]
pub struct Inventory {
    client: Client,
    namespace: Option<String>,
}

impl Inventory {
    /// An inventory through `client`, of all namespaces if `namespace` is `None`.
    #[must_use]
    pub fn new(client: Client, namespace: Option<String>) -> Self {
        Self { client, namespace }
    }

    /// Every build Job.
    pub async fn builds(&self) -> Result<Vec<Job>, Error> {
        let builds = format!("{}={}", names::ROLE, names::ROLE_BUILD);
        pages(&self.api::<Job>(), ListParams::default().labels(&builds), "build Jobs").await
    }

    /// Every ControllerRevision without its data, whatever its labels: a record without labels counts too.
    pub async fn revisions(&self) -> Result<Vec<PartialObjectMeta<ControllerRevision>>, Error> {
        self.metadata("ControllerRevisions").await
    }

    /// Every project.
    pub async fn projects(&self) -> Result<Vec<ProjectDeployment>, Error> {
        pages(&self.api::<ProjectDeployment>(), ListParams::default(), "ProjectDeployments").await
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    async fn metadata<K>(&self, what: &str) -> Result<Vec<PartialObjectMeta<K>>, Error>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        let (api, mut found, mut params) = (self.api::<K>(), vec![], ListParams::default().limit(PAGE));
        loop {
            let page = api.list_metadata(&params).await.map_err(|error| sorted(what, error))?;
            found.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(found),
            }
        }
    }
}

async fn pages<K>(api: &Api<K>, params: ListParams, what: &str) -> Result<Vec<K>, Error>
where
    K: Clone + DeserializeOwned + Debug,
{
    let (mut found, mut params) = (vec![], params.limit(PAGE));
    loop {
        let page = api.list(&params).await.map_err(|error| sorted(what, error))?;
        found.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}

fn sorted(what: &str, error: kube::Error) -> Error {
    Error::sort(&format!("list {what}"), error)
}
