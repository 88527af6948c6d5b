//! Secrets that a test planted, and all places where users could find them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Service};
use kube::ResourceExt as _;
use kube::api::LogParams;

use crate::administrator::kubectl;
use crate::harness::{Kind, World};
use crate::stored::Stored;

/// Shorter parts of a key occur everywhere.
const SHORTEST: usize = 16;

/// What the search must not find: secrets in plain text and inside base64, which encodes `user:password`, the
/// configuration of Docker and the data of Secrets.
pub struct Planted(Vec<String>);

impl Planted {
    /// Passwords and tokens.
    pub fn words(words: &[&str]) -> Self {
        Self(words.iter().flat_map(|word| forms(word)).collect())
    }

    /// The lines of a private key, except those that are the same in every key.
    pub fn key(key: &str) -> Self {
        let lines = key.lines().filter(|line| !line.starts_with("-----") && line.len() >= SHORTEST);
        Self(lines.flat_map(forms).collect())
    }
}

/// A text in plain form and inside a longer base64 text, where it can start at three positions of a group.
fn forms(text: &str) -> Vec<String> {
    let within = |before: usize| {
        let padded = [&[0; 2][..before], text.as_bytes()].concat();
        let encoded = STANDARD_NO_PAD.encode(&padded);
        // Digits at both ends also contain bits of the neighbouring text.
        let begin = (before * 8).div_ceil(6);
        let end = padded.len() * 8 / 6;
        encoded[begin..end].to_owned()
    };
    let mut forms = vec![text.to_owned()];
    forms.extend((0..3).map(within));
    forms
}

#[test]
fn a_text_is_found_anywhere_in_a_base64_text() {
    for around in ["", "u", "us", "user:"] {
        let encoded = STANDARD_NO_PAD.encode(format!("{around}planted-word{around}"));
        assert!(forms("planted-word").iter().any(|form| encoded.contains(form)), "{encoded}");
    }
}

/// All readable texts, by name.
pub struct Told(Vec<(String, String)>);

impl World {
    /// All texts in this namespace now, of the operator, and of these repositories.
    pub async fn told(&self, repositories: &[Stored]) -> Told {
        let mut told = vec![];
        told.extend(self.texts::<ProjectDeployment>().await);
        told.extend(self.texts::<ControllerRevision>().await);
        told.extend(self.texts::<Job>().await);
        told.extend(self.texts::<Pod>().await);
        told.extend(self.texts::<Event>().await);
        told.extend(self.texts::<Deployment>().await);
        told.extend(self.texts::<ReplicaSet>().await);
        told.extend(self.texts::<Service>().await);
        told.extend(self.texts::<ConfigMap>().await);
        for pod in self.list::<Pod>().await {
            told.extend(self.logs(&pod).await);
        }
        let operator = "--selector=app.kubernetes.io/component=operator";
        let logs = ["logs", "--namespace=doce-system", operator, "--all-containers", "--tail=-1"];
        told.push(("log of the operator".to_owned(), kubectl(&logs).await));
        for repository in repositories {
            told.extend(repository.everything().await);
        }
        Told(told)
    }

    async fn texts<K: Kind>(&self) -> Vec<(String, String)> {
        let text = |object: &K| serde_json::to_string(object).unwrap();
        let name = |object: &K| format!("{} {}", K::kind(&()), object.name_any());
        self.list::<K>().await.iter().map(|object| (name(object), text(object))).collect()
    }

    /// Logs of all containers of pods that run or ran for a project.
    async fn logs(&self, pod: &Pod) -> Vec<(String, String)> {
        let status = pod.status.clone().unwrap_or_default();
        let containers = [status.init_container_statuses, status.container_statuses];
        let mut logs = vec![];
        for container in containers.into_iter().flatten().flatten() {
            let state = container.state.unwrap_or_default();
            if state.running.is_none() && state.terminated.is_none() {
                continue;
            }
            let params = LogParams { container: Some(container.name.clone()), ..LogParams::default() };
            let role = pod.labels().get("doce.dev/role").map_or("test", String::as_str);
            let name = format!("log of {} of a pod of role {role}", container.name);
            logs.push((name, self.api::<Pod>().logs(&pod.name_any(), &params).await.unwrap()));
        }
        logs
    }
}

impl Told {
    /// Checks that no text contains a planted secret.
    pub fn assert_nothing_of(&self, planted: &Planted) {
        for (name, text) in &self.0 {
            let found = planted.0.iter().find(|secret| text.contains(*secret));
            assert!(found.is_none(), "{name} contains {found:?}: {text}");
        }
    }

    /// Checks that a text with this name prefix contains `text`, so that the search covered the right places.
    pub fn assert_told(&self, name: &str, text: &str) {
        let told = self.0.iter().any(|(of, told)| of.starts_with(name) && told.contains(text));
        let names: Vec<&String> = self.0.iter().map(|(of, _)| of).collect();
        assert!(told, "{name} does not contain {text:?}; texts: {names:#?}");
    }
}
