//! The cluster that the demo runs on: one of its own, or the one that `KUBECONFIG` names.
//! It starts its own. For another, the user sets only what the demo cannot find out.

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
/// URL of the Git repository to build on such a cluster.
const GIT_URL: &str = "DEMO_GIT_URL";

/// A cluster, with what the demo needs to know about it.
pub(super) struct Target {
    /// Environment variables of commands.
    environment: BTreeMap<String, String>,
    /// The repository to build.
    pub(super) git: Git,
    /// The operator's image.
    pub(super) operator_image: String,
    /// Host name or address of a node.
    pub(super) node_address: String,
    /// Directory with the files of the demo, which users may inspect.
    pub(super) files: PathBuf,
    /// The demo started this cluster and takes it down.
    pub(super) own: bool,
}

/// Where the sample's repository is.
pub(super) enum Git {
    /// The demo creates a bare repository in `root` and serves it below `url`.
    Ours {
        /// A directory on this machine.
        root: PathBuf,
        /// The URL at which build pods reach it.
        url: String,
    },
    /// The URL that the user set.
    Given(String),
}

impl Target {
    /// The cluster that `KUBECONFIG` names, or one of the demo's own, started if necessary.
    pub(super) fn find(paths: &Paths, interrupted: &Arc<AtomicBool>) -> Result<Self, Error> {
        if let Some(mut given) = Self::given(paths)? {
            given.operator_image =
                wanted(IMAGE, "an operator image that it can pull (make image, then push it)")?;
            given.git = Git::Given(wanted(
                GIT_URL,
                "the http(s) URL of a repository with a program, reachable from it",
            )?);
            let path = r#"jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}"#;
            let attempt = "list the nodes of the cluster that KUBECONFIG names";
            given.node_address = given.run("kubectl", &["get", "nodes", "--output", path], attempt)?;
            return Ok(given);
        }
        let state = launch::up(paths, Mode::Node, interrupted)?;
        let environment = state.variables(&env::var("PATH").unwrap_or_default());
        let variable = |name: &str| {
            environment.get(name).cloned().ok_or_else(|| {
                Error::failed(
                    "use the cluster of the demo",
                    format!("it does not set {name}: take it down and try again"),
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

    /// The cluster that `KUBECONFIG` names, unless that is the demo's own. The other fields are still empty.
    pub(super) fn given(paths: &Paths) -> Result<Option<Self>, Error> {
        let Some(kubeconfig) = env::var_os("KUBECONFIG").filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        if Path::new(&kubeconfig).starts_with(paths.dir()) {
            return Ok(None);
        }
        let files = paths.cache().join("demo");
        fs::create_dir_all(&files).attempt(|| format!("create {}", files.display()))?;
        Ok(Some(Self {
            environment: BTreeMap::new(),
            git: Git::Given(String::new()),
            operator_image: String::new(),
            node_address: String::new(),
            files,
            own: false,
        }))
    }

    /// An environment variable of the cluster.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// A command with the environment of this cluster.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(&self.environment);
        command
    }

    /// Runs a program with the environment of this cluster, and waits until it exits.
    pub(super) fn run(&self, program: &str, arguments: &[&str], attempt: &str) -> Result<String, Error> {
        error::run(self.command(program).args(arguments), attempt)
    }
}

/// A variable that must be set when the cluster is not the demo's own.
fn wanted(name: &str, what: &str) -> Result<String, Error> {
    env::var(name).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
        let ours = "or unset KUBECONFIG to let the demo start a cluster of its own";
        Error::failed(
            "run the demo",
            format!("KUBECONFIG names another cluster: set {name} to {what}; {ours}"),
        )
    })
}
