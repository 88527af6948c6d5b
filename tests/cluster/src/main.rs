//! The command line of the cluster: `doce-cluster up | down | env | with | tools | images | demo | render`.
//! It prints results to standard output, and progress and errors to standard error.

use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use clap::{Parser, Subcommand};
use doce_cluster::{
    Attempt, Error, Mode, Paths, Tools, demo, launch, node, paths,
    progress::{say, seconds},
    session,
    state::{State, quoted},
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Run a real Kubernetes cluster as plain processes, for the demo, the tests and the benchmarks.
#[derive(Parser)]
#[command(name = "doce-cluster", version, arg_required_else_help = true)]
struct Arguments {
    /// Directory of this cluster; every cluster needs its own [default: clusters/default in the cache]
    #[arg(long, global = true, env = "DOCE_CLUSTER_DIR")]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Start the cluster unless it runs already; print the shell line that makes kubectl use it
    Up {
        /// What runs behind the API server
        #[arg(long, value_enum, default_value_t = Mode::ControlPlane)]
        mode: Mode,
    },
    /// Stop the cluster and remove everything except its logs
    Down,
    /// Print the variables of the cluster as `export` lines for a shell
    Env,
    /// Run a command with a cluster of its own; take the cluster down when the command ends
    With {
        /// What runs behind the API server
        #[arg(value_enum)]
        mode: Mode,
        /// The command and its arguments, after `--`
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Build the pinned programs that are not in the cache yet, and print their paths
    Tools {
        /// Build only what this mode needs
        #[arg(long = "for", value_enum)]
        mode: Option<Mode>,
    },
    /// Make base images that are not in the cache yet; without names, list the images that recipes name
    Images {
        /// Names of images, such as docker.io/library/node:22-bookworm-slim
        references: Vec<String>,
    },
    /// Start a cluster, install the operator, deploy a sample, and print its URL and what to try next
    Demo {
        /// Take the demo down instead
        #[arg(long)]
        down: bool,
    },
    /// Render the operator's chart with its default values into one manifest
    Render {
        /// The file to write
        #[arg(long)]
        output: PathBuf,
        /// Write nothing; fail if the file differs
        #[arg(long)]
        check: bool,
    },
    /// Serve images and Git repositories to a node; `up` starts this
    #[command(hide = true)]
    Serve {
        /// The configuration file: addresses, images, repositories
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    match perform(Arguments::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: Arguments) -> Result<u8, Error> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))
            .attempt(|| "listen for signals".to_owned())?;
    }
    let cache = paths::cache_dir()?;
    let dir = arguments.dir.unwrap_or_else(|| cache.join("clusters/default"));
    let paths = Paths::new(std::path::absolute(&dir).attempt(|| format!("find {}", dir.display()))?, cache);
    match arguments.verb {
        Verb::Up { mode } => print_line(&launch::up(&paths, mode, &interrupted)?),
        Verb::Down => take_down(&paths, &interrupted)?,
        Verb::Env => print_variables(&launch::state(&paths)?),
        Verb::With { mode, command } => return session::with(mode, &command, paths.cache(), &interrupted),
        Verb::Images { references } => images(&paths, &references, &interrupted)?,
        Verb::Demo { down: false } => demo::run(&paths, &interrupted)?,
        Verb::Demo { down: true } => demo::down(&paths, &interrupted)?,
        Verb::Render { output, check } => demo::render(&paths, &output, check, &interrupted)?,
        Verb::Serve { config } => node::serve::run(&config)?,
        Verb::Tools { mode } => {
            for (name, path) in Tools::ensure(paths.cache(), mode, &interrupted)?.programs() {
                println!("{name} {}", path.display());
            }
        }
    }
    Ok(0)
}

fn images(paths: &Paths, references: &[String], interrupted: &Arc<AtomicBool>) -> Result<(), Error> {
    if references.is_empty() {
        node::images::listed()?.iter().for_each(|reference| println!("{reference}"));
        return Ok(());
    }
    let tools = Tools::ensure(paths.cache(), Some(Mode::Node), interrupted)?;
    for reference in references {
        println!("{reference} {}", node::images::make(paths, reference, &tools)?);
    }
    Ok(())
}

fn take_down(paths: &Paths, interrupted: &Arc<AtomicBool>) -> Result<(), Error> {
    let began = Instant::now();
    let dir = paths.dir().display();
    if launch::down(paths, interrupted)? {
        say(format_args!(
            "stopped the cluster in {dir} (took {}); its logs are in {}",
            seconds(began),
            paths.logs().display()
        ));
    } else {
        say(format_args!("there is no cluster in {dir}"));
    }
    Ok(())
}

fn print_line(state: &State) {
    if let Some(kubeconfig) = state.environment.get("KUBECONFIG") {
        println!("export KUBECONFIG={}", quoted(kubeconfig));
    }
}

fn print_variables(state: &State) {
    for (name, value) in state.variables(&env::var("PATH").unwrap_or_default()) {
        println!("export {name}={}", quoted(&value));
    }
}
