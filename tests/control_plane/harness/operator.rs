//! The operator under test: the real loop, in this process, with the rights that the chart gives and no more.

use std::sync::Arc;

use doce_operator::announcements::Announcements;
use doce_operator::backoff::Backoff;
use doce_operator::cluster::Cluster;
use doce_operator::config::Config;
use doce_operator::controller;
use doce_operator::desired::Platform;
use doce_operator::reconcile::Context;
use doce_operator::reconcile::start::Starts;
use http::{HeaderName, HeaderValue};
use kube::Client;
use kube::client::ClientBuilder;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::World;
use super::door::Journal;
use super::setup::GROUP;

/// Settings that tests differ in.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Ports that projects get.
    pub ports: (u16, u16),
    /// Builds at a time.
    pub build_limit: u32,
    /// Seconds of the first pause after a fault.
    pub retry_seconds: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { ports: (30100, 32667), build_limit: 2, retry_seconds: 1 }
    }
}

/// A running operator. Dropping it kills it.
pub(crate) struct Operator {
    /// What it asked of the API server.
    pub journal: Journal,
    /// The user that the API server's audit log names.
    pub user: String,
    task: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
}

impl Operator {
    /// Starts one for the namespace of `world`.
    pub(crate) async fn start(world: &World) -> Self {
        Self::start_with(world, Options::default()).await
    }

    /// Starts one with settings.
    pub(crate) async fn start_with(world: &World, options: Options) -> Self {
        let client = |config: kube::Config, journal: &Journal| {
            ClientBuilder::try_from(config).unwrap().with_layer(journal).build()
        };
        Self::start_through(world, options, client).await
    }

    /// Starts one with a client of the caller's making; it has to go through the journal.
    pub(crate) async fn start_through(
        world: &World,
        options: Options,
        client: impl FnOnce(kube::Config, &Journal) -> Client,
    ) -> Self {
        let journal = Journal::default();
        let user = format!("operator:{}", world.namespace);
        let mut config = Box::pin(kube::Config::infer()).await.unwrap();
        let header = |name: &'static str, value: &str| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        config.headers = vec![header("impersonate-user", &user), header("impersonate-group", GROUP)];
        let client = client(config, &journal);
        let context = Arc::new(Context {
            cluster: Cluster::new(client),
            config: settings(world, &options),
            platform: platform(),
            backoff: Backoff::default(),
            starts: Starts::default(),
            announcements: Announcements::default(),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(controller::run(context, async {
            let _ = stopped.await;
        }));
        Self { journal, user, task, stop: Some(stop) }
    }

    /// Its loop goes on: it has neither ended nor panicked.
    pub(crate) fn runs(&self) -> bool {
        !self.task.is_finished()
    }

    /// Ends it as SIGTERM does and waits for it.
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

fn settings(world: &World, options: &Options) -> Config {
    Config {
        namespace: Some(world.namespace.clone()),
        push_registry: "registry.test:5000".to_owned(),
        push_insecure: true,
        pull_registry: Some("localhost:30050".to_owned()),
        buildkit_image: "buildkit.test/rootless:1".to_owned(),
        operator_image: "operator.test/doce:1".to_owned(),
        mirror: None,
        ca_bundle_file: None,
        build_limit: options.build_limit,
        build_limit_namespace: None,
        port_first: options.ports.0,
        port_last: options.ports.1,
        node_address: Some("127.0.0.1".to_owned()),
        retry_seconds: options.retry_seconds,
        concurrency: 8,
        probe_address: "127.0.0.1:0".to_owned(),
    }
}

fn platform() -> Platform {
    Platform {
        push_registry: "registry.test:5000".to_owned(),
        push_insecure: true,
        pull_registry: "localhost:30050".to_owned(),
        buildkit_image: "buildkit.test/rootless:1".to_owned(),
        operator_image: "operator.test/doce:1".to_owned(),
        mirror: None,
        ca_bundle: String::new(),
    }
}
