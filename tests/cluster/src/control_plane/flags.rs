//! The command lines of the control plane's components. It starts nothing.

use std::{env, fs, path::PathBuf, process::Command};

use super::{LOOPBACK, Plan, SERVICE_CIDR};
use crate::{Attempt, Error, Mode};

/// Overrides the range of node ports, whose default is that of Kubernetes.
const NODE_PORTS: &str = "DOCE_NODE_PORT_RANGE";

impl Plan<'_> {
    pub(super) fn etcd(&self) -> Result<Command, Error> {
        let data = self.paths.component("etcd")?;
        let (client, peer) = (self.etcd_url(), format!("https://{LOOPBACK}:{}", self.etcd_peer));
        let mut command = Command::new(self.tools.path("etcd")?);
        flag(&mut command, "name", "doce");
        flag(&mut command, "data-dir", data.display());
        flag(&mut command, "listen-client-urls", &client);
        flag(&mut command, "advertise-client-urls", &client);
        flag(&mut command, "listen-peer-urls", &peer);
        flag(&mut command, "initial-advertise-peer-urls", &peer);
        flag(&mut command, "initial-cluster", format!("doce={peer}"));
        flag(&mut command, "listen-metrics-urls", format!("http://{LOOPBACK}:{}", self.etcd_metrics));
        for prefix in ["", "peer-"] {
            flag(&mut command, &format!("{prefix}cert-file"), self.serving.cert.display());
            flag(&mut command, &format!("{prefix}key-file"), self.serving.key.display());
            flag(&mut command, &format!("{prefix}trusted-ca-file"), self.pki.ca().display());
            flag(&mut command, &format!("{prefix}client-cert-auth"), true);
        }
        // The data is deleted with the cluster, so it does not need to survive a power failure.
        flag(&mut command, "unsafe-no-fsync", true);
        flag(&mut command, "quota-backend-bytes", 4_u64 << 30);
        Ok(command)
    }

    pub(super) fn api_server(&self) -> Result<Command, Error> {
        let policy = self.config("audit-policy.yaml", include_str!("../../config/audit-policy.yaml"))?;
        let mut command = Command::new(self.tools.path("kube-apiserver")?);
        flag(&mut command, "bind-address", self.api.ip());
        flag(&mut command, "advertise-address", self.api.ip());
        flag(&mut command, "external-hostname", self.api.ip());
        flag(&mut command, "secure-port", self.api.port());
        self.certificates(&mut command)?;
        flag(&mut command, "etcd-servers", self.etcd_url());
        flag(&mut command, "authorization-mode", "Node,RBAC");
        flag(&mut command, "enable-admission-plugins", "NodeRestriction");
        flag(&mut command, "service-account-issuer", "https://kubernetes.default.svc.cluster.local");
        flag(&mut command, "service-cluster-ip-range", SERVICE_CIDR);
        flag(
            &mut command,
            "service-node-port-range",
            env::var(NODE_PORTS).ok().filter(|range| !range.is_empty()).as_deref().unwrap_or("30000-32767"),
        );
        flag(&mut command, "kubelet-preferred-address-types", "InternalIP");
        flag(&mut command, "allow-privileged", true);
        flag(&mut command, "audit-policy-file", policy.display());
        flag(&mut command, "audit-log-path", self.paths.audit_log().display());
        // In megabytes. So large that the log is never rotated while a test reads it.
        flag(&mut command, "audit-log-maxsize", 1 << 20);
        flag(&mut command, "profiling", false);
        if self.mode == Mode::ControlPlane {
            // The Service "kubernetes" may not have a loopback address as its endpoint, and no pod uses it.
            flag(&mut command, "endpoint-reconciler-type", "none");
        }
        Ok(command)
    }

    /// The certificates that the API server presents to clients, etcd, kubelets and aggregated API servers.
    fn certificates(&self, command: &mut Command) -> Result<(), Error> {
        let kubelet =
            self.pki.client("apiserver-kubelet-client", "kube-apiserver", Some("system:masters"))?;
        let proxy = self.pki.client("front-proxy-client", "front-proxy-client", None)?;
        for (name, file) in [
            ("tls-cert-file", &self.serving.cert),
            ("tls-private-key-file", &self.serving.key),
            ("client-ca-file", &self.pki.ca()),
            ("etcd-cafile", &self.pki.ca()),
            ("etcd-certfile", &self.serving.cert),
            ("etcd-keyfile", &self.serving.key),
            ("kubelet-client-certificate", &kubelet.cert),
            ("kubelet-client-key", &kubelet.key),
            ("service-account-key-file", &self.pki.service_accounts_public_key()),
            ("service-account-signing-key-file", &self.pki.service_accounts_key()),
            ("proxy-client-cert-file", &proxy.cert),
            ("proxy-client-key-file", &proxy.key),
            ("requestheader-client-ca-file", &self.pki.ca()),
        ] {
            flag(command, name, file.display());
        }
        // Only this name may act for other users, so the front proxy needs no certificate authority of its own.
        flag(command, "requestheader-allowed-names", "front-proxy-client");
        flag(command, "requestheader-username-headers", "X-Remote-User");
        flag(command, "requestheader-group-headers", "X-Remote-Group");
        flag(command, "requestheader-extra-headers-prefix", "X-Remote-Extra-");
        Ok(())
    }

    pub(super) fn controller_manager(&self) -> Result<Command, Error> {
        let mut command = Command::new(self.tools.path("kube-controller-manager")?);
        self.component(&mut command, "kube-controller-manager", self.controllers)?;
        flag(&mut command, "use-service-account-credentials", true);
        flag(&mut command, "root-ca-file", self.pki.ca().display());
        flag(&mut command, "service-account-private-key-file", self.pki.service_accounts_key().display());
        flag(&mut command, "cluster-signing-cert-file", self.pki.ca().display());
        flag(&mut command, "cluster-signing-key-file", self.pki.ca_key().display());
        flag(&mut command, "service-cluster-ip-range", SERVICE_CIDR);
        // Many tests run in parallel, each in its namespace, and must not wait for each other.
        for what in [
            "deployment",
            "replicaset",
            "job",
            "endpoint",
            "service-endpoint",
            "namespace",
            "serviceaccount-token",
        ] {
            flag(&mut command, &format!("concurrent-{what}-syncs"), 20);
        }
        flag(&mut command, "concurrent-gc-syncs", 40);
        // If the machine pauses, the controller must not evict the pods of its only node.
        flag(&mut command, "node-monitor-grace-period", "1h");
        Ok(command)
    }

    pub(super) fn scheduler(&self) -> Result<Command, Error> {
        let mut command = Command::new(self.tools.path("kube-scheduler")?);
        self.component(&mut command, "kube-scheduler", self.scheduler)?;
        Ok(command)
    }

    /// The flags that the controller manager and the scheduler share.
    fn component(&self, command: &mut Command, name: &str, port: u16) -> Result<(), Error> {
        let server = format!("https://{}", self.api);
        let kubeconfig = self.pki.kubeconfig(&server, name, &format!("system:{name}"), None)?;
        for used in ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"] {
            flag(command, used, kubeconfig.display());
        }
        flag(command, "bind-address", LOOPBACK);
        flag(command, "secure-port", port);
        flag(command, "tls-cert-file", self.serving.cert.display());
        flag(command, "tls-private-key-file", self.serving.key.display());
        // There is one of each. Without an election, a start does not wait for an old lease.
        flag(command, "leader-elect", false);
        flag(command, "kube-api-qps", 500);
        flag(command, "kube-api-burst", 1000);
        flag(command, "profiling", false);
        Ok(())
    }

    fn config(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.paths.component("config")?.join(name);
        fs::write(&path, text).attempt(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    fn etcd_url(&self) -> String {
        format!("https://{LOOPBACK}:{}", self.etcd)
    }
}

fn flag(command: &mut Command, name: &str, value: impl std::fmt::Display) {
    command.arg(format!("--{name}={value}"));
}
