//! Settings of the operator, from flags and environment variables. The chart sets them from its values.

use std::path::PathBuf;

use crate::platform::build_pods::BuildPods;
use crate::platform::copied::Copy;
use crate::platform::{Isolated, PushLogin};
use crate::protocol::lost_list::Place;
use crate::protocol::order::{Profile, Remote};
use crate::protocol::proxies::{self, Proxies};

/// Settings of the operator.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Namespace to watch. Default: all namespaces.
    #[arg(long, env = "DOCE_NAMESPACE")]
    pub namespace: Option<String>,
    /// Registry to which build pods push, `host[:port][/path]`.
    #[arg(long, env = "DOCE_PUSH_REGISTRY")]
    pub push_registry: String,
    /// Whether the push registry uses plain HTTP.
    #[arg(long, env = "DOCE_PUSH_INSECURE", default_value_t = false, action = clap::ArgAction::Set)]
    pub push_insecure: bool,
    /// How build pods log in to the push registry: not at all, or with a token of their `ServiceAccount` for the audience
    /// doce-registry, as the embedded registry requires.
    #[arg(long, env = "DOCE_PUSH_LOGIN", value_enum, default_value_t = PushLogin::None)]
    pub push_login: PushLogin,
    /// Address at which nodes pull from the same registry. Default: the push registry.
    #[arg(long, env = "DOCE_PULL_REGISTRY")]
    pub pull_registry: Option<String>,
    /// Where and how BuildKit runs: in a builder pod for each build, in a namespace of builds; in build pods as an ordinary
    /// user, as root of the pod's own user namespace, or as root of the node; or in a daemon of your own.
    #[arg(long, env = "DOCE_BUILD_PROFILE", value_enum, default_value_t = Profile::Isolated)]
    pub build_profile: Profile,
    /// Namespace of builder pods, for the profile isolated.
    #[arg(long, env = "DOCE_BUILD_NAMESPACE", default_value = "doce-builds")]
    pub build_namespace: String,
    /// Headless Service in that namespace that selects the builder pods, so that they have names in the cluster's DNS.
    #[arg(long, env = "DOCE_BUILDER_SERVICE", default_value = "doce-builders")]
    pub builder_service: String,
    /// Address of the BuildKit daemon for the profile remote, tcp://host:port.
    #[arg(long, env = "DOCE_BUILD_REMOTE_ADDRESS")]
    pub build_remote_address: Option<String>,
    /// Secret with ca.crt, tls.crt and tls.key for that daemon, in the namespace of every project that builds. Default:
    /// plain TCP.
    #[arg(long, env = "DOCE_BUILD_REMOTE_SECRET")]
    pub build_remote_secret: Option<String>,
    /// Name in the certificate of that daemon. Default: the host of its address.
    #[arg(long, env = "DOCE_BUILD_REMOTE_SERVER_NAME")]
    pub build_remote_server_name: Option<String>,
    /// Image of build pods and builder pods: upstream BuildKit, its rootless variant for the profiles isolated, rootless
    /// and remote.
    #[arg(long, env = "DOCE_BUILDKIT_IMAGE", default_value = "docker.io/moby/buildkit:v0.33.1-rootless")]
    pub buildkit_image: String,
    /// Image of this operator. Build pods run its binary.
    #[arg(long, env = "DOCE_OPERATOR_IMAGE")]
    pub operator_image: String,
    /// Architectures that this image has, separated by commas, such as amd64,arm64. Pods that run its binary choose nodes
    /// of these. Default: all nodes.
    #[arg(long, env = "DOCE_IMAGE_ARCHITECTURES", value_delimiter = ',')]
    pub image_architectures: Vec<String>,
    /// Mirror from which build pods pull docker.io images, `host[:port]`, plain HTTP.
    #[arg(long, env = "DOCE_MIRROR")]
    pub mirror: Option<String>,
    /// Proxy for http:// in build pods, builder pods and cleanup pods, `http://host:port`.
    #[arg(long, env = "DOCE_HTTP_PROXY")]
    pub http_proxy: Option<String>,
    /// Proxy for https:// there, `http://host:port`.
    #[arg(long, env = "DOCE_HTTPS_PROXY")]
    pub https_proxy: Option<String>,
    /// Hosts that they reach without a proxy, as in `NO_PROXY`, in addition to names in the cluster, the push registry and the
    /// mirror.
    #[arg(long, env = "DOCE_NO_PROXY")]
    pub no_proxy: Option<String>,
    /// Whether sources may be in private networks, such as those of pods, Services and nodes. Loopback and link-local
    /// addresses, and redirects to private addresses, are always rejected.
    #[arg(long, env = "DOCE_PRIVATE_SOURCES", default_value_t = true, action = clap::ArgAction::Set)]
    pub private_sources: bool,
    /// File with CA certificates (PEM, at most 12 KiB) that build pods trust in addition to their own.
    #[arg(long, env = "DOCE_CA_BUNDLE_FILE")]
    pub ca_bundle_file: Option<PathBuf>,
    /// Maximum number of builds that run at the same time in the whole cluster. The others wait in the build queue.
    #[arg(long, env = "DOCE_BUILD_LIMIT", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub build_limit: u32,
    /// Maximum number of builds that run at the same time in one namespace. Default: only the limit of the cluster
    /// applies.
    #[arg(long, env = "DOCE_BUILD_LIMIT_NAMESPACE", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub build_limit_namespace: Option<u32>,
    /// Maximum number of polls that run at the same time in the whole cluster, with the profile isolated. With the other
    /// profiles, polls take places of builds.
    #[arg(long, env = "DOCE_POLL_LIMIT", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub poll_limit: u32,
    /// ConfigMap in which the sweep lists images that the embedded registry lost, as namespace/name. Default: none.
    #[arg(long, env = "DOCE_LOST_IMAGES")]
    pub lost_images: Option<Place>,
    /// Settings of build pods and builder pods as JSON: resources (of BuildKit), clientResources (of build pods whose BuildKit
    /// runs in a builder pod), nodeSelector, tolerations, priorityClassName, labels, maxResources and
    /// maxTimeoutSeconds, the maximum for projects. Default: requests
    /// of 100m CPU and 256Mi memory, a limit of 4Gi memory, and no maximum.
    #[arg(long, env = "DOCE_BUILD_PODS")]
    pub build_pods: Option<BuildPods>,
    /// Labels and annotations that the operator copies from a `ProjectDeployment` to its children, as JSON: keys,
    /// prefixes that end in '/', and * for every key without a prefix. Default: labels without a prefix.
    #[arg(long, env = "DOCE_COPY_METADATA")]
    pub copy_metadata: Option<Copy>,
    /// Lowest port that the operator gives to a project.
    #[arg(long, env = "DOCE_PORT_FIRST", default_value_t = 30100)]
    pub port_first: u16,
    /// Highest port that the operator gives to a project.
    #[arg(long, env = "DOCE_PORT_LAST", default_value_t = 32667)]
    pub port_last: u16,
    /// Host name or address of the nodes, for status.url.
    #[arg(long, env = "DOCE_NODE_ADDRESS")]
    pub node_address: Option<String>,
    /// Seconds before the operator retries a fault. The pause doubles each time, up to ten minutes.
    #[arg(long, env = "DOCE_RETRY_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub retry_seconds: u32,
    /// Number of projects to reconcile at the same time.
    #[arg(long, env = "DOCE_CONCURRENCY", default_value_t = 8)]
    pub concurrency: u16,
    /// Whether several operators elect a leader with a Lease, and only the leader writes. If false, this operator
    /// always writes.
    #[arg(long, env = "DOCE_LEADER_ELECTION", default_value_t = false, action = clap::ArgAction::Set)]
    pub leader_election: bool,
    /// Seconds after which another operator takes over from a leader that crashed.
    #[arg(long, env = "DOCE_LEASE_SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u16).range(5..=300))]
    pub lease_seconds: u16,
    /// Name of the operator's own pod, its identity in the Lease.
    #[arg(long, env = "DOCE_POD_NAME")]
    pub pod_name: Option<String>,
    /// Namespace of the operator's own pod and of the Lease.
    #[arg(long, env = "DOCE_POD_NAMESPACE")]
    pub pod_namespace: Option<String>,
    /// Address of the health endpoints /livez and /readyz.
    #[arg(long, env = "DOCE_PROBE_ADDRESS", default_value = "0.0.0.0:8080")]
    pub probe_address: String,
}

