//! Makes the layer with everything that a recipe adds to the files of the packages.
//! It only reads files of this machine.

use std::{
    ffi::OsStr,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use flate2::read::GzDecoder;
use tar::{Builder, EntryType, Header};

use super::{
    recipe::{File, Npm, Recipe},
    root,
    store::{Layer, Store},
    toolchain,
};
use crate::{Attempt, Error, Tools, error::run};

/// A layer that is being written.
pub(super) type Archive<'a> = Builder<&'a mut dyn Write>;

/// Writes the layer.
pub(super) fn write(
    reference: &str,
    recipe: &Recipe,
    root: Option<&Layer>,
    store: &Store,
    tools: &Tools,
) -> Result<Layer, Error> {
    store.layer(|out| {
        let mut archive = Builder::new(out);
        users(&mut archive, recipe, root, store)?;
        for npm in &recipe.npm {
            package(&mut archive, npm)?;
        }
        for compiler in &recipe.toolchains {
            toolchain::add(&mut archive, compiler)?;
        }
        for path in &recipe.without {
            absence(&mut archive, path)?;
        }
        for file in &recipe.files {
            add(&mut archive, file, root, store, tools)?;
        }
        archive.into_inner().map(drop).attempt(|| format!("finish the layer of {reference}"))
    })
}

fn users(
    archive: &mut Archive<'_>,
    recipe: &Recipe,
    root: Option<&Layer>,
    store: &Store,
) -> Result<(), Error> {
    if recipe.users.is_empty() {
        return Ok(());
    }
    let debian = |path| root.map_or_else(|| Ok(Vec::new()), |layer| root::read(layer, path, store));
    let (mut passwd, mut group) = (debian("etc/passwd")?, debian("etc/group")?);
    for user in &recipe.users {
        passwd.extend(format!("{0}:x:{1}:{1}::{2}:/bin/sh\n", user.name, user.id, user.home).into_bytes());
        group.extend(format!("{}:x:{}:\n", user.name, user.id).into_bytes());
    }
    regular(archive, "etc/passwd", 0o644, 0, &passwd)?;
    regular(archive, "etc/group", 0o644, 0, &group)?;
    for user in &recipe.users {
        if user.home != "/" {
            entry(archive, &user.home, EntryType::Directory, 0o755, user.id, &[])?;
        }
    }
    Ok(())
}

/// Adds files of an npm package. npm itself fetches it and verifies the registry's hash.
fn package(archive: &mut Archive<'_>, npm: &Npm) -> Result<(), Error> {
    let attempt = || format!("extract {} from the npm package {}", npm.from, npm.package);
    let dir = tempfile::tempdir().attempt(attempt)?;
    let mut command = Command::new("npm");
    command.args(["pack", "--silent", "--pack-destination"]).arg(dir.path()).arg(&npm.package);
    let name = run(&mut command, &format!("fetch the npm package {}", npm.package))?;
    let file = fs::File::open(dir.path().join(name.trim())).attempt(attempt)?;
    let mut source = tar::Archive::new(GzDecoder::new(io::BufReader::new(file)));
    for part in source.entries().attempt(attempt)? {
        let mut part = part.attempt(attempt)?;
        let path = part.path().attempt(attempt)?.to_string_lossy().into_owned();
        let Some(rest) = path.strip_prefix(&npm.from).filter(|_| part.header().entry_type().is_file()) else {
            continue;
        };
        let mut header = header(EntryType::Regular, part.header().mode().attempt(attempt)? | 0o444, 0);
        header.set_size(part.size());
        let to = format!("{}{rest}", npm.to);
        archive.append_data(&mut header, relative(&to), &mut part).attempt(attempt)?;
    }
    Ok(())
}

fn add(
    archive: &mut Archive<'_>,
    file: &File,
    root: Option<&Layer>,
    store: &Store,
    tools: &Tools,
) -> Result<(), Error> {
    if let Some(busybox) = &file.commands_of {
        return commands(archive, &file.path, busybox);
    }
    if let Some(target) = &file.link {
        return link(archive, &file.path, target);
    }
    let content = if let Some(text) = &file.text {
        text.clone().into_bytes()
    } else if let Some(path) = source(file, tools)? {
        fs::read(&path).attempt(|| format!("read {}", path.display()))?
    } else if let Some(root) = root.filter(|_| file.again) {
        root::read(root, &file.path, store)?
    } else {
        return entry(archive, &file.path, EntryType::Directory, file.mode()?, file.owner, &[]);
    };
    if let Some(capability) = file.capability {
        let attribute = capability.attribute();
        archive
            .append_pax_extensions([("SCHILY.xattr.security.capability", attribute.as_slice())])
            .attempt(|| format!("set the capability of {}", file.path))?;
    }
    regular(archive, &file.path, file.mode()?, file.owner, &content)
}

/// Adds a whiteout (OCI image specification), which hides the file of that name in lower layers.
fn absence(archive: &mut Archive<'_>, path: &str) -> Result<(), Error> {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    regular(archive, &format!("{dir}/.wh.{name}"), 0o644, 0, &[])
}

/// The file of this machine that an entry of a recipe is copied from.
pub(super) fn source(file: &File, tools: &Tools) -> Result<Option<PathBuf>, Error> {
    Ok(match (&file.tool, &file.host) {
        (Some(tool), _) => Some(tools.path(tool)?.to_owned()),
        (None, host) => host.as_ref().map(PathBuf::from),
    })
}

fn commands(archive: &mut Archive<'_>, dir: &str, busybox: &str) -> Result<(), Error> {
    let name = Path::new(busybox).file_name().unwrap_or(OsStr::new("busybox")).to_string_lossy().into_owned();
    let list = run(Command::new(busybox).arg("--list"), "list the commands of busybox")?;
    list.lines()
        .filter(|command| **command != *name)
        .try_for_each(|command| link(archive, &format!("{dir}/{command}"), &name))
}

/// Adds a symbolic link.
pub(super) fn link(archive: &mut Archive<'_>, path: &str, target: &str) -> Result<(), Error> {
    let mut header = header(EntryType::Symlink, 0o777, 0);
    header.set_size(0);
    archive.append_link(&mut header, relative(path), target).attempt(|| format!("link {path} to {target}"))
}

/// Adds a regular file.
pub(super) fn regular<W: Write>(
    archive: &mut Builder<W>,
    path: &str,
    mode: u32,
    owner: u64,
    content: &[u8],
) -> Result<(), Error> {
    entry(archive, path, EntryType::Regular, mode, owner, content)
}

/// Adds a file or a directory.
pub(super) fn entry<W: Write>(
    archive: &mut Builder<W>,
    path: &str,
    kind: EntryType,
    mode: u32,
    owner: u64,
    content: &[u8],
) -> Result<(), Error> {
    let mut header = header(kind, mode, owner);
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, relative(path), content).attempt(|| format!("add {path} to a layer"))
}

fn header(kind: EntryType, mode: u32, owner: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(0);
    header
}

fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}
