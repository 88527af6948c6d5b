//! Whether a module needs a C compiler, and which Debian packages its C code needs.

use super::super::tree::Tree;
use super::module::Module;
use super::programs::{directories, files, imports};
use crate::builder::outcome::Failure;

/// Modules that do nothing, or something else, without C, and the Debian packages to compile them.
const MODULES: [(&str, &[&str]); 24] = [
    ("github.com/mattn/go-sqlite3", &[]),
    ("gorm.io/driver/sqlite", &[]),
    ("github.com/mutecomm/go-sqlcipher", &[]),
    ("github.com/confluentinc/confluent-kafka-go", &[]),
    ("github.com/marcboeker/go-duckdb", &[]),
    ("github.com/duckdb/duckdb-go", &[]),
    ("github.com/tree-sitter/go-tree-sitter", &[]),
    ("github.com/smacker/go-tree-sitter", &[]),
    ("github.com/chai2010/webp", &[]),
    ("github.com/gen2brain/go-fitz", &[]),
    ("github.com/godror/godror", &[]),
    ("github.com/bytecodealliance/wasmtime-go", &[]),
    ("github.com/wasmerio/wasmer-go", &[]),
    ("rogchap.com/v8go", &[]),
    ("github.com/linxGnu/grocksdb", &["librocksdb-dev"]),
    ("github.com/h2non/bimg", &["libvips-dev"]),
    ("github.com/davidbyttow/govips", &["libvips-dev"]),
    ("gopkg.in/gographics/imagick.v3", &["libmagickwand-dev"]),
    ("github.com/kolesa-team/go-webp", &["libwebp-dev"]),
    ("github.com/otiai10/gosseract", &["libtesseract-dev", "libleptonica-dev"]),
    ("github.com/pebbe/zmq4", &["libzmq3-dev"]),
    ("github.com/seccomp/libseccomp-golang", &["libseccomp-dev"]),
    ("github.com/hajimehoshi/oto", &["libasound2-dev"]),
    ("gopkg.in/hraban/opus.v2", &["libopus-dev", "libopusfile-dev"]),
];

/// The C code of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct C {
    /// Why: an import of a file, or a module.
    pub(super) because: String,
    /// Debian's packages that compiling it needs.
    pub(super) packages: Vec<&'static str>,
}

/// What the modules need for C; None if they are pure Go.
pub(super) fn needed(tree: Tree<'_>, modules: &[(String, Module)]) -> Result<Option<C>, Failure> {
    let known = MODULES.iter().filter(|(path, _)| modules.iter().any(|(_, module)| module.has(path)));
    let known: Vec<_> = known.collect();
    if let Some((path, _)) = known.first() {
        let packages = known.iter().flat_map(|(_, packages)| packages.iter().copied()).collect();
        return Ok(Some(C { because: format!("go.mod requires {path}"), packages }));
    }
    for (base, _) in modules {
        for directory in directories(tree, base)? {
            if files(tree, &directory)?.iter().any(|text| imports(text).contains(&"C")) {
                let place = if directory.is_empty() { "./" } else { &directory };
                return Ok(Some(C { because: format!("a file in {place} imports \"C\""), packages: vec![] }));
            }
        }
    }
    Ok(None)
}
