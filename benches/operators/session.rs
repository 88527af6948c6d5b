//! A session: one subject in a namespace of its own, with a new operator process, and watches that see what it does.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::discovery::ApiResource;
use kube::runtime::wait::{await_condition, conditions::is_deleted};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::audit::{Audit, Request};
use super::cluster::Cluster;
use super::program::Program;
use super::settings::Scenario;
use super::sight::{Expected, Sight};
use super::subject::{Subject, has_image, is_complete};

/// Longest wait for the effect of one request.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
/// Longest wait for the end of all writes, and for the deletion of a namespace.
const LONG_PATIENCE: Duration = Duration::from_hours(1);
/// Pause between two looks at the audit log.
const PAUSE: Duration = Duration::from_millis(200);

/// One subject at work.
pub(crate) struct Session<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) subject: Subject,
    /// The running operator, if the subject has one.
    pub(crate) program: Option<Program>,
    namespace: Namespace,
    audit: Audit,
    deployments: Sight,
    services: Sight,
    projects: Sight,
}

/// The waits for one project whose image was set.
pub(crate) struct Effects {
    /// The Deployment has the image.
    pub(crate) deployment: Expected,
    /// The Deployment has rolled it out.
    pub(crate) complete: Expected,
    /// The Service exists.
    pub(crate) service: Expected,
    /// The object that the user wrote is Ready with this image.
    pub(crate) ready: Expected,
}

/// An image by digest. Each `n` is another one.
pub(crate) fn image(n: u8) -> String {
    format!("registry.test/app@sha256:{}", format!("{n:02x}").repeat(32))
}

impl<'a> Session<'a> {
    /// Creates the namespace, starts the operator, and waits until it has deployed a first project, which is then deleted.
    pub(crate) async fn open(
        cluster: &'a Cluster,
        subject: Subject,
        scenario: Scenario,
        round: usize,
    ) -> Self {
        let name = format!("bench-{}-{}-{}", scenario.name(), subject.name(), round + 1);
        let namespace = json!({ "metadata": { "name": name } });
        let namespace: Namespace = serde_json::from_value(namespace).unwrap();
        let namespaces = Api::all(cluster.client.clone());
        let namespace = namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        let watch = async |resource: &ApiResource| Sight::open(&cluster.client, &name, resource).await;
        let mut session = Self {
            cluster,
            subject,
            program: Program::start(cluster, subject, &name),
            deployments: watch(&ApiResource::erase::<Deployment>(&())).await,
            services: watch(&ApiResource::erase::<Service>(&())).await,
            projects: watch(&subject.resource()).await,
            namespace,
            audit: Audit::begin(),
        };
        session.warm_up().await;
        session
    }

    async fn warm_up(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let effects = self.effects("warm-up", &image(1));
        self.create("warm-up", &image(1)).await;
        effects.ready.by(deadline).await;
        effects.complete.by(deadline).await;
        for (resource, _) in self.subject.objects("warm-up", "") {
            let _ = self.api(&resource).delete("warm-up", &DeleteParams::background()).await.unwrap();
        }
        self.quiet(Duration::from_secs(3)).await;
    }

    /// Creates the objects of a project. Panics if the API server rejects one.
    pub(crate) async fn create(&self, name: &str, image: &str) {
        for (resource, object) in self.subject.objects(name, image) {
            self.api(&resource).create(&PostParams::default(), &object).await.unwrap();
        }
    }

    /// Patches the object that the user wrote.
    pub(crate) async fn patch(&self, name: &str, patch: &Value) {
        let api = self.api(&self.subject.resource());
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Begins to wait for the effects of setting this image.
    pub(crate) fn effects(&self, name: &str, image: &str) -> Effects {
        let (subject, image) = (self.subject, image.to_owned());
        let copies = [image.clone(), image.clone(), image];
        let [first, second, third] = copies;
        Effects {
            deployment: self.deployments.expect(name, move |object| has_image(object, &first)),
            complete: self.deployments.expect(name, move |object| is_complete(object, &second)),
            service: self.services.expect(name, |_| true),
            ready: self.projects.expect(name, move |object| subject.is_ready(object, &third)),
        }
    }

    /// The requests since the last call.
    pub(crate) fn requests(&mut self) -> Vec<Request> {
        self.audit.read()
    }

    /// True for a request of the subject's operator.
    pub(crate) fn is_by_operator(&self, request: &Request) -> bool {
        Some(&*request.user) == self.subject.user()
    }

    /// Waits until the operator has sent no write for this long, and no client has written in the namespace. Returns the
    /// requests since the last call of this or of [`Session::requests`].
    pub(crate) async fn quiet(&mut self, silence: Duration) -> Vec<Request> {
        let deadline = Instant::now() + LONG_PATIENCE;
        let name = self.namespace.name_any();
        let (mut all, mut last) = (vec![], Instant::now());
        while last.elapsed() < silence {
            if Instant::now() > deadline {
                let writes: BTreeSet<_> = all.iter().rev().take(20).map(Request::what).collect();
                panic!("the writes in {name} do not end: {writes:?}");
            }
            tokio::time::sleep(PAUSE).await;
            let requests = self.audit.read();
            let ours = |request: &Request| request.namespace == name || self.is_by_operator(request);
            if requests.iter().any(|request| request.is_write() && ours(request)) {
                last = Instant::now();
            }
            all.extend(requests);
        }
        all
    }

    /// Kills the operator, deletes the namespace, and waits until it is gone.
    pub(crate) async fn close(mut self) {
        if let Some(program) = self.program.take() {
            program.kill().await;
        }
        let (name, uid) = (self.namespace.name_any(), self.namespace.uid().unwrap());
        let namespaces: Api<Namespace> = Api::all(self.cluster.client.clone());
        let _ = namespaces.delete(&name, &DeleteParams::background()).await.unwrap();
        let deleted = async {
            while await_condition(namespaces.clone(), &name, is_deleted(&uid)).await.is_err() {
                tokio::time::sleep(PAUSE).await; // Restart a failed watch.
            }
        };
        tokio::time::timeout(LONG_PATIENCE, deleted).await.expect("the namespace is deleted in time");
    }

    fn api(&self, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.cluster.client.clone(), &self.namespace.name_any(), resource)
    }
}