/// The Lease and the identity with which an operator takes part in leader election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidacy {
    /// Name that no other running operator has.
    pub identity: String,
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub lease: String,
}

/// Invalid settings.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// The port range is empty.
    #[error("--port-first {0} is above --port-last {1}: lower --port-first or raise --port-last")]
    Ports(u16, u16),
    /// Leader election lacks the identity or the namespace of the Lease.
    #[error(
        "--leader-election true needs --pod-name and --pod-namespace: set DOCE_POD_NAME and DOCE_POD_NAMESPACE from \
         metadata.name and metadata.namespace of the pod, as the chart does, or turn leader election off"
    )]
    Identity,
    /// The profile remote has no valid address of a daemon.
    #[error(
        "--build-profile remote needs --build-remote-address tcp://host:port, the address of a buildkitd, but got \
         {0:?}: set build.remote.address of the chart, or choose another build.profile"
    )]
    Remote(String),
    /// The proxies cannot be used.
    #[error("--http-proxy or --https-proxy (build.httpProxy and build.httpsProxy of the chart): {0}")]
    Proxy(#[from] proxies::Invalid),
    /// The operator cannot read the CA bundle.
    #[error("cannot read --ca-bundle-file {0}")]
    CaBundle(PathBuf, #[source] std::io::Error),
    /// The CA bundle is too large for a Job.
    #[error(
        "--ca-bundle-file {0} has {1} bytes, but at most {MAX_CA_BUNDLE} fit: remove CAs that build images trust anyway"
    )]
    CaBundleSize(PathBuf, usize),
}

