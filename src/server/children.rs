//! What the operator made for a project, read with the caller's token: build Jobs, records and ledger.

use std::fmt::Debug;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::ListParams;
use serde::de::DeserializeOwned;

use super::caller::Token;
use super::problem::Problem;
use super::refusal::{problem, too_large};
use super::site::Site;
use super::{Server, size};
use crate::desired::names;
use crate::memory::ledger::Ledger;
use crate::view::remembered::Remembered;

/// Objects of a page. A page is in memory at once.
const PAGE: u32 = 50;

/// Most objects that are read. A project has at most 100 records, and a build Job ends an hour after its build.
const MOST: usize = 500;

/// Most bytes of records that are kept for one answer.
const RECORDS: usize = 8 << 20;

/// What `keep` keeps of the objects with these labels, read page by page.
pub(super) async fn pages<K, T>(
    api: &Api<K>,
    labels: &str,
    mut keep: impl FnMut(K) -> Result<Option<T>, Problem>,
) -> Result<Vec<T>, Problem>
where
    K: Clone + DeserializeOwned + Debug,
{
    let mut params = ListParams::default().labels(labels).limit(PAGE);
    let (mut kept, mut read) = (vec![], 0);
    loop {
        let page = api.list(&params).await.map_err(|error| problem(&error, false))?;
        for object in page.items {
            read += 1;
            kept.extend(keep(object)?);
        }
        match page.metadata.continue_.filter(|token| !token.is_empty() && read < MOST) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(kept),
        }
    }
}

/// What `keep` keeps of the build Jobs of a project.
pub(super) async fn builds<T>(
    server: &Server,
    token: &Token,
    site: &Site,
    keep: impl Fn(&Job) -> T,
) -> Result<Vec<T>, Problem> {
    let jobs: Api<Job> = Api::namespaced(server.door.of(token), &site.namespace);
    let labels = format!("{}={},{}={}", names::PROJECT, site.name, names::ROLE, names::ROLE_BUILD);
    pages(&jobs, &labels, |job| Ok(names::is_build(&job).then(|| keep(&job)))).await
}

/// A Job of the namespace of a project.
pub(super) async fn job(
    server: &Server,
    token: &Token,
    site: &Site,
    id: &str,
) -> Result<Option<Job>, Problem> {
    let jobs: Api<Job> = Api::namespaced(server.door.of(token), &site.namespace);
    jobs.get_opt(id).await.map_err(|error| problem(&error, false))
}

/// Records and ledger of the project with this uid.
pub(super) async fn remembered(
    server: &Server,
    token: &Token,
    site: &Site,
    uid: &str,
) -> Result<Remembered, Problem> {
    let labels = format!("{}={},{}={uid}", names::PROJECT, site.name, names::UID);
    Ok(Remembered::read(&revisions(server, token, site, &labels).await?, uid))
}

/// The ledger of the project with this uid.
pub(super) async fn ledger(
    server: &Server,
    token: &Token,
    site: &Site,
    uid: &str,
) -> Result<Ledger, Problem> {
    let labels = format!(
        "{}={},{}={uid},{}={}",
        names::PROJECT,
        site.name,
        names::UID,
        names::ROLE,
        names::ROLE_LEDGER
    );
    Ok(Remembered::read(&revisions(server, token, site, &labels).await?, uid).ledger)
}

async fn revisions(
    server: &Server,
    token: &Token,
    site: &Site,
    labels: &str,
) -> Result<Vec<ControllerRevision>, Problem> {
    let revisions: Api<ControllerRevision> = Api::namespaced(server.door.of(token), &site.namespace);
    let mut bytes = 0;
    let keep = |revision: ControllerRevision| {
        bytes += size::of_text(&revision);
        if bytes > RECORDS { Err(too_large()) } else { Ok(Some(revision)) }
    };
    pages(&revisions, labels, keep).await
}
