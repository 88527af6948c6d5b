//! The operator under test: the real loop in this process, with exactly the rights of the chart.

use std::sync::Arc;

use doce_operator::backoff::Backoff;
use doce_operator::build_queue::admit::BuildStarter;
use doce_operator::build_queue::positions::Positions;
use doce_operator::cluster::Cluster;
use doce_operator::cluster::counted::counted;
use doce_operator::cluster::fence::Fence;
use doce_operator::cluster::leases::Leases;
use doce_operator::config::{Candidacy, Config};
use doce_operator::election::{Alone, Candidate, Standing, Times};
use doce_operator::metrics::Metrics;
use doce_operator::platform::{Platform, PushLogin};
use doce_operator::protocol::lost_list::Place;
use doce_operator::protocol::order::Profile;
use doce_operator::reconcile::{Context, Shared};
use doce_operator::status_debounce::StatusDebounce;
use doce_operator::{controller, probes};
use http::{HeaderName, HeaderValue, Request};
use kube::Client;
use kube::client::ClientBuilder;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use super::World;
use super::door::Journal;
use super::setup::{ACCOUNT, GROUP};

/// Settings that differ between tests.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Node port range for projects.
    pub ports: (u16, u16),
    /// Limit of concurrent builds.
    pub build_limit: u32,
    /// First retry delay after a fault, in seconds.
    pub retry_seconds: u32,
    /// Build pod settings of the platform owner, as JSON.
    pub build_pods: Option<&'static str>,
    /// Architectures of the operator's image; empty: all.
    pub architectures: &'static [&'static str],
    /// True if the operator assumes that it sees the records of every namespace, so that it deletes images.
    pub sees_all: bool,
    /// It reads which images the registry lost in the ConfigMap `lost-images`.
    pub hears_of_lost_images: bool,
    /// How builds run.
    pub profile: Profile,
    /// Address of the daemon for the `remote` profile.
    pub remote: Option<&'static str>,
    /// Name of the operator, if there are several.
    pub name: Option<&'static str>,
    /// Duration of its Lease in seconds, if it needs an election.
    pub lease_seconds: Option<u16>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ports: (30100, 32667),
            build_limit: 2,
            retry_seconds: 1,
            build_pods: None,
            architectures: &[],
            sees_all: false,
            hears_of_lost_images: false,
            profile: Profile::Rootless,
            remote: None,
            name: None,
            lease_seconds: None,
        }
    }
}

/// A running operator. Dropping it kills it.
pub(crate) struct Operator {
    /// Its requests to the API server.
    pub journal: Journal,
    /// Its user in the API server's audit log.
    pub user: String,
    context: Shared,
    standing: watch::Receiver<Standing>,
    task: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
}

impl Operator {
    /// Starts an operator for the namespace of `world`.
    pub(crate) async fn start(world: &World) -> Self {
        Self::start_with(world, Options::default()).await
    }

    /// Starts an operator with these settings.
    pub(crate) async fn start_with(world: &World, options: Options) -> Self {
        let client = |config: kube::Config, journal: &Journal| {
            ClientBuilder::try_from(config).unwrap().with_layer(journal).build()
        };
        Self::start_through(world, options, client).await
    }

