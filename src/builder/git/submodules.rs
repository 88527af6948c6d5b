//! The submodules of a commit, and their repositories. `git submodule` never runs: it would use settings of the source.

use std::path::Path;

use super::super::address::Host;
use super::super::outcome::Failure;
use super::super::program;
use super::modules::{self, Submodule};
use super::{Access, Git, LOCAL, failure};
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

/// Largest `.gitmodules` in bytes, and largest listing of one.
const MAX_DECLARATION: u64 = 64 << 10;

impl Git {
    /// The submodules of a fetched commit, from its tree and its `.gitmodules`.
    pub(in super::super) async fn submodules(&self, commit: &str) -> Result<Vec<Submodule>, Failure> {
        let listing = self.listing(commit).await?;
        let links = modules::links(&listing).map_err(|why| refused(&why))?;
        if links.is_empty() {
            return Ok(vec![]);
        }
        let mut urls = match modules::is_declared(&listing, MAX_DECLARATION) {
            Some(true) => modules::urls(&self.declaration(commit).await?)
                .map_err(|why| refused(&format!(".gitmodules {why}")))?,
            Some(false) => {
                let most = MAX_DECLARATION >> 10;
                return Err(refused(&format!(".gitmodules is not a regular file of at most {most} KiB")));
            }
            None => return Err(undeclared(&links[0].0)),
        };
        let found = links.into_iter().map(|(path, commit)| {
            let url = urls.remove(&path).ok_or_else(|| undeclared(&path))?;
            Ok(Submodule { path, commit, url })
        });
        found.collect()
    }

    /// The settings that Git reads from the `.gitmodules` of a commit, without includes.
    async fn declaration(&self, commit: &str) -> Result<Vec<u8>, Failure> {
        let mut command = self.git();
        command.args(["config", "--no-includes", "--blob"]).arg(format!("{commit}:.gitmodules"));
        let output = program::output(command.args(["--list", "-z"]), 2 * MAX_DECLARATION, LOCAL).await;
        let output = output.map_err(|error| failure::program(Stage::Fetch, &self.url, &error))?;
        if output.success && !output.cut {
            return Ok(output.stdout);
        }
        let why = failure::last_line(&output.stderr);
        Err(refused(&format!("Git cannot read .gitmodules: {why}")))
    }

    /// The repository of a submodule on the same host as this one. It gets the same credentials.
    pub(in super::super) fn beside(&self, url: &str, work: &Path) -> Self {
        let (pin, ca, access) = (self.pin.clone(), self.ca.clone(), self.access.clone());
        let proxy = self.proxy.clone();
        let (url, objects) = (url.to_owned(), work.join("objects.git"));
        let (transports, room, patience) = (self.transports, self.room, self.patience);
        Self { url, objects, transports, pin, proxy, ca, access, room, patience }
    }

    /// The repository of a submodule on another host. It gets no credentials.
    pub(in super::super) fn elsewhere(
        &self,
        url: &str,
        work: &Path,
        host: &Host,
        addresses: &[std::net::IpAddr],
    ) -> Self {
        Self::new(url, work, host, addresses, self.ca.clone(), Access::Public)
    }

    /// Its URL.
    pub(in super::super) fn url(&self) -> &str {
        &self.url
    }
}

/// The failure of a source whose submodules are declared wrongly.
fn refused(why: &str) -> Failure {
    let message =
        format!("{why}; correct the source, or skip submodules with spec.source.git.submodules: false");
    Failure::new(Stage::Verify, FailureReason::UnsafeSource, message)
}

fn undeclared(path: &str) -> Failure {
    let message = format!(
        "submodule {path:?} has no url in .gitmodules; add it, or skip submodules with \
         spec.source.git.submodules: false"
    );
    Failure::new(Stage::Verify, FailureReason::SourceNotFound, message)
}
