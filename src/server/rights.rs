//! What a caller may read: the API server says so, asked with the caller's own token (`SelfSubjectAccessReview`). Its answers
//! are kept for a moment, by the fingerprint of the token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;
use tokio::sync::OnceCell;

use super::caller::{Fingerprint, Token};
use super::door::Door;
use super::metrics::Metrics;
use super::problem::Problem;
use super::refusal::problem;

/// Time for which an answer counts.
const KEPT: Duration = Duration::from_secs(10);

/// Most answers that are kept. One has about 200 bytes.
const MOST: usize = 10_000;

/// What a right is on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum On {
    /// Projects.
    Projects,
    /// Logs of pods.
    Logs,
}

impl On {
    /// Group, resource and subresource.
    fn parts(self) -> (&'static str, &'static str, Option<&'static str>) {
        match self {
            Self::Projects => (crate::crd::GROUP, "projectdeployments", None),
            Self::Logs => ("", "pods", Some("log")),
        }
    }

    /// The resource, as kubectl auth can-i takes it.
    fn resource(self) -> &'static str {
        match self {
            Self::Projects => "projectdeployments.doce.dev",
            Self::Logs => "pods/log",
        }
    }
}

/// A right.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Right {
    /// get, list or watch.
    pub verb: &'static str,
    /// What it is on.
    pub on: On,
    /// The namespace; empty: all.
    pub namespace: String,
    /// The project; none: all of the namespace.
    pub name: Option<String>,
}

impl Right {
    /// On one project.
    pub(super) fn on(verb: &'static str, namespace: &str, name: &str) -> Self {
        Self { verb, on: On::Projects, namespace: namespace.to_owned(), name: Some(name.to_owned()) }
    }

    /// On all projects of a namespace.
    pub(super) fn on_all(verb: &'static str, namespace: &str) -> Self {
        Self { verb, on: On::Projects, namespace: namespace.to_owned(), name: None }
    }

    /// To read the logs of the pods of a namespace.
    pub(super) fn logs(namespace: &str) -> Self {
        Self { verb: "get", on: On::Logs, namespace: namespace.to_owned(), name: None }
    }
}

type Answer = Arc<OnceCell<bool>>;

/// Asks for rights.
pub(super) struct Rights {
    door: Door,
    metrics: Arc<Metrics>,
    answers: Mutex<HashMap<(Fingerprint, Right), (Instant, Answer)>>,
}

impl Rights {
    pub(super) fn new(door: Door, metrics: Arc<Metrics>) -> Self {
        Self { door, metrics, answers: Mutex::default() }
    }

    /// Nothing if the caller has the right, else the problem.
    pub(super) async fn require(&self, token: &Token, right: Right) -> Result<(), Problem> {
        let answer = self.slot((token.fingerprint(), right.clone()), Instant::now());
        // Callers with the same question wait for one answer. An error is no answer: the next one asks again.
        let may = answer.get_or_try_init(|| self.ask(token, &right)).await?;
        if *may {
            return Ok(());
        }
        let resource = right.on.resource();
        Err(Problem::forbidden(right.verb, resource, &right.namespace, right.name.as_deref()))
    }

    fn slot(&self, question: (Fingerprint, Right), now: Instant) -> Answer {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((until, answer)) = answers.get(&question)
            && *until > now
        {
            return answer.clone();
        }
        if answers.len() >= MOST {
            answers.retain(|_, (until, _)| *until > now);
        }
        if answers.len() >= MOST {
            answers.clear();
        }
        let answer = Answer::default();
        answers.insert(question, (now + KEPT, answer.clone()));
        answer
    }

    async fn ask(&self, token: &Token, right: &Right) -> Result<bool, Problem> {
        let (group, resource, subresource) = right.on.parts();
        let attributes = ResourceAttributes {
            verb: Some(right.verb.to_owned()),
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            subresource: subresource.map(str::to_owned),
            namespace: Some(right.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            name: right.name.clone(),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.door.of(token));
        match reviews.create(&PostParams::default(), &review).await {
            Ok(review) => {
                let may = review.status.is_some_and(|status| status.allowed);
                self.metrics.reviewed(if may { "allowed" } else { "denied" });
                Ok(may)
            }
            // Some clusters let no anonymous or unknown user ask. Such a caller has no rights.
            Err(kube::Error::Api(status)) if status.code == 403 => {
                self.metrics.reviewed("denied");
                Ok(false)
            }
            Err(error) => {
                self.metrics.reviewed("failed");
                Err(problem(&error, false))
            }
        }
    }
}
