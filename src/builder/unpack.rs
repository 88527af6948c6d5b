//! Unpacks a tar.gz archive. An archive that two programs could read differently, or that could reach outside its tree,
//! is rejected as a whole. Owners, times and special bits are dropped.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::rc::Rc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use flate2::bufread::GzDecoder;
use sha2::{Digest as _, Sha256};
use tar::Archive;

use super::log::printable;
use super::outcome::Failure;
use super::source::{MAX_BYTES, stays_inside};
use crate::protocol::report::Stage;
use error::{Error, unsafe_entry};
use gauge::{Gauge, Packed, Unpacked};
use member::{Content, Extensions, Member};

mod error;
mod gauge;
mod member;

/// Most entries of an archive, including extended headers, plus the directories that no entry names.
pub(super) const MAX_ENTRIES: u64 = 10_000;
/// Most bytes of one extended header.
const MAX_EXTENSION: u64 = 64 << 10;
const BLOCK: u64 = 512;

/// What a path of the archive is so far.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Directory,
    /// A file with the checksum of its content.
    File([u8; 32]),
    /// A symbolic link with its target.
    Link(String),
}

/// Unpacks the archive below `tree`, an empty directory.
pub(super) fn unpack(archive: &Path, tree: &Path) -> Result<(), Failure> {
    Unpacking::open(archive, tree).and_then(|unpacking| unpacking.all(archive)).map_err(Error::failure)
}

/// If `tree` contains one directory and nothing else, makes that directory the tree.
pub(super) fn enter_only_directory(tree: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::workspace(Stage::Fetch, "the archive could not be unpacked", &error);
    let mut entries = std::fs::read_dir(tree).map_err(failed)?;
    let (Some(Ok(only)), None) = (entries.next(), entries.next()) else { return Ok(()) };
    if !only.file_type().map_err(failed)?.is_dir() {
        return Ok(());
    }
    let aside = tree.with_extension("only");
    std::fs::rename(only.path(), &aside).map_err(failed)?;
    std::fs::remove_dir(tree).map_err(failed)?;
    std::fs::rename(&aside, tree).map_err(failed)
}

struct Unpacking {
    /// Every write goes through it: the kernel rejects what leads out of the tree, even if our checks miss it.
    tree: Dir,
    kinds: BTreeMap<String, Kind>,
    gauge: Rc<Gauge>,
    entries: u64,
    bytes: u64,
    /// End of the last entry in the unpacked stream.
    end: u64,
}

type Stream = Unpacked<GzDecoder<BufReader<Packed<File>>>>;

impl Unpacking {
    fn open(archive: &Path, tree: &Path) -> Result<Self, Error> {
        let mut magic = [0; 2];
        let read = File::open(archive)?.read_exact(&mut magic);
        if read.is_err() || magic != [0x1f, 0x8b] {
            return Err(Error::Invalid(
                "it is not compressed with gzip; an archive must be a tar.gz file. The server may have sent a web page \
                 instead"
                    .into(),
            ));
        }
        let tree = Dir::open_ambient_dir(tree, ambient_authority())?;
        let gauge = Rc::new(Gauge::default());
        Ok(Self { tree, kinds: BTreeMap::new(), gauge, entries: 0, bytes: 0, end: 0 })
    }

    fn all(mut self, archive: &Path) -> Result<(), Error> {
        let packed = Packed::new(File::open(archive)?, self.gauge.clone());
        let stream = Unpacked::new(GzDecoder::new(BufReader::new(packed)), self.gauge.clone());
        let mut archive = Archive::new(stream);
        // Raw: the tar crate's own reading of extensions skips some that are malformed.
        let entries = archive.entries().map_err(|error| self.damaged(&error))?.raw(true);
        let mut extensions = Extensions::default();
        for entry in entries {
            let mut entry = entry.map_err(|error| self.damaged(&error))?;
            self.count()?;
            let size = entry.header().entry_size().map_err(|error| self.damaged(&error))?;
            self.end = size
                .checked_next_multiple_of(BLOCK)
                .and_then(|size| size.checked_add(entry.raw_file_position()))
                .ok_or_else(|| Error::TooLarge("an entry claims more bytes than can exist".into()))?;
            let kind = entry.header().entry_type();
            if Extensions::is_one(kind) {
                let data = self.extension(&mut entry, size)?;
                extensions.add(kind, &data)?;
                continue;
            }
            let header = entry.header().clone();
            let member = Member::read(&header, kind, size, std::mem::take(&mut extensions))?;
            self.place(&member, &mut entry)?;
        }
        if !extensions.is_empty() {
            return Err(Error::Invalid("it ends with an extended header that no entry follows".into()));
        }
        self.ends_well(archive.into_inner())
    }

