//! The only place where the CLI talks to the API server, with the rights of its user. No call needs more than the
//! `ClusterRole` `edit` in one namespace, except those that say so.

mod uploads;

use futures::{AsyncBufRead, Stream};
use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Pod, ResourceQuota};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::core::Status;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource as _, ResourceExt as _};
use serde_json::Value;

use super::connection::Connection;
use super::events::Children;
use super::failure::Failure;
use crate::crd::ProjectDeployment;
use crate::desired::names;
use crate::request::Request;
use crate::text::with_causes;
use crate::view::owners::CLI;
use crate::view::remembered::Remembered;
pub(super) use uploads::{PortForward, Uploads};

/// One namespace of a cluster.
pub(super) struct Door {
    client: Client,
    /// The namespace.
    pub(super) namespace: String,
    /// The flags of commands that act on this namespace of this cluster.
    pub(super) flags: String,
}

/// What an apply does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Applying {
    /// The API server only checks and answers.
    pub(super) dry_run: bool,
    /// Take fields from other managers.
    pub(super) force: bool,
}

impl Door {
    /// Connects with the settings of kubectl.
    pub(super) async fn open(connection: &Connection) -> Result<Self, Failure> {
        let config = connection.config().await?;
        let namespace = config.default_namespace.clone();
        let client = Client::try_from(config)
            .map_err(|error| Failure::error(format!("cannot connect: {}", with_causes(&error))))?;
        let flags = connection.flags(&namespace);
        Ok(Self { client, namespace, flags })
    }

    fn failure(&self, doing: &str, error: &kube::Error) -> Failure {
        Failure::api(doing, error, &self.flags)
    }

    fn projects_here(&self) -> Api<ProjectDeployment> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The project with this name.
    pub(super) async fn project(&self, name: &str) -> Result<ProjectDeployment, Failure> {
        let doing = format!("read project {name} in namespace {}", self.namespace);
        match self.projects_here().get_opt(name).await {
            Ok(Some(object)) => Ok(object),
            Ok(None) => Err(self.missing(name).await),
            Err(error) => Err(self.failure(&doing, &error)),
        }
    }

    /// The project with this name, if it exists.
    pub(super) async fn project_if_there(&self, name: &str) -> Result<Option<ProjectDeployment>, Failure> {
        let doing = format!("read project {name} in namespace {}", self.namespace);
        self.projects_here().get_opt(name).await.map_err(|error| self.failure(&doing, &error))
    }

    async fn missing(&self, name: &str) -> Failure {
        // The API server also answers 404 if it does not know the resource at all. Then the list fails, and says so.
        let there = match self.projects(false, None).await {
            Ok(there) => there,
            Err(failure) => return failure,
        };
        let names: Vec<String> = there.iter().map(kube::ResourceExt::name_any).collect();
        let there = if names.is_empty() {
            "It has no projects".to_owned()
        } else {
            format!("It has: {}", names.join(", "))
        };
        Failure::error(format!(
            "project {name} does not exist in namespace {}. {there}. Choose another namespace with -n",
            self.namespace
        ))
    }

    /// The projects of the namespace, or of all namespaces, by these labels. All namespaces need a right on the whole cluster.
    pub(super) async fn projects(
        &self,
        everywhere: bool,
        labels: Option<&str>,
    ) -> Result<Vec<ProjectDeployment>, Failure> {
        let api = if everywhere { Api::all(self.client.clone()) } else { self.projects_here() };
        let mut params = ListParams::default();
        if let Some(labels) = labels {
            params = params.labels(labels);
        }
        let doing = if everywhere {
            "list projects in all namespaces".to_owned()
        } else {
            format!("list projects in namespace {}", self.namespace)
        };
        match api.list(&params).await {
            Ok(list) => Ok(list.items),
            Err(kube::Error::Api(status)) if everywhere && status.code == 403 => {
                Err(Failure::error(format!(
                    "cannot {doing}: {}. Leave -A out to see namespace {}, or ask for the ClusterRole view in the whole cluster",
                    status.message.trim_end_matches('.'),
                    self.namespace
                )))
            }
            Err(error) => Err(self.failure(&doing, &error)),
        }
    }