    /// Starts an operator with the caller's client, which must go through the journal.
    pub(crate) async fn start_through(
        world: &World,
        options: Options,
        client: impl FnOnce(kube::Config, &Journal) -> Client,
    ) -> Self {
        let journal = Journal::default();
        let user = world.user(options.name);
        let metrics = Metrics::default();
        let client = counted(client(as_user(&user, GROUP).await, &journal), metrics.requests());
        let config = settings(world, &options);
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            let _ = stopped.await;
        };
        let (context, standing, task) = match config.candidacy().unwrap() {
            None => {
                let context = context(Cluster::new(client), metrics, config, &options);
                let task = tokio::spawn(controller::run(context.clone(), Alone, stopped));
                (context, Alone.standing(), task)
            }
            Some(Candidacy { identity, namespace, lease }) => {
                let (fence, times) = (Fence::default(), Times::of(config.lease_seconds));
                let cluster = Cluster::fenced(client.clone(), &fence);
                let context = context(cluster, metrics, config, &options);
                let leases = Leases::new(client, &namespace, &lease);
                let candidate = Candidate::start(leases, fence, identity, times);
                let standing = candidate.standing();
                (context.clone(), standing, tokio::spawn(controller::run(context, candidate, stopped)))
            }
        };
        Self { journal, user, context, standing, task, stop: Some(stop) }
    }

    /// The answer of `/readyz`: status and body.
    pub(crate) async fn readyz(&self) -> (u16, String) {
        self.answer("/readyz").await
    }

    /// The answer of `/metrics`.
    pub(crate) async fn metrics(&self) -> String {
        self.answer("/metrics").await.1
    }

    /// How much it holds in memory, as `/metrics` says.
    pub(crate) async fn held(&self) -> String {
        let metrics = self.metrics().await;
        metrics.lines().filter(|line| line.starts_with("doce_operator_held{")).collect::<Vec<_>>().join("\n")
    }

    /// Polls `/metrics` until the answer contains this. Returns the answer.
    pub(crate) async fn until_metrics(&self, wanted: &str) -> String {
        let mut answer = String::new();
        let asked = tokio::time::timeout(super::PATIENCE, async {
            loop {
                answer = self.metrics().await;
                if answer.contains(wanted) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
        assert!(asked.await.is_ok(), "timed out waiting for {wanted}\nThe metrics are {answer}");
        answer
    }

    async fn answer(&self, path: &str) -> (u16, String) {
        let router = probes::router(self.context.clone(), self.standing.clone());
        let answer = router.oneshot(Request::get(path).body(String::new()).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Polls `/readyz`, like a kubelet, until the answer has this status and contains this text.
    pub(crate) async fn until_readyz(&self, status: u16, text: &str) {
        let mut answer = (0, String::new());
        let asked = tokio::time::timeout(super::PATIENCE, async {
            loop {
                answer = self.readyz().await;
                if answer.0 == status && answer.1.contains(text) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
        assert!(
            asked.await.is_ok(),
            "timed out waiting for {status} {text:?} of /readyz, which says {answer:?}"
        );
    }

    /// True if its loop has neither ended nor panicked.
    pub(crate) fn runs(&self) -> bool {
        !self.task.is_finished()
    }

    /// Stops it like SIGTERM and waits for its end.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.journal.die();
        self.task.abort();
    }
}

impl World {
    /// The namespace of builder pods of this test.
    pub(crate) fn build_namespace(&self) -> String {
        format!("{}-builds", self.namespace)
    }

    /// The user of an operator of this test: a `ServiceAccount`, as in a cluster.
    pub(crate) fn user(&self, name: Option<&str>) -> String {
        let name = name.iter().flat_map(|name| ["-", name]).collect::<String>();
        format!("system:serviceaccount:{}:{ACCOUNT}{name}", self.namespace)
    }
}

/// Client settings for this user in this group.
pub(crate) async fn as_user(user: &str, group: &str) -> kube::Config {
    let mut config = Box::pin(kube::Config::infer()).await.unwrap();
    let header = |name: &'static str, value: &str| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    config.headers = vec![header("impersonate-user", user), header("impersonate-group", group)];
    config
}

fn context(cluster: Cluster, metrics: Metrics, config: Config, options: &Options) -> Shared {
    Arc::new(Context {
        cluster,
        platform: Platform { sees_all: options.sees_all, ..platform(&config) },
        config,
        backoff: Backoff::default(),
        starts: BuildStarter::default(),
        positions: Positions::default(),
        status_debounce: StatusDebounce::default(),
        metrics,
    })
}

fn settings(world: &World, options: &Options) -> Config {
    Config {
        namespace: Some(world.namespace.clone()),
        push_registry: "registry.test:5000".to_owned(),
        push_insecure: true,
        push_login: PushLogin::None,
        pull_registry: Some("localhost:30050".to_owned()),
        build_profile: if options.remote.is_some() { Profile::Remote } else { options.profile },
        build_namespace: world.build_namespace(),
        builder_service: "doce-builders".to_owned(),
        build_remote_address: options.remote.map(str::to_owned),
        build_remote_secret: options.remote.map(|_| "buildkit".to_owned()),
        build_remote_server_name: None,
        buildkit_image: "buildkit.test/rootless:1".to_owned(),
        operator_image: "operator.test/doce:1".to_owned(),
        image_architectures: options.architectures.iter().map(|&name| name.to_owned()).collect(),
        mirror: None,
        http_proxy: None,
        https_proxy: None,
        no_proxy: None,
        private_sources: true,
        ca_bundle_file: None,
        build_limit: options.build_limit,
        build_limit_namespace: None,
        poll_limit: 4,
        lost_images: options
            .hears_of_lost_images
            .then(|| Place { namespace: world.namespace.clone(), name: "lost-images".to_owned() }),
        build_pods: options.build_pods.map(|pods| pods.parse().unwrap()),
        copy_metadata: None,
        port_first: options.ports.0,
        port_last: options.ports.1,
        node_address: Some("127.0.0.1".to_owned()),
        retry_seconds: options.retry_seconds,
        concurrency: 8,
        leader_election: options.lease_seconds.is_some(),
        lease_seconds: options.lease_seconds.unwrap_or(15),
        pod_name: options.name.map(ToOwned::to_owned),
        pod_namespace: Some(world.namespace.clone()),
        probe_address: "127.0.0.1:0".to_owned(),
    }
}

fn platform(config: &Config) -> Platform {
    Platform {
        push_registry: "registry.test:5000".to_owned(),
        push_insecure: true,
        push_login: PushLogin::None,
        pull_registry: "localhost:30050".to_owned(),
        profile: config.build_profile,
        isolated: config.isolated(),
        remote: config.remote().unwrap(),
        buildkit_image: "buildkit.test/rootless:1".to_owned(),
        operator_image: "operator.test/doce:1".to_owned(),
        architectures: config.image_architectures.clone(),
        mirror: None,
        proxies: config.proxies().unwrap(),
        public_sources: false,
        ca_bundle: String::new(),
        build_pods: config.build_pods.clone().unwrap_or_default(),
        copy: config.copy_metadata.clone().unwrap_or_default(),
        sees_all: false,
    }
}