/// Maximum size of the CA bundle in bytes: the environment of every build Job contains it.
pub const MAX_CA_BUNDLE: usize = 12 * 1024;

impl Config {
    /// Checks what the types of the flags cannot express.
    pub fn validate(&self) -> Result<(), Invalid> {
        if self.port_first > self.port_last {
            return Err(Invalid::Ports(self.port_first, self.port_last));
        }
        self.remote()?;
        self.proxies()?;
        self.candidacy().map(drop)
    }

    /// Places of polls. `None`: they take those of builds, because each poll may build in its own pod.
    #[must_use]
    pub fn poll_places(&self) -> Option<u32> {
        (self.build_profile == Profile::Isolated).then_some(self.poll_limit)
    }

    /// Where builder pods run; none if the profile has none.
    #[must_use]
    pub fn isolated(&self) -> Option<Isolated> {
        (self.build_profile == Profile::Isolated).then(|| Isolated {
            namespace: self.build_namespace.clone(),
            service: self.builder_service.clone(),
        })
    }

    /// The remote BuildKit daemon; none if the profile runs one in each build pod.
    pub fn remote(&self) -> Result<Option<Remote>, Invalid> {
        if self.build_profile != Profile::Remote {
            return Ok(None);
        }
        let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let remote = Remote {
            address: set(&self.build_remote_address).unwrap_or_default(),
            server_name: set(&self.build_remote_server_name),
            secret: set(&self.build_remote_secret),
            namespace: String::new(),
        };
        if remote.is_reachable() { Ok(Some(remote)) } else { Err(Invalid::Remote(remote.address)) }
    }

    /// The proxies of the pods of builds.
    pub fn proxies(&self) -> Result<Proxies, Invalid> {
        let own = [Some(&self.push_registry), self.mirror.as_ref()].into_iter().flatten();
        let own = own.map(|registry| host(registry));
        let direct = self.no_proxy.as_deref().unwrap_or_default();
        Ok(Proxies::new(self.http_proxy.as_deref(), self.https_proxy.as_deref(), direct, own)?)
    }

    /// How this operator takes part in leader election; none if it does not.
    pub fn candidacy(&self) -> Result<Option<Candidacy>, Invalid> {
        if !self.leader_election {
            return Ok(None);
        }
        let set =
            |text: &Option<String>| text.clone().filter(|text| !text.is_empty()).ok_or(Invalid::Identity);
        Ok(Some(Candidacy {
            identity: set(&self.pod_name)?,
            namespace: set(&self.pod_namespace)?,
            lease: self.lease_name(),
        }))
    }