    /// The project now and after each change; `None` when it does not exist.
    pub(super) fn watch(
        &self,
        name: &str,
    ) -> impl Stream<Item = Result<Option<ProjectDeployment>, watcher::Error>> + Send + use<> {
        watcher::watch_object(self.projects_here(), name).default_backoff()
    }

    /// Makes requests, in one write with another change. Returns the changed project.
    pub(super) async fn request(
        &self,
        name: &str,
        change: Value,
        requests: &[Request],
        token: &str,
    ) -> Result<ProjectDeployment, Failure> {
        let mut patch = change;
        for request in requests {
            merge(&mut patch, request.patch(token));
        }
        let words: Vec<&str> = requests.iter().map(|request| request.kind().word()).collect();
        self.patch(name, &patch, &format!("request {} of project {name}", words.join(" and "))).await
    }

    /// Writes a merge patch.
    pub(super) async fn patch(
        &self,
        name: &str,
        patch: &Value,
        doing: &str,
    ) -> Result<ProjectDeployment, Failure> {
        self.merge_patch(name, patch, doing, false).await
    }

    /// The project as a merge patch would make it. The API server checks it, and nothing is written.
    pub(super) async fn would_patch(&self, name: &str, patch: &Value) -> Result<ProjectDeployment, Failure> {
        let doing = format!("check the change of project {name} in namespace {}", self.namespace);
        self.merge_patch(name, patch, &doing, true).await
    }

    async fn merge_patch(
        &self,
        name: &str,
        patch: &Value,
        doing: &str,
        dry_run: bool,
    ) -> Result<ProjectDeployment, Failure> {
        let params = PatchParams { dry_run, field_manager: Some(CLI.to_owned()), ..PatchParams::default() };
        match self.projects_here().patch(name, &params, &Patch::Merge(patch)).await {
            Ok(object) => Ok(object),
            Err(kube::Error::Api(status)) if status.code == 404 => Err(self.missing(name).await),
            Err(error) => Err(self.failure(doing, &error)),
        }
    }

    /// Applies a manifest on the server's side.
    pub(super) async fn apply(
        &self,
        name: &str,
        manifest: &Value,
        applying: Applying,
    ) -> Result<ProjectDeployment, Failure> {
        let api = self.projects_here();
        let patch = Patch::Apply(manifest);
        let mut params = PatchParams {
            dry_run: applying.dry_run,
            force: applying.force,
            field_manager: Some(CLI.to_owned()),
            field_validation: Some(kube::api::ValidationDirective::Strict),
        };
        let mut applied = api.patch(name, &params, &patch).await;
        // To the API server, an update such as scale and an apply of the same program are two managers.
        if matches!(&applied, Err(kube::Error::Api(status)) if conflicts_only_with_itself(status)) {
            params.force = true;
            applied = api.patch(name, &params, &patch).await;
        }
        applied.map_err(|error| match &error {
            kube::Error::Api(status) if status.code == 409 => Failure::error(format!(
                "{}. Change these fields with the tool that owns them, or take them over: --force-conflicts",
                status.message.trim_end_matches('.')
            )),
            _ => self.failure(&format!("apply project {name} in namespace {}", self.namespace), &error),
        })
    }

