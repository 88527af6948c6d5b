//! Which files of a folder are its source: what Git would take, also without a repository, and not what `.doceignore`
//! names. Some names never are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::{DirEntry, WalkBuilder};

use crate::builder::explain::{MOST_BYTES, MOST_ENTRIES};
use crate::cli::failure::Failure;

/// More ignore rules, in the format of `.gitignore`.
const IGNORE_FILE: &str = ".doceignore";

/// Names that are never part of a source: metadata of version control, what package managers download, caches, and
/// settings of one machine.
const NEVER: [&str; 9] =
    [".git", ".hg", ".svn", ".jj", "CVS", "node_modules", "__pycache__", ".venv", ".DS_Store"];

/// Names and ends of files that usually hold secrets, and ends of files that only look so.
const SECRET_NAMES: [&str; 6] =
    [".npmrc", ".netrc", ".pypirc", ".git-credentials", "kubeconfig", "credentials.json"];
const SECRET_ENDS: [&str; 6] = ["pem", "key", "p12", "pfx", "jks", "tfstate"];
const EXAMPLES: [&str; 5] = ["example", "sample", "template", "dist", "defaults"];

/// The files of a source.
#[derive(Debug)]
pub(in crate::cli) struct Files {
    /// The folder.
    pub(in crate::cli) root: PathBuf,
    /// Regular files and symbolic links relative to the folder, sorted by their names.
    pub(super) paths: Vec<PathBuf>,
    /// Directories that are not ignored, also empty ones.
    pub(in crate::cli) directories: BTreeSet<PathBuf>,
    /// Bytes of the files.
    pub(super) bytes: u64,
    /// What is never part of a source and was there.
    left_out: BTreeSet<String>,
}

impl Files {
    /// Looks through a folder.
    pub(in crate::cli) fn of(folder: &str) -> Result<Self, Failure> {
        let root = Path::new(folder).canonicalize().map_err(|error| Failure::file(folder, &error))?;
        if !root.is_dir() {
            return Err(Failure::usage(format!(
                "{folder} is a file. Name the directory with the project, or apply a manifest with -f {folder}"
            )));
        }
        let mut files =
            Self { root, paths: vec![], directories: BTreeSet::new(), bytes: 0, left_out: BTreeSet::new() };
        let left_out = Arc::new(Mutex::new(BTreeSet::new()));
        for entry in walk(&files.root, left_out.clone()) {
            let entry = entry.map_err(|error| Failure::error(format!("cannot read {folder}: {error}")))?;
            files.add(&entry)?;
        }
        files.left_out = std::mem::take(&mut *left_out.lock().unwrap_or_else(PoisonError::into_inner));
        if files.paths.is_empty() {
            return Err(Failure::usage(format!(
                "{folder} has no files that are not ignored. Name the directory with the project, or look at its .gitignore and {IGNORE_FILE}"
            )));
        }
        Ok(files)
    }

    fn add(&mut self, entry: &DirEntry) -> Result<(), Failure> {
        let Some(kind) = entry.file_type() else { return Ok(()) };
        if kind.is_dir() {
            self.directories.insert(entry.path().to_owned());
            return Ok(());
        }
        let path = entry.path().strip_prefix(&self.root).unwrap_or(entry.path()).to_owned();
        if kind.is_file() {
            let data = entry.metadata().map_err(|error| Failure::error(error.to_string()))?;
            self.bytes += data.len();
        } else if !kind.is_symlink() {
            self.left_out.insert(path.display().to_string()); // A socket or a pipe of a running program.
            return Ok(());
        }
        self.paths.push(path);
        let entries = (self.paths.len() + self.directories.len()) as u64;
        if entries > MOST_ENTRIES || self.bytes > MOST_BYTES {
            return Err(Failure::error(format!(
                "{} has more than {MOST_ENTRIES} files and directories or {} MiB that are not ignored; {} has many of them. Name what the build does not need \
                 in .gitignore or {IGNORE_FILE}",
                self.root.display(),
                MOST_BYTES >> 20,
                self.fullest(),
            )));
        }
        Ok(())
    }

    /// The part of the folder with the most bytes, or the most files if these are small.
    fn fullest(&self) -> String {
        let mut parts = std::collections::BTreeMap::<PathBuf, u64>::new();
        for path in &self.paths {
            let part = path.components().next().map(|part| PathBuf::from(part.as_os_str()));
            let size = self.root.join(path).symlink_metadata().map_or(0, |data| data.len());
            *parts.entry(part.unwrap_or_default()).or_default() += size + 4096;
        }
        let fullest = parts.into_iter().max_by_key(|(_, size)| *size);
        fullest.map(|(part, _)| part.display().to_string()).unwrap_or_default()
    }

    /// One sentence about the files.
    pub(in crate::cli) fn sentence(&self) -> String {
        let count = match self.paths.len() {
            1 => "1 file".to_owned(),
            count => format!("{count} files"),
        };
        let left_out: Vec<&str> = self.left_out.iter().map(String::as_str).collect();
        let without =
            if left_out.is_empty() { String::new() } else { format!(", without {}", left_out.join(", ")) };
        format!("{count}, {}{without}", size(self.bytes))
    }

