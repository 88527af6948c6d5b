//! The `doce-operator` binary: the operator, the HTTP API, and the subcommands that run in build, cleanup, sweep and registry
//! proxy pods.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use doce_operator::backoff::Backoff;
use doce_operator::build_queue::admit::BuildStarter;
use doce_operator::build_queue::positions::Positions;
use doce_operator::builder;
use doce_operator::cluster::Cluster;
use doce_operator::cluster::counted::counted;
use doce_operator::cluster::fence::Fence;
use doce_operator::cluster::inventory::Inventory;
use doce_operator::cluster::leases::Leases;
use doce_operator::cluster::lost_images::publish;
use doce_operator::cluster::token_reviews::TokenReviews;
use doce_operator::config::Config;
use doce_operator::controller;
use doce_operator::crd;
use doce_operator::election::{Alone, Candidate, Leadership, Standing, Times};
use doce_operator::gc;
use doce_operator::metrics::Metrics;
use doce_operator::platform::Platform;
use doce_operator::probes;
use doce_operator::reconcile::{Context, Shared};
use doce_operator::registry_proxy;
use doce_operator::server;
use doce_operator::status_debounce::StatusDebounce;
use doce_operator::text::with_causes;
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

/// A quarter of the operator's time went to allocations of many small JSON values, and this takes less (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Deploys web projects on Kubernetes: builds an image from source, rolls it out and back, and keeps its port.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator.
    Run(Box<Config>),
    /// Print the `CustomResourceDefinition` as YAML.
    Crd,
    /// Build the image that the environment variable `DOCE_ORDER` describes, in a build pod; or explain how it would be
    /// built.
    Build(builder::explain::Arguments),
    /// Run BuildKit for one build pod. Builder pods run it.
    Builder,
    /// Sweep the embedded registry: delete images, caches and logs that no record names. The chart's `CronJob` runs it.
    Sweep(gc::Arguments),
    /// Run the registry proxy: before the embedded registry, pass on what the token of a client allows; on a node, pass on
    /// reads. The chart runs it in both places.
    RegistryProxy(registry_proxy::Arguments),
    /// Run the HTTP API. The chart runs it.
    Server(server::Arguments),
    /// Delete the image that the environment variable `DOCE_CLEANUP` describes from a registry. Pods of cleanup Jobs
    /// run it.
    Cleanup,
    /// Copy this program to a file. Build pods run it.
    Install {
        /// Path of the copy.
        target: PathBuf,
    },
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if matches!(command, Command::Run(_)) {
        // The main thread runs the passes, and this one all else, such as the connections and what watches receive. By default there
        // is one for each core, and the allocator keeps memory for each.
        runtime.worker_threads(1);
    }
    match runtime.enable_all().build() {
        Ok(runtime) => runtime.block_on(execute(command)),
        Err(error) => {
            eprintln!("error: cannot start threads: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> ExitCode {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("error: another TLS provider is installed");
        return ExitCode::FAILURE;
    }
    let done = match command {
        Command::Build(arguments) => match &arguments.explain {
            Some(directory) => return builder::explain::print(directory, &arguments),
            None => return builder::run().await,
        },
        Command::Builder => return builder::serve().await,
        Command::Cleanup => return builder::clean_up().await,
        Command::Install { target } => builder::install(&target).map_err(Into::into),
        Command::Crd => crd::yaml().map(|yaml| print!("{yaml}")).map_err(Into::into),
        Command::Sweep(arguments) => tidy(arguments).await,
        Command::RegistryProxy(arguments) => {
            log();
            proxy(arguments).await
        }
        Command::Server(arguments) => {
            log();
            serve(arguments).await
        }
        Command::Run(config) => run(*config).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

fn log() {
    let filter = EnvFilter::try_from_env("DOCE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .init();
}

async fn proxy(arguments: registry_proxy::Arguments) -> Result<(), Box<dyn std::error::Error>> {
    // On a node it never asks the API server.
    let client = match arguments.token_file {
        Some(_) => None,
        None => Some(TokenReviews::new(kube::Client::try_default().await?)),
    };
    Ok(registry_proxy::run(arguments, client, asked_to_end()).await?)
}

async fn serve(arguments: server::Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let config = kube::Config::infer().await?;
    server::bind(arguments, config)?.serve(asked_to_end()).await;
    Ok(())
}

async fn tidy(arguments: gc::Arguments) -> Result<(), Box<dyn std::error::Error>> {
    log();
    let gc::Arguments { registry, token_file, namespace, pull_registry, lost_images } = arguments;
    let token = token_file.map(std::fs::read_to_string).transpose()?.map(|token| token.trim().to_owned());
    let registry = gc::registry::Registry::new(&registry, token)?;
    let client = kube::Client::try_default().await?;
    let inventory = Inventory::new(client.clone(), namespace.clone());
    let swept = gc::sweep(&registry, &inventory, namespace.as_deref()).await?;
    let gc::Swept { repositories, deleted, spared, failed } = swept;
    tracing::info!(repositories, deleted, spared, failed, "sweep finished");
    // Afterwards, so that no fault of it keeps the registry from being swept.
    if let Some((place, host)) = lost_images.zip(pull_registry) {
        let list = gc::lost_images(&registry, &inventory, &host).await?;
        publish(client, &place, &list).await?;
    }
    Ok(())
}

async fn run(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    log();
    config.validate()?;
    let address = config.probe_address.parse()?;
    let metrics = Metrics::default();
    let client = counted(kube::Client::try_default().await?, metrics.requests());
    let candidacy = config.candidacy()?;
    let fence = Fence::default();
    let cluster = match &candidacy {
        Some(_) => Cluster::fenced(client.clone(), &fence),
        None => Cluster::new(client.clone()),
    };
    let context: Shared = Arc::new(Context {
        cluster,
        platform: platform(&config)?,
        config,
        backoff: Backoff::default(),
        starts: BuildStarter::default(),
        positions: Positions::default(),
        status_debounce: StatusDebounce::default(),
        metrics,
    });
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespace = context.config.namespace,
        "operator starts"
    );
    let Some(candidacy) = candidacy else {
        return operate(context, Alone, Alone.standing(), address).await;
    };
    let leases = Leases::new(client, &candidacy.namespace, &candidacy.lease);
    let times = Times::of(context.config.lease_seconds);
    let candidate = Candidate::start(leases, fence, candidacy.identity, times);
    let standing = candidate.standing();
    operate(context, candidate, standing, address).await
}

async fn operate(
    context: Shared,
    leadership: impl Leadership,
    standing: watch::Receiver<Standing>,
    address: SocketAddr,
) -> Result<(), Box<dyn std::error::Error>> {
    let probes = tokio::spawn(probes::serve(context.clone(), standing, address));
    tokio::select! {
        () = controller::run(context, leadership, asked_to_end()) => Ok(()),
        ended = probes => Ok(ended??),
    }
}

fn platform(config: &Config) -> Result<Platform, doce_operator::config::Invalid> {
    Ok(Platform {
        push_registry: config.push_registry.clone(),
        push_insecure: config.push_insecure,
        push_login: config.push_login,
        pull_registry: config.pull_registry.clone().unwrap_or_else(|| config.push_registry.clone()),
        profile: config.build_profile,
        isolated: config.isolated(),
        remote: config.remote()?,
        buildkit_image: config.buildkit_image.clone(),
        operator_image: config.operator_image.clone(),
        architectures: config.image_architectures.clone(),
        mirror: config.mirror.clone(),
        proxies: config.proxies()?,
        public_sources: !config.private_sources,
        ca_bundle: config.ca_bundle()?,
        build_pods: config.build_pods.clone().unwrap_or_default(),
        copy: config.copy_metadata.clone().unwrap_or_default(),
        sees_all: config.namespace.is_none(),
    })
}

async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