    /// Deletes a project, and with it what belongs to it.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Failure> {
        let doing = format!("delete project {name} in namespace {}", self.namespace);
        match self.projects_here().delete(name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(self.failure(&doing, &error)),
        }
    }

    /// Creates a ConfigMap that is deleted with a project.
    pub(super) async fn create_config_map(
        &self,
        owner: &ProjectDeployment,
        name: &str,
        data: Value,
    ) -> Result<(), Failure> {
        let doing = format!("create ConfigMap {name} in namespace {}", self.namespace);
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            owner_references: owner.owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        };
        let data = serde_json::from_value(data).unwrap_or_default();
        let object = ConfigMap { metadata, data, ..ConfigMap::default() };
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let created = api.create(&PostParams::default(), &object).await;
        created.map(drop).map_err(|error| self.failure(&doing, &error))
    }

    /// What the operator remembers about a project.
    pub(super) async fn remembered(&self, object: &ProjectDeployment) -> Result<Remembered, Failure> {
        let revisions = self.of_project::<ControllerRevision>(&object.name_any()).await?;
        Ok(Remembered::read(&revisions, object.uid().as_deref().unwrap_or_default()))
    }

    /// The pods of a project, the oldest first.
    pub(super) async fn pods(&self, project: &str) -> Result<Vec<Pod>, Failure> {
        let mut pods = self.of_project::<Pod>(project).await?;
        oldest_first(&mut pods);
        Ok(pods)
    }

    /// One pod, if it exists.
    pub(super) async fn pod(&self, name: &str) -> Result<Option<Pod>, kube::Error> {
        Api::<Pod>::namespaced(self.client.clone(), &self.namespace).get_opt(name).await
    }

    /// The pods of a project now and as they come.
    pub(super) fn watch_pods(
        &self,
        project: &str,
    ) -> impl Stream<Item = Result<Pod, watcher::Error>> + Send + use<> {
        let labels = watcher::Config::default().labels(&format!("{}={project}", names::PROJECT));
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        watcher(api, labels).default_backoff().applied_objects()
    }

    /// The Jobs of a project.
    pub(super) async fn jobs(&self, project: &str) -> Result<Vec<Job>, Failure> {
        self.of_project(project).await
    }

    /// Events about a project and its children, as far as the user may read them.
    pub(super) async fn events(&self, project: &str) -> Vec<Event> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let everything = ListParams::default();
        let (events, pods, jobs, sets) = tokio::join!(
            api.list(&everything),
            self.of_project::<Pod>(project),
            self.of_project::<Job>(project),
            self.of_project::<ReplicaSet>(project),
        );
        let mut children = Children::new(project);
        children.add(&pods.unwrap_or_default());
        children.add_with_pods(&jobs.unwrap_or_default());
        children.add_with_pods(&sets.unwrap_or_default());
        let events = events.map(|list| list.items).unwrap_or_default();
        events.into_iter().filter(|event| children.concern(event)).collect()
    }

    async fn of_project<K>(&self, project: &str) -> Result<Vec<K>, Failure>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let labels = ListParams::default().labels(&format!("{}={project}", names::PROJECT));
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        let doing = format!("list {} of project {project} in namespace {}", K::plural(&()), self.namespace);
        Ok(api.list(&labels).await.map_err(|error| self.failure(&doing, &error))?.items)
    }

    /// The log of a container.
    pub(super) async fn log(
        &self,
        pod: &str,
        params: &LogParams,
    ) -> Result<impl AsyncBufRead + use<>, kube::Error> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        api.log_stream(pod, params).await
    }

    /// Whether the user may do this, and the API server's reason if not.
    pub(super) async fn may(&self, verb: &str, group: &str, resource: &str) -> Result<bool, Failure> {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    namespace: Some(self.namespace.clone()),
                    verb: Some(verb.to_owned()),
                    group: Some(group.to_owned()),
                    resource: Some(resource.to_owned()),
                    subresource: Some(subresource.to_owned()).filter(|part| !part.is_empty()),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let answer = api.create(&PostParams::default(), &review).await;
        let answer = answer.map_err(|error| self.failure("ask for your rights", &error))?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    /// Version of the API server, such as `v1.35.2`.
    pub(super) async fn server_version(&self) -> Result<String, Failure> {
        let info = self.client.apiserver_version().await;
        Ok(info.map_err(|error| self.failure("reach the API server", &error))?.git_version)
    }

    /// The versions of the resource that the API server serves; empty if the CRD is not installed.
    pub(super) async fn served_versions(&self) -> Result<Vec<String>, Failure> {
        let groups = self.client.list_api_groups().await;
        let groups =
            groups.map_err(|error| self.failure("ask which resources the API server has", &error))?;
        let group = groups.groups.into_iter().find(|group| group.name == crate::crd::GROUP);
        Ok(group.into_iter().flat_map(|group| group.versions).map(|version| version.version).collect())
    }

    /// The namespace, if the user may read it.
    pub(super) async fn own_namespace(&self) -> Result<Option<Namespace>, Failure> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let doing = format!("read namespace {}", self.namespace);
        api.get_opt(&self.namespace).await.map_err(|error| self.failure(&doing, &error))
    }

    /// The quotas of the namespace.
    pub(super) async fn quotas(&self) -> Result<Vec<ResourceQuota>, Failure> {
        let api: Api<ResourceQuota> = Api::namespaced(self.client.clone(), &self.namespace);
        let doing = format!("list the quotas of namespace {}", self.namespace);
        Ok(api.list(&ListParams::default()).await.map_err(|error| self.failure(&doing, &error))?.items)
    }

    /// The `ControllerRevision`s of a project, as they are.
    pub(super) async fn revisions(&self, project: &str) -> Result<Vec<ControllerRevision>, Failure> {
        self.of_project(project).await
    }
}

