//! The archive of a source: a tar.gz whose bytes depend only on names, contents, links and whether files are executable.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::Files;
use super::files::size;
use crate::cli::failure::Failure;

/// An archive in a file without a name, which is gone with the program.
#[derive(Debug)]
pub(in crate::cli) struct Packed {
    file: File,
    /// SHA-256 of the archive, 64 hex digits.
    pub(in crate::cli) sum: String,
    /// Its bytes.
    pub(in crate::cli) length: u64,
}

impl Packed {
    /// Packs the files.
    pub(in crate::cli) fn of(files: &Files) -> Result<Self, Failure> {
        let failed =
            |error: io::Error| Failure::error(format!("cannot pack {}: {error}", files.root.display()));
        let file = tempfile::tempfile().map_err(failed)?;
        let mut archive = tar::Builder::new(GzEncoder::new(Summed::new(file), Compression::default()));
        for path in &files.paths {
            append(&mut archive, &files.root, path)
                .map_err(|error| Failure::error(format!("cannot pack {}: {error}", path.display())))?;
        }
        let Summed { file, sum, length } =
            archive.into_inner().and_then(GzEncoder::finish).map_err(failed)?;
        Ok(Self { file, sum: hex::encode(sum.finalize()), length })
    }

    /// Another reader of the archive, from its beginning.
    pub(in crate::cli) fn reader(&self) -> io::Result<File> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    /// Unpacks it, as the build will.
    pub(in crate::cli) fn unpack(&self, directory: &Path) -> io::Result<()> {
        tar::Archive::new(flate2::read::GzDecoder::new(self.reader()?)).unpack(directory)
    }

    /// Its size for people.
    pub(in crate::cli) fn size(&self) -> String {
        size(self.length)
    }
}

fn append<W: Write>(archive: &mut tar::Builder<W>, root: &Path, path: &Path) -> io::Result<()> {
    let whole = root.join(path);
    let data = whole.symlink_metadata()?;
    // No owner and no time: they differ between machines.
    let mut header = Header::new_gnu();
    header.set_mtime(0);
    if data.is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        return archive.append_link(&mut header, path, std::fs::read_link(&whole)?);
    }
    let file = File::open(&whole)?;
    header.set_size(data.len());
    header.set_mode(if is_executable(&data) { 0o755 } else { 0o644 });
    // A file that grows meanwhile is packed as it was; one that shrinks would break the archive.
    let mut content = file.take(data.len());
    archive.append_data(&mut header, path, &mut content)?;
    if content.limit() == 0 {
        return Ok(());
    }
    Err(io::Error::other("it changed in the meantime. Repeat the command when nothing writes to it"))
}

#[cfg(unix)]
fn is_executable(data: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    data.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    false
}

/// Writes to a file, and knows the checksum and length of what was written.
struct Summed {
    file: File,
    sum: Sha256,
    length: u64,
}

impl Summed {
    fn new(file: File) -> Self {
        Self { file, sum: Sha256::new(), length: 0 }
    }
}

impl Write for Summed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.file.write(buffer)?;
        self.sum.update(&buffer[..count]);
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn packed(directory: &Path) -> Packed {
        Packed::of(&Files::of(directory.to_str().unwrap()).unwrap()).unwrap()
    }

    fn written(names: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in names {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        symlink("app/a.sh", directory.path().join("run")).unwrap();
        directory
    }

    #[test]
    fn the_same_files_make_the_same_archive_wherever_and_whenever_they_were_written() {
        let (one, other) = (written(&["index.html", "app/a.sh"]), written(&["app/a.sh", "index.html"]));
        let early = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(9);
        File::open(other.path().join("index.html")).unwrap().set_modified(early).unwrap();
        std::fs::create_dir(other.path().join("empty")).unwrap();
        assert_eq!(packed(one.path()).sum, packed(other.path()).sum);
        let script = other.path().join("app/a.sh");
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_ne!(
            packed(one.path()).sum,
            packed(other.path()).sum,
            "a script that can be started is another one"
        );
    }

    #[test]
    fn an_archive_unpacks_to_the_files_and_links_of_its_folder() {
        let long = "a/".repeat(80) + "deep.txt";
        let folder = written(&["app/a.sh", &long]);
        let packed = packed(folder.path());
        assert_eq!(packed.length, packed.reader().unwrap().metadata().unwrap().len());
        let copy = tempfile::tempdir().unwrap();
        packed.unpack(copy.path()).unwrap();
        assert_eq!(std::fs::read_to_string(copy.path().join("run")).unwrap(), "app/a.sh");
        assert_eq!(std::fs::read_to_string(copy.path().join(&long)).unwrap(), long);
    }
}