    /// Files that usually hold secrets, of which no ignore rule says that they stay here.
    pub(in crate::cli) fn secrets(&self) -> Vec<String> {
        let is_secret = |path: &&PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
            let is_environment = name == ".env" || (name.starts_with(".env.") && !EXAMPLES.contains(&end));
            let is_key = SECRET_ENDS.contains(&end) || (name.starts_with("id_") && end != "pub");
            is_environment || is_key || SECRET_NAMES.contains(&name)
        };
        self.paths.iter().filter(is_secret).map(|path| path.display().to_string()).collect()
    }
}

/// A number of bytes for people.
pub(super) fn size(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", tenths(1 << 10)),
        _ => format!("{} MiB", tenths(1 << 20)),
    }
}

fn walk(root: &Path, left_out: Arc<Mutex<BTreeSet<String>>>) -> ignore::Walk {
    // In a repository, the rules of the directories above count as well, up to its root. Elsewhere they belong to something
    // else, such as a home directory.
    let in_repository = root.ancestors().any(|directory| directory.join(".git").exists());
    WalkBuilder::new(root)
        .hidden(false)
        .ignore(false)
        .git_ignore(true)
        .git_exclude(true)
        .git_global(true)
        .require_git(in_repository)
        .parents(in_repository)
        .add_custom_ignore_filename(IGNORE_FILE)
        .follow_links(false)
        .sort_by_file_path(Path::cmp)
        .filter_entry(move |entry| {
            let name = entry.file_name().to_string_lossy();
            let never = entry.depth() > 0 && is_never(&name, entry.path());
            if never {
                left_out.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into_owned());
            }
            !never
        })
        .build()
}

fn is_never(name: &str, path: &Path) -> bool {
    let is_local = path.extension().is_some_and(|end| end == "local") && name.starts_with(".env.");
    // A virtual environment of Python under any name.
    NEVER.contains(&name) || is_local || path.join("pyvenv.cfg").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        directory
    }

    fn of(directory: &Path) -> Files {
        Files::of(directory.to_str().unwrap()).unwrap()
    }

    fn names(files: &Files) -> Vec<String> {
        files.paths.iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn the_files_are_those_that_git_would_take_also_without_a_repository() {
        let files = folder(&[
            (".gitignore", "dist/\n*.log\n!keep.log\n"),
            (".doceignore", "fixtures\n"),
            (".env.example", "A=1"),
            ("app/.gitignore", "cache\n"),
            ("app/cache/x", ""),
            ("app/main.py", ""),
            ("dist/out.js", ""),
            ("fixtures/big", ""),
            ("debug.log", ""),
            ("keep.log", ""),
            ("node_modules/a/index.js", ""),
            ("sub/node_modules/b/index.js", ""),
            (".git/HEAD", ""),
            (".env.local", "SECRET=1"),
            (".env.production.local", "SECRET=1"),
            ("py/pyvenv.cfg", ""),
            ("py/lib/a.py", ""),
        ]);
        let found = of(files.path());
        assert_eq!(
            names(&found),
            [".doceignore", ".env.example", ".gitignore", "app/.gitignore", "app/main.py", "keep.log"]
        );
        assert_eq!(
            found.sentence(),
            "6 files, 40 B, without .env.local, .env.production.local, .git, node_modules, py"
        );
    }

    #[test]
    fn rules_above_a_folder_count_only_inside_of_a_repository() {
        let files = folder(&[(".gitignore", "*.txt\n"), ("shop/a.txt", ""), ("shop/b.html", "")]);
        let shop = files.path().join("shop");
        assert_eq!(names(&of(&shop)), ["a.txt", "b.html"]);
        std::fs::create_dir(files.path().join(".git")).unwrap();
        assert_eq!(names(&of(&shop)), ["b.html"]);
    }

    #[test]
    fn a_folder_without_files_a_file_and_nothing_are_rejected_with_the_way_out() {
        let files = folder(&[(".gitignore", "*\n"), ("shop.yaml", "")]);
        let says = |path: &Path| Files::of(path.to_str().unwrap()).unwrap_err().message;
        assert!(says(files.path()).contains("has no files that are not ignored"));
        assert!(says(&files.path().join("shop.yaml")).contains("-f "));
        assert!(says(&files.path().join("missing")).contains("No such file"));
    }

    #[test]
    fn files_that_usually_hold_secrets_are_named() {
        let files = folder(&[
            (".env", "A=1"),
            (".env.production", "A=1"),
            (".env.example", "A="),
            (".npmrc", ""),
            ("id_ed25519", ""),
            ("id_ed25519.pub", ""),
            ("index.html", ""),
            ("tls/server.key", ""),
        ]);
        let expected = [".env", ".env.production", ".npmrc", "id_ed25519", "tls/server.key"];
        assert_eq!(of(files.path()).secrets(), expected);
    }

    #[test]
    fn sizes_are_readable() {
        assert_eq!([0, 1023, 1536, 5 << 20].map(size), ["0 B", "1023 B", "1.5 KiB", "5.0 MiB"]);
    }
}
