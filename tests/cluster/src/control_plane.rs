//! A real control plane: etcd, API server, controller manager, scheduler, with certificates of its own.
//! It starts no node: `kwok` and `node` do.

mod flags;
pub mod pki;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{Error, Mode, Paths, Supervisor, Tools, ports, probe};
use pki::{Identity, Pki};

/// The addresses of Services. The first one is the Service of the API server.
pub const SERVICE_CIDR: &str = "10.118.0.0/16";
const FIRST_SERVICE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 118, 0, 1));
/// For components that pods do not need to reach.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Long, because a machine may pause. If the component exits, the wait ends at once.
const START_WITHIN: Duration = Duration::from_mins(10);

/// A running control plane.
#[derive(Debug)]
pub struct ControlPlane {
    address: SocketAddr,
    pki: Pki,
    admin: PathBuf,
    kubectl: PathBuf,
}

/// The inputs for the flags of the components.
struct Plan<'a> {
    mode: Mode,
    paths: &'a Paths,
    tools: &'a Tools,
    pki: &'a Pki,
    serving: Identity,
    api: SocketAddr,
    etcd: u16,
    etcd_peer: u16,
    etcd_metrics: u16,
    controllers: u16,
    scheduler: u16,
}

impl ControlPlane {
    /// Starts all components and waits until they are ready. The API server listens on `address`, which pods can reach
    /// in mode node.
    pub fn start(
        mode: Mode,
        address: IpAddr,
        paths: &Paths,
        tools: &Tools,
        supervisor: &mut Supervisor,
    ) -> Result<Self, Error> {
        let pki = Pki::create(paths.component("pki")?)?;
        let [api] = ports::free(address)?;
        let [etcd, etcd_peer, etcd_metrics, controllers, scheduler] = ports::free_except(LOOPBACK, &[api])?;
        let api = SocketAddr::new(address, api);
        let names = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ];
        let serving = pki.server("server", &names, &[LOOPBACK, address, FIRST_SERVICE])?;
        let admin = pki.kubeconfig(&format!("https://{api}"), "admin", "admin", Some("system:masters"))?;
        let kubectl = tools.path("kubectl")?.to_owned();
        let plan = Plan {
            mode,
            paths,
            tools,
            pki: &pki,
            serving,
            api,
            etcd,
            etcd_peer,
            etcd_metrics,
            controllers,
            scheduler,
        };
        let commands = (plan.etcd()?, plan.api_server()?, plan.controller_manager()?, plan.scheduler()?);
        let this = Self { address: api, pki, admin, kubectl };

        let metrics = SocketAddr::new(LOOPBACK, etcd_metrics);
        supervisor.start("etcd", commands.0, START_WITHIN, || probe::http(metrics, "/readyz"))?;
        supervisor.start("kube-apiserver", commands.1, START_WITHIN, || this.ready())?;
        // These two take equally long to start, so they start in parallel.
        supervisor.spawn("kube-controller-manager", commands.2)?;
        supervisor.spawn("kube-scheduler", commands.3)?;
        for (name, port) in [("kube-controller-manager", controllers), ("kube-scheduler", scheduler)] {
            supervisor.wait_ready(name, START_WITHIN, || this.healthy(SocketAddr::new(LOOPBACK, port)))?;
        }
        supervisor.wait("the service account \"default\" in namespace default", START_WITHIN, || {
            probe::succeeds(this.kubectl().args(["get", "serviceaccount", "default", "--namespace=default"]))
                .map(drop)
        })?;
        Ok(this)
    }

    /// Where the API server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API server's URL.
    #[must_use]
    pub fn server(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate authority, for components that need identities of their own.
    #[must_use]
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// The kubeconfig of an administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.admin
    }

    /// A kubeconfig for a component: `file` names its files; RBAC grants rights to `user` and `group`.
    pub fn kubeconfig_for(&self, file: &str, user: &str, group: Option<&str>) -> Result<PathBuf, Error> {
        self.pki.kubeconfig(&self.server(), file, user, group)
    }

    /// `kubectl` as an administrator, without arguments yet.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        kubectl(&self.kubectl, &self.admin)
    }

    /// The API server and everything it depends on are ready.
    pub fn ready(&self) -> Result<(), String> {
        // Checking the port first is cheaper than starting a process.
        probe::listens(self.address)?;
        probe::succeeds(self.kubectl().args(["get", "--raw", "/readyz"])).map(drop)
    }

    fn healthy(&self, address: SocketAddr) -> Result<(), String> {
        probe::listens(address)?;
        let server = format!("--server=https://{address}");
        probe::succeeds(self.kubectl().args([&server, "get", "--raw", "/healthz"])).map(drop)
    }
}

/// `kubectl` with this kubeconfig instead of the user's own settings.
#[must_use]
pub fn kubectl(program: &Path, kubeconfig: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("KUBECONFIG", kubeconfig).env("KUBECACHEDIR", kubeconfig.with_file_name("kubectl-cache"));
    command.arg("--request-timeout=60s");
    command
}