    /// Includes the watched namespace: operators of different namespaces do not compete for one Lease.
    fn lease_name(&self) -> String {
        let watched = self.namespace.iter().flat_map(|namespace| ["-", namespace]);
        std::iter::once("doce-operator").chain(watched).collect()
    }

    /// The CA bundle as text, empty without one.
    pub fn ca_bundle(&self) -> Result<String, Invalid> {
        let Some(path) = &self.ca_bundle_file else { return Ok(String::new()) };
        let text = std::fs::read_to_string(path).map_err(|error| Invalid::CaBundle(path.clone(), error))?;
        if text.len() > MAX_CA_BUNDLE {
            return Err(Invalid::CaBundleSize(path.clone(), text.len()));
        }
        Ok(text)
    }
}

/// The host of a registry, without its port and path.
fn host(registry: &str) -> &str {
    let place = registry.split('/').next().unwrap_or_default();
    place.rsplit_once(':').map_or(place, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        config: Config,
    }

    fn config(more: &[&str]) -> Config {
        let line = ["doce", "--push-registry", "registry.test", "--operator-image", "operator.test/doce:1"];
        Line::try_parse_from(line.iter().chain(more)).map(|line| line.config).unwrap()
    }

    #[test]
    fn leader_election_is_off_by_default() {
        assert_eq!(config(&[]).candidacy().unwrap(), None);
    }

    #[test]
    fn leader_election_requires_a_pod_name_and_a_namespace() {
        let on = ["--leader-election", "true"];
        for more in
            [&["--pod-name", "a"][..], &["--pod-namespace", "b"], &["--pod-name", "", "--pod-namespace", "b"]]
        {
            let refused = config(&[&on[..], more].concat()).validate().unwrap_err().to_string();
            assert!(refused.contains("DOCE_POD_NAME and DOCE_POD_NAMESPACE from metadata.name"), "{refused}");
        }
    }

    #[test]
    fn proxies_need_no_login_and_leave_out_the_registry_and_the_mirror() {
        let more = ["--https-proxy", "http://proxy.test:3128", "--mirror", "mirror.test:5000"];
        let proxies = config(&more).proxies().unwrap();
        for (host, proxy) in
            [("registry.test", None), ("mirror.test", None), ("git.test", Some("http://proxy.test:3128"))]
        {
            assert_eq!(proxies.of(true, host, 443), proxy, "{host}");
        }
        let refused = config(&["--http-proxy", "http://ada:planted@proxy.test"]).validate().unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains("build.httpProxy") && !refused.contains("planted"), "{refused}");
    }

    #[test]
    fn only_the_remote_profile_needs_a_daemon_address() {
        let remote = ["--build-profile", "remote"];
        for more in
            [&[][..], &["--build-remote-address", ""], &["--build-remote-address", "unix:///run/b.sock"]]
        {
            let refused = config(&[&remote[..], more].concat()).validate().unwrap_err().to_string();
            assert!(
                refused.contains("build.remote.address") && refused.contains("tcp://host:port"),
                "{refused}"
            );
        }
        let address = ["--build-remote-address", "tcp://buildkitd.builds.svc:1234"];
        let secret = ["--build-remote-secret", "buildkit", "--build-remote-server-name", ""];
        let there = config(&[&remote[..], &address, &secret].concat());
        there.validate().unwrap();
        let there = there.remote().unwrap().unwrap();
        assert_eq!((there.secret.as_deref(), there.server_name), (Some("buildkit"), None));
        assert_eq!(config(&address).remote().unwrap(), None);
    }

    #[test]
    fn operators_of_different_namespaces_use_different_leases() {
        let on = ["--leader-election", "true", "--pod-name", "a", "--pod-namespace", "doce-system"];
        let lease = |more: &[&str]| config(&[&on[..], more].concat()).candidacy().unwrap().unwrap().lease;
        assert_eq!(lease(&[]), "doce-operator");
        assert_eq!(lease(&["--namespace", "shops"]), "doce-operator-shops");
    }
}