    fn count(&mut self) -> Result<(), Error> {
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            return Err(Error::TooLarge(format!(
                "it has more than {MAX_ENTRIES} entries and directories; leave build results and data out of it"
            )));
        }
        Ok(())
    }

    fn extension(&self, entry: &mut impl Read, size: u64) -> Result<Vec<u8>, Error> {
        if size > MAX_EXTENSION {
            return Err(Error::TooLarge(format!(
                "the extended header of an entry is longer than {} KiB",
                MAX_EXTENSION >> 10
            )));
        }
        let mut data = Vec::new();
        entry.read_to_end(&mut data).map_err(|error| self.damaged(&error))?;
        if data.len() as u64 != size {
            return Err(self.damaged(&std::io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(data)
    }

    fn place(&mut self, member: &Member, data: &mut impl Read) -> Result<(), Error> {
        let path = member.path.as_str();
        self.make_parents(path)?;
        let first = !self.kinds.contains_key(path);
        let kind = match &member.content {
            Content::Directory => {
                if !path.is_empty() && first {
                    self.tree.create_dir(path)?;
                }
                Kind::Directory
            }
            Content::File { size, executable } => {
                self.grow(*size)?;
                let mode = if *executable { 0o755 } else { 0o644 };
                let written = first.then_some(mode);
                Kind::File(self.write(path, written, *size, data)?)
            }
            Content::Link(target) => {
                let from = Path::new(path).parent().unwrap_or(Path::new(""));
                if !stays_inside(from, Path::new(target)) {
                    return Err(unsafe_entry(path, "is a link that leads out of the archive"));
                }
                if first {
                    self.tree.symlink(target, path)?;
                }
                Kind::Link(target.clone())
            }
            Content::HardLink(target) => {
                let Some(Kind::File(sum)) = self.kinds.get(target) else {
                    return Err(unsafe_entry(
                        path,
                        "is a hard link, but not to an earlier file of the archive",
                    ));
                };
                let sum = *sum;
                if first {
                    self.tree.hard_link(target, &self.tree, path)?;
                }
                Kind::File(sum)
            }
        };
        match self.kinds.insert(path.to_owned(), kind) {
            Some(before) if before != self.kinds[path] => Err(Error::Invalid(format!(
                "it contains {:?} twice, with different content",
                printable(path)
            ))),
            _ => Ok(()),
        }
    }

    /// Creates parent directories that the archive does not name. A parent is never a link.
    fn make_parents(&mut self, path: &str) -> Result<(), Error> {
        for (at, _) in path.match_indices('/') {
            let parent = &path[..at];
            match self.kinds.get(parent) {
                Some(Kind::Directory) => {}
                Some(_) => {
                    return Err(unsafe_entry(path, "is below a path that is not a directory of the archive"));
                }
                None => {
                    self.count()?;
                    self.tree.create_dir(parent)?;
                    self.kinds.insert(parent.to_owned(), Kind::Directory);
                }
            }
        }
        Ok(())
    }

    fn grow(&mut self, size: u64) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > MAX_BYTES {
            return Err(Error::TooLarge(format!(
                "it unpacks to more than {} MiB; leave build results and data out of it",
                MAX_BYTES >> 20
            )));
        }
        Ok(())
    }

    /// Writes a file with `mode`, or only reads it if it already exists; returns the checksum of its content.
    fn write(
        &self,
        path: &str,
        mode: Option<u32>,
        size: u64,
        data: &mut impl Read,
    ) -> Result<[u8; 32], Error> {
        let open = |mode| {
            let mut options = OpenOptions::new();
            self.tree.open_with(path, options.write(true).create_new(true).mode(mode))
        };
        let mut file = mode.map(open).transpose()?;
        let (mut sum, mut buffer, mut written) = (Sha256::new(), vec![0; 64 << 10], 0);
        loop {
            let count = data.read(&mut buffer).map_err(|error| self.damaged(&error))?;
            if count == 0 {
                break;
            }
            written += count as u64;
            sum.update(&buffer[..count]);
            file.as_mut().map_or(Ok(()), |file| file.write_all(&buffer[..count]))?;
        }
        if written != size {
            return Err(self.damaged(&std::io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(sum.finalize().into())
    }

    /// Checks that two blocks of zeros follow the last entry, and nothing else, in the archive and after its
    /// compression.
    fn ends_well(&self, mut stream: Stream) -> Result<(), Error> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match stream.read(&mut buffer).map_err(|error| self.damaged(&error))? {
                0 => break,
                count if buffer[..count].iter().any(|&byte| byte != 0) => {
                    return Err(Error::Invalid(
                        "it has data after its end, which some programs would unpack".into(),
                    ));
                }
                _ => {}
            }
        }
        if self.entries == 0 {
            return Err(Error::Invalid("it is empty".into()));
        }
        if self.gauge.unpacked() < self.end + 2 * BLOCK {
            return Err(Error::Invalid("it is truncated: its end is missing".into()));
        }
        let mut rest = stream.into_inner().into_inner();
        if !rest.fill_buf()?.is_empty() {
            return Err(Error::Invalid(
                "it has data after its compressed part: a second one, which some programs would unpack, or garbage"
                    .into(),
            ));
        }
        Ok(())
    }

    /// The meaning of a read error: an exceeded limit, or damage.
    fn damaged(&self, error: &std::io::Error) -> Error {
        match self.gauge.breach() {
            Some(breach) => Error::TooLarge(breach.to_owned()),
            None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Error::Invalid("it is truncated; was the download complete?".into())
            }
            None => Error::Invalid(format!("it is damaged: {}", printable(&error.to_string()))),
        }
    }
}

#[cfg(test)]
mod tests;
