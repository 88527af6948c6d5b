//! The way of a folder to the embedded registry: where the registry is, a token for it, and a connection through the API
//! server. The user needs the `ClusterRole` `edit` in the namespace of the project, and a right on the registry's pod that the
//! chart gives to everyone.

use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use kube::Api;
use kube::api::PostParams;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Door;
use crate::cli::failure::Failure;
use crate::protocol::registry_token::AUDIENCE;
use crate::protocol::source_upload::{CONFIG_MAP, NODES, POD, PORT, REGISTRY, VERSION, WATCHED};

/// Life of the token in seconds: longer than most uploads.
const LIFE: i64 = 3600;

/// The `ServiceAccount` whose token opens the repositories of its namespace.
const ACCOUNT: &str = "default";

/// Where the cluster takes folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Uploads {
    namespace: String,
    pod: String,
    port: u16,
    /// The registry as builds name it, `host[:port]`.
    pub(in crate::cli) registry: String,
    /// The registry as nodes name it, `host[:port]`.
    pub(in crate::cli) nodes: String,
    /// Version of the operator.
    pub(in crate::cli) version: String,
    /// The only namespace that the operator watches.
    watched: Option<String>,
}

impl Uploads {
    fn read(namespace: &str, data: &BTreeMap<String, String>) -> Option<Self> {
        let text = |key: &str| data.get(key).filter(|text| !text.is_empty()).cloned();
        Some(Self {
            namespace: namespace.to_owned(),
            pod: text(POD)?,
            port: text(PORT)?.parse().ok()?,
            registry: text(REGISTRY)?,
            nodes: text(NODES)?,
            version: text(VERSION)?,
            watched: text(WATCHED),
        })
    }
}

/// Opens connections to a port of a pod.
#[derive(Clone)]
pub(in crate::cli) struct PortForward {
    api: Api<Pod>,
    pod: String,
    port: u16,
}

impl PortForward {
    /// One connection.
    pub(in crate::cli) async fn connect(
        &self,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + use<>, kube::Error> {
        let mut forwarded = self.api.portforward(&self.pod, &[self.port]).await?;
        forwarded.take_stream(self.port).ok_or_else(|| {
            kube::Error::Service(
                format!("the API server forwards no port {} of {}", self.port, self.pod).into(),
            )
        })
    }
}

impl Door {
    /// Where the registry is; `operator` is the namespace of the operator. `way_out` says what to do if it is not open.
    pub(in crate::cli) async fn uploads(&self, operator: &str, way_out: &str) -> Result<Uploads, Failure> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), operator);
        let found = match api.get_opt(CONFIG_MAP).await {
            Ok(found) => found,
            // Without the ConfigMap, the chart gives no right to read it.
            Err(kube::Error::Api(status)) if status.code == 403 => None,
            Err(error) => {
                return Err(
                    self.failure(&format!("read ConfigMap {CONFIG_MAP} in namespace {operator}"), &error)
                );
            }
        };
        let data = found.and_then(|found| found.data).ok_or_else(|| {
            Failure::error(format!(
                "the registry of this cluster is not open to you: namespace {operator} has no ConfigMap {CONFIG_MAP} that you may read. If the operator is in \
                 another namespace, name it with --operator-namespace. {way_out}"
            ))
        })?;
        let uploads = Uploads::read(operator, &data).ok_or_else(|| {
            Failure::error(format!(
                "ConfigMap {CONFIG_MAP} in namespace {operator} does not say where the registry is. Is this program older than the \
                 operator? {way_out}"
            ))
        })?;
        match &uploads.watched {
            Some(watched) if *watched != self.namespace => Err(Failure::error(format!(
                "the operator in namespace {operator} serves only namespace {watched}. If another one serves namespace {}, name its \
                 namespace with --operator-namespace",
                self.namespace
            ))),
            _ => Ok(uploads),
        }
    }

    /// A token that opens the repositories of this namespace in the embedded registry for a few minutes.
    pub(in crate::cli) async fn registry_token(&self) -> Result<String, Failure> {
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: vec![AUDIENCE.to_owned()],
                expiration_seconds: Some(LIFE),
                bound_object_ref: None,
            },
            ..TokenRequest::default()
        };
        let doing = format!("create a token of ServiceAccount {ACCOUNT} in namespace {}", self.namespace);
        let answer = api.create_token_request(ACCOUNT, &PostParams::default(), &request).await;
        let answer = answer.map_err(|error| self.failure(&doing, &error))?;
        let token = answer.status.map(|status| status.token).filter(|token| !token.is_empty());
        token.ok_or_else(|| Failure::error(format!("cannot {doing}: the API server returned none")))
    }

    /// Connections to the registry. Fails if the API server opens none.
    pub(in crate::cli) async fn port_forward(&self, uploads: &Uploads) -> Result<PortForward, Failure> {
        let Uploads { namespace, pod, port, .. } = uploads;
        let forward = PortForward {
            api: Api::namespaced(self.client.clone(), namespace),
            pod: pod.clone(),
            port: *port,
        };
        let doing = format!("reach port {port} of pod {pod} in namespace {namespace}");
        match forward.connect().await {
            Ok(_) => Ok(forward),
            Err(error) => Err(self.failure(&doing, &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_map_of_another_release_is_understood_or_rejected_as_a_whole() {
        let data = |changes: &[(&str, &str)]| {
            let whole = [
                (POD, "r-0"),
                (PORT, "5000"),
                (REGISTRY, "r.doce-system.svc:5000"),
                (NODES, "localhost:30050"),
                (VERSION, "1.0.0"),
            ];
            let all =
                whole.iter().chain(changes).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            Uploads::read("doce-system", &all.collect())
        };
        assert_eq!(data(&[("new", "x")]).unwrap().port, 5000);
        assert_eq!(data(&[(WATCHED, "")]).unwrap().watched, None);
        assert_eq!(data(&[(WATCHED, "team")]).unwrap().watched.as_deref(), Some("team"));
        for change in [(POD, ""), (PORT, "many"), (REGISTRY, ""), (NODES, ""), (VERSION, "")] {
            assert_eq!(data(&[change]), None, "{change:?}");
        }
    }
}
