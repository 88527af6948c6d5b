//! Shared by the tests on a control plane and the benchmark: new lines of the API server's audit log.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::PathBuf;

/// A position in the audit log.
#[derive(Clone, Debug)]
pub(crate) struct AuditLog {
    path: PathBuf,
    offset: u64,
}

impl AuditLog {
    /// The end of the log.
    pub(crate) fn end() -> Self {
        let path = std::env::var_os("DOCE_AUDIT_LOG").expect("DOCE_AUDIT_LOG, which doce-cluster sets");
        let path = PathBuf::from(path);
        let offset = fs::metadata(&path).expect("the audit log").len();
        Self { path, offset }
    }

    /// Passes every line since the last call to `line`. The last line may still be incomplete: the next call reads it.
    pub(crate) fn each(&mut self, mut line: impl FnMut(&str)) {
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.offset)).unwrap();
        let (mut reader, mut text) = (BufReader::new(file), String::new());
        while reader.read_line(&mut text).unwrap() > 0 && text.ends_with('\n') {
            self.offset += text.len() as u64;
            line(&text);
            text.clear();
        }
    }
}
