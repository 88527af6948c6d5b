//! The few reads that no cache can answer. None of them happens for a settled project.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::Value;

use super::{Cluster, Error};
use crate::desired::names;
use crate::project::Project;

/// Services of a namespace that are searched for the holder of a port.
const SERVICES: u32 = 500;

impl Cluster {
    /// Reads the content of a ConfigMap; `None` if it does not exist.
    pub async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, Error> {
        let api: Api<ConfigMap> = self.api(namespace);
        api.get_opt(name).await.map_err(|error| Error::sort(&format!("read ConfigMap {name}"), error))
    }

    /// The Service of this namespace that uses a node port. Services of other namespaces are not the asker's business.
    /// Read only for the message of a rejected write, and at most one page.
    pub async fn holder_of_port(&self, namespace: &str, port: u16) -> Option<String> {
        let api: Api<Service> = self.api(namespace);
        let services = api.list(&ListParams::default().limit(SERVICES)).await.ok()?;
        let holds = |service: &&Service| {
            let ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
            ports.into_iter().any(|there| there.node_port == Some(i32::from(port)))
        };
        services.items.iter().find(holds).map(ResourceExt::name_any)
    }

    /// Asks the API server whether it would accept this Deployment: a server-side apply as dry run.
    pub async fn ask_about_deployment(&self, project: &Project, want: Value) -> Result<(), Error> {
        let what = format!("apply Deployment {}", project.name);
        let params = PatchParams::apply(names::MANAGER).force().dry_run();
        let api: Api<Deployment> = self.api(&project.namespace);
        let asked = api.patch(&project.name, &params, &Patch::Apply(want)).await;
        asked.map(drop).map_err(|error| Error::sort(&what, error))
    }

    /// Whether a Job exists that no cache has.
    pub async fn has_job(&self, namespace: &str, name: &str, uid: &str) -> Result<bool, Error> {
        let api: Api<Job> = self.api(namespace);
        let there = api.get_metadata_opt(name).await;
        let there = there.map_err(|error| Error::sort(&format!("read Job {name}"), error))?;
        Ok(there.is_some_and(|job| job.uid().as_deref() == Some(uid)))
    }

    /// The API server answers.
    pub async fn reachable(&self) -> bool {
        self.client.apiserver_version().await.is_ok()
    }

    /// Reads the pods of a Job. If the watch of pods lags behind that of Jobs, only this finds the report.
    pub async fn pods_of(&self, job: &Job) -> Result<Vec<Arc<Pod>>, Error> {
        let api: Api<Pod> = self.api(&job.namespace().unwrap_or_default());
        let labels = format!("batch.kubernetes.io/job-name={}", job.name_any());
        let pods = api.list(&ListParams::default().labels(&labels)).await;
        let pods =
            pods.map_err(|error| Error::sort(&format!("read the pods of Job {}", job.name_any()), error))?;
        Ok(pods.items.into_iter().map(Arc::new).collect())
    }
}