/// Every field in conflict belongs to this program.
fn conflicts_only_with_itself(status: &Status) -> bool {
    let causes = status.details.as_ref().map_or(&[][..], |details| &details.causes);
    let own = format!("conflict with \"{CLI}\"");
    status.code == 409 && !causes.is_empty() && causes.iter().all(|cause| cause.message.starts_with(&own))
}

/// Merges two merge patches.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// Kubernetes tells times of objects in whole seconds, so the role decides between pods of one second.
fn oldest_first(pods: &mut [Pod]) {
    let role = |pod: &Pod| pod.labels().get(names::ROLE).map(|role| names::order_of_role(role));
    pods.sort_by_key(|pod| (pod.creation_timestamp().map(|time| time.0), role(pod)));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_pods_of_one_second_the_build_comes_before_the_app() {
        let pod = |name: &str, role: &str, second: u8| -> Pod {
            let created = format!("2026-11-30T12:00:{second:02}Z");
            let labels = json!({ "doce.dev/role": role });
            serde_json::from_value(
                json!({ "metadata": { "name": name, "labels": labels, "creationTimestamp": created } }),
            )
            .unwrap()
        };
        let mut pods = [pod("a", "app", 2), pod("b", "build", 2), pod("c", "init", 2), pod("d", "app", 1)];
        oldest_first(&mut pods);
        assert_eq!(pods.map(|pod| pod.name_any()), ["d", "b", "c", "a"]);
    }

    #[test]
    fn a_conflict_is_its_own_only_if_it_names_no_other_manager() {
        let status = |managers: &[&str]| -> Status {
            let cause = |manager: &&str| {
                let message = format!("conflict with \"{manager}\" using doce.dev/v1alpha1");
                json!({ "reason": "FieldManagerConflict", "message": message, "field": ".spec.replicas" })
            };
            let causes: Vec<Value> = managers.iter().map(cause).collect();
            serde_json::from_value(json!({ "code": 409, "details": { "causes": causes } })).unwrap()
        };
        assert!(conflicts_only_with_itself(&status(&["doce-cli", "doce-cli"])));
        for managers in [&["doce-cli", "helm"][..], &["doce-cli-2"], &[]] {
            assert!(!conflicts_only_with_itself(&status(managers)), "{managers:?}");
        }
    }

    #[test]
    fn two_requests_are_one_write() {
        let mut patch = json!({});
        merge(&mut patch, Request::retry().patch("1"));
        merge(&mut patch, Request::rollback("v1").patch("1"));
        let annotations = json!({ "doce.dev/retry": "@1", "doce.dev/rollback": "v1@1" });
        assert_eq!(patch, json!({ "metadata": { "annotations": annotations } }));
    }
}
