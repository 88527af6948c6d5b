//! Git LFS: replaces pointers of a commit by their content once its checksum is right. A missing object fails the
//! build, so that no pointer is ever served as a picture.
//!
//! The batch API is a POST and some GETs. Our own client sends them, so every address, redirect and byte is checked as
//! for other sources. The program `git lfs` is not in the image of build pods, and would follow the settings of the
//! source.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _};

use super::http::{self, Http, Question};
use super::outcome::Failure;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;
use batch::Download;
pub(super) use pointer::{Found, Pointer, find};
pub(super) use server::{Server, guess, named};

mod batch;
mod pointer;
mod server;
pub(super) mod ssh;

/// Most objects in one request.
const BATCH: usize = 100;
/// Longest response to one request, in bytes.
const MAX_ANSWER: usize = 4 << 20;
/// Parallel downloads.
const AT_A_TIME: usize = 4;

/// The client of one server.
pub(super) struct Client<'a> {
    pub(super) http: &'a Http,
    /// Addresses of the source that named the server.
    pub(super) source: &'a [IpAddr],
    pub(super) server: &'a Server,
    /// Directory for downloads.
    pub(super) work: &'a Path,
}

impl Client<'_> {
    /// Replaces each of these pointers by its content.
    pub(super) async fn replace(&self, found: &[Found]) -> Result<(), Failure> {
        let mut places: BTreeMap<&Pointer, Vec<&Found>> = BTreeMap::new();
        for file in found {
            places.entry(&file.pointer).or_default().push(file);
        }
        let wanted: Vec<&Pointer> = places.keys().copied().collect();
        for batch in wanted.chunks(BATCH) {
            let downloads = self.ask(batch, &places).await?;
            futures::stream::iter(downloads)
                .map(|download| self.get(download, &places))
                .buffer_unordered(AT_A_TIME)
                .try_collect::<Vec<()>>()
                .await?;
        }
        Ok(())
    }

    /// Requests the download locations of these objects.
    async fn ask(
        &self,
        wanted: &[&Pointer],
        places: &BTreeMap<&Pointer, Vec<&Found>>,
    ) -> Result<Vec<Download>, Failure> {
        let (url, body) = (&self.server.batch, batch::question(wanted));
        let question = Question {
            accept: Some(batch::TYPE),
            authorization: self.server.authorization.as_deref(),
            headers: &self.server.headers,
            body: Some((batch::TYPE, &body)),
        };
        let response = self.http.post_beside(url, self.source, question, Stage::Fetch).await?;
        let status = response.status();
        let answer = http::text(response, MAX_ANSWER, Stage::Fetch).await?;
        if status != reqwest::StatusCode::OK {
            return Err(self.server.refused(status, &answer));
        }
        let place = |pointer: &Pointer| shown(places.get(pointer).map_or(&[][..], Vec::as_slice));
        batch::answer(&answer, wanted, url).map_err(|error| error.failure(self.server, &place))
    }

    /// Downloads an object, checks it, and writes it to each of its files.
    async fn get(&self, download: Download, places: &BTreeMap<&Pointer, Vec<&Found>>) -> Result<(), Failure> {
        let Download { pointer, url, headers } = download;
        let files = places.get(&pointer).map_or(&[][..], Vec::as_slice);
        // For a download from its own host, a server without other headers expects the login of the request.
        let own = headers.is_empty() && http::same_place(&url, &self.server.batch);
        let question = Question {
            authorization: self.server.authorization.as_deref().filter(|_| own),
            headers: if own { &self.server.headers } else { &headers },
            ..Question::default()
        };
        let response = self.http.get_beside(&url, self.source, question, Stage::Fetch).await?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(missing(
                &shown(files),
                &format!("{} answers {}", http::shown(&url), response.status()),
            ));
        }
        let copy = self.work.join(&pointer.oid);
        let sum = http::save(response, &copy, pointer.size, Stage::Fetch).await?;
        let size = std::fs::metadata(&copy).map(|data| data.len()).unwrap_or_default();
        if sum != pointer.oid || size != pointer.size {
            let why = format!("{} sent {size} bytes with checksum {sum}", http::shown(&url));
            return Err(missing(&shown(files), &why));
        }
        put(&copy, files).map_err(|error| {
            Failure::workspace(Stage::Fetch, "a file of Git LFS could not be written", &error)
        })
    }
}

/// Writes an object to its files, each of which keeps its mode, and removes the copy.
fn put(copy: &Path, files: &[&Found]) -> std::io::Result<()> {
    for file in files {
        let mut from = std::fs::File::open(copy)?;
        let mut to = std::fs::File::options().write(true).truncate(true).open(&file.path)?;
        std::io::copy(&mut from, &mut to)?;
    }
    std::fs::remove_file(copy)
}

/// The failure for files that cannot be fetched, with what to do.
pub(super) fn missing(files: &str, why: &str) -> Failure {
    let message = format!(
        "cannot fetch {files} from Git LFS: {why}. Push the objects with git lfs push --all, or commit the files \
         without LFS"
    );
    Failure::new(Stage::Fetch, FailureReason::LargeFileMissing, message)
}

/// Files for a message: the first three, and how many more.
pub(super) fn shown(files: &[&Found]) -> String {
    let names: Vec<String> = files.iter().take(3).map(|file| format!("{:?}", file.name)).collect();
    let more = files.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// Creates the directory for downloads.
pub(super) fn directory(work: &Path) -> std::io::Result<PathBuf> {
    let directory = work.join("large-files");
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}
