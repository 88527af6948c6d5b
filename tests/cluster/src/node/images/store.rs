//! Stores blobs by the hash of their content, as in an OCI image layout.
//! It never changes an existing blob.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Attempt, Error};

/// A reference to a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::node) struct Descriptor {
    /// The media type of the blob.
    pub(in crate::node) media_type: String,
    /// `sha256:` and 64 hex digits.
    pub(in crate::node) digest: String,
    /// Size in bytes.
    pub(in crate::node) size: u64,
}

/// A compressed layer, and the hash of its uncompressed content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Layer {
    pub(super) descriptor: Descriptor,
    pub(super) diff_id: String,
}

/// A directory of blobs, and of notes about them.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
}

impl Store {
    pub(super) fn open(dir: PathBuf) -> Result<Self, Error> {
        for dir in [dir.join("blobs/sha256"), dir.join("notes")] {
            fs::create_dir_all(&dir).attempt(|| format!("create {}", dir.display()))?;
        }
        Ok(Self { dir })
    }

    /// The directory of the blobs.
    pub(super) fn blobs(&self) -> PathBuf {
        self.dir.join("blobs")
    }

    /// The file of a blob.
    pub(super) fn blob(&self, digest: &str) -> PathBuf {
        self.blobs().join(digest.replace(':', "/"))
    }

    pub(super) fn has(&self, descriptor: &Descriptor) -> bool {
        self.blob(&descriptor.digest).metadata().is_ok_and(|metadata| metadata.len() == descriptor.size)
    }

    /// Stores a JSON document.
    pub(super) fn put(&self, media_type: &str, content: &serde_json::Value) -> Result<Descriptor, Error> {
        let text = content.to_string();
        let digest = format!("sha256:{}", hex(Sha256::digest(&text).as_slice()));
        let path = self.blob(&digest);
        let new = path.with_extension("new");
        fs::write(&new, &text)
            .and_then(|()| fs::rename(&new, &path))
            .attempt(|| format!("write {}", path.display()))?;
        Ok(Descriptor { media_type: media_type.to_owned(), digest, size: text.len() as u64 })
    }

    /// Reads a JSON document.
    pub(super) fn get(&self, descriptor: &Descriptor) -> Result<serde_json::Value, Error> {
        let path = self.blob(&descriptor.digest);
        let text = fs::read(&path).attempt(|| format!("read {}", path.display()))?;
        serde_json::from_slice(&text)
            .map_err(|error| Error::failed(format!("parse {}", path.display()), error))
    }

    /// Stores as a layer the uncompressed tar file that `fill` writes.
    pub(super) fn layer(
        &self,
        fill: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<Layer, Error> {
        let new = tempfile::NamedTempFile::new_in(&self.dir)
            .attempt(|| format!("write into {}", self.dir.display()))?;
        let attempt = || format!("write a layer into {}", self.dir.display());
        let compressed = Hashing::new(BufWriter::new(new.as_file()));
        let mut plain = Hashing::new(GzEncoder::new(compressed, Compression::new(4)));
        fill(&mut plain)?;
        let (encoder, diff_id, _) = plain.finish();
        let (mut out, digest, size) = encoder.finish().attempt(attempt)?.finish();
        out.flush().attempt(attempt)?;
        drop(out);
        let path = self.blob(&digest);
        new.persist(&path).map_err(|error| error.error).attempt(|| format!("write {}", path.display()))?;
        let media_type = "application/vnd.oci.image.layer.v1.tar+gzip".to_owned();
        Ok(Layer { descriptor: Descriptor { media_type, digest, size }, diff_id })
    }

    /// A reader of a layer's uncompressed content.
    pub(super) fn open_layer(&self, layer: &Layer) -> Result<impl io::Read + use<>, Error> {
        let path = self.blob(&layer.descriptor.digest);
        let file = File::open(&path).attempt(|| format!("open {}", path.display()))?;
        Ok(flate2::read::GzDecoder::new(io::BufReader::new(file)))
    }

    /// The note under `key`; `None` if it does not exist or does not parse.
    pub(super) fn noted<T: serde::de::DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.note_file(key)).ok()?).ok()
    }

    /// Writes a note under `key`.
    pub(super) fn note(&self, key: &str, value: &impl Serialize) -> Result<(), Error> {
        let path = self.note_file(key);
        let new = path.with_extension("new");
        let text = serde_json::to_vec(value)
            .map_err(|error| Error::failed(format!("write {}", path.display()), error))?;
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &path))
            .attempt(|| format!("write {}", path.display()))
    }

    fn note_file(&self, key: &str) -> PathBuf {
        self.dir.join("notes").join(format!("{key}.json"))
    }
}

/// A writer that hashes and counts the bytes that it passes on.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    length: u64,
}

impl<W: Write> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), length: 0 }
    }

    fn finish(self) -> (W, String, u64) {
        (self.inner, format!("sha256:{}", hex(self.hash.finalize().as_slice())), self.length)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_layer_is_found_under_the_hash_of_its_compressed_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_owned()).unwrap();
        let layer = store.layer(|out| out.write_all(b"abc").attempt(|| "write".to_owned())).unwrap();
        assert_eq!(layer.diff_id, format!("sha256:{}", hex(Sha256::digest(b"abc").as_slice())));
        assert!(store.has(&layer.descriptor));
        let bytes = fs::read(store.blob(&layer.descriptor.digest)).unwrap();
        assert_eq!(layer.descriptor.digest, format!("sha256:{}", hex(Sha256::digest(bytes).as_slice())));
        let mut text = String::new();
        store.open_layer(&layer).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }
}
