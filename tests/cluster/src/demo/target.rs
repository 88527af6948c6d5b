//! The cluster that the demo runs on: one of its own, or the one that `KUBECONFIG` names.
//! It starts its own and asks of another only what cannot be found out.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::AtomicBool},
};

use crate::{Attempt, Error, Mode, Paths, error, launch};

/// Image of the operator on a cluster that is not the demo's own.
const IMAGE: &str = "DEMO_OPERATOR_IMAGE";
/// The repository to build there.
const GIT_URL: &str = "DEMO_GIT_URL";

/// A cluster, and what the demo must know of it.
pub(super) struct Target {
    /// What commands get in their environment.
    environment: BTreeMap<String, String>,
    /// The repository.
    pub(super) git: Git,
    /// The operator's image.
    pub(super) operator_image: String,
    /// Host name or address of a node.
    pub(super) node_address: String,
    /// Files of the demo that people may look at.
    pub(super) files: PathBuf,
    /// It was started for the demo and goes with it.
    pub(super) own: bool,
}

/// Where the sample's repository is.
pub(super) enum Git {
    /// A bare one is put into `root` and served below `url`.
    Ours {
        /// A directory on this machine.
        root: PathBuf,
        /// Where build pods reach it.
        url: String,
    },
    /// The user's.
    Given(String),
}

impl Target {
    /// The cluster that `KUBECONFIG` names, or one of the demo's own, started if need be.
    pub(super) fn find(paths: &Paths, interrupted: &Arc<AtomicBool>) -> Result<Self, Error> {
        if let Some(mut given) = Self::given(paths)? {
            given.operator_image =
                wanted(IMAGE, "an image of the operator that it can pull (make image, then push it)")?;
            given.git = Git::Given(wanted(
                GIT_URL,
                "the http(s) URL of a repository with a program, which it can reach",
            )?);
            let path = r#"jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}"#;
            let attempt = "ask the cluster that KUBECONFIG names for its nodes";
            given.node_address = given.run("kubectl", &["get", "nodes", "--output", path], attempt)?;
            return Ok(given);
        }
        let state = launch::up(paths, Mode::Node, interrupted)?;
        let environment = state.variables(&env::var("PATH").unwrap_or_default());
        let variable = |name: &str| {
            environment.get(name).cloned().ok_or_else(|| {
                Error::failed(
                    "use the cluster of the demo",
                    format!("it does not say {name}: take it down and try again"),
                )
            })
        };
        Ok(Self {
            git: Git::Ours { root: variable("DOCE_GIT_ROOT")?.into(), url: variable("DOCE_GIT_URL")? },
            operator_image: variable("DOCE_OPERATOR_IMAGE")?,
            node_address: variable("DOCE_NODE_ADDRESS")?,
            files: paths.component("demo")?,
            own: true,
            environment,
        })
    }

    /// The cluster that `KUBECONFIG` names, if it names one that is not the demo's own; nothing more is known of it.
    pub(super) fn given(paths: &Paths) -> Result<Option<Self>, Error> {
        let Some(kubeconfig) = env::var_os("KUBECONFIG").filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        if Path::new(&kubeconfig).starts_with(paths.dir()) {
            return Ok(None);
        }
        let files = paths.cache().join("demo");
        fs::create_dir_all(&files).attempt(|| format!("make {}", files.display()))?;
        Ok(Some(Self {
            environment: BTreeMap::new(),
            git: Git::Given(String::new()),
            operator_image: String::new(),
            node_address: String::new(),
            files,
            own: false,
        }))
    }

    /// A variable of the cluster.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// A program that works on this cluster.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(&self.environment);
        command
    }

    /// Runs a program on this cluster to its end.
    pub(super) fn run(&self, program: &str, arguments: &[&str], attempt: &str) -> Result<String, Error> {
        error::run(self.command(program).args(arguments), attempt)
    }
}

/// A variable that must be set where the cluster is not the demo's own.
fn wanted(name: &str, what: &str) -> Result<String, Error> {
    env::var(name).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
        let ours = "or unset KUBECONFIG, and the demo starts a cluster of its own";
        Error::failed(
            "run the demo",
            format!("KUBECONFIG names a cluster of yours: set {name} to {what}; {ours}"),
        )
    })
}
