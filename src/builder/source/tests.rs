use std::os::unix::fs::symlink;

use super::*;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    dir
}

#[test]
fn config_maps_are_copied_without_the_internal_links_of_the_kubelet() {
    let mount = tree(&[("..2026_01/index.html", "hello"), ("..2026_01/.env", "x")]);
    symlink("..2026_01", mount.path().join("..data")).unwrap();
    symlink("..data/index.html", mount.path().join("index.html")).unwrap();
    symlink("..data/.env", mount.path().join(".env")).unwrap();
    let files =
        BTreeMap::from([("index.html".to_owned(), b"hello".to_vec()), (".env".to_owned(), b"x".to_vec())]);
    let copy = tempfile::tempdir().unwrap();
    let target = copy.path().join("tree");
    assert_eq!(copy_config_map(mount.path(), &files_digest(&files), &target), Ok(2));
    assert_eq!(std::fs::read_to_string(target.join("index.html")).unwrap(), "hello");
    assert_eq!(verify(&target), Ok(Size { files: 2, bytes: 6 }));

    let changed = copy_config_map(mount.path(), "sha256:other", &copy.path().join("no")).unwrap_err();
    assert_eq!((changed.stage, changed.reason), (Stage::Fetch, FailureReason::SourceChanged));
    assert!(!copy.path().join("no").exists());
}

#[test]
fn links_inside_the_source_are_allowed_even_if_they_dangle() {
    let dir = tree(&[("a/b/file", "1"), ("top", "2")]);
    symlink("../../top", dir.path().join("a/b/up")).unwrap();
    symlink("a/b", dir.path().join("dir")).unwrap();
    symlink("nowhere/yet", dir.path().join("dangling")).unwrap();
    assert_eq!(verify(dir.path()).unwrap().bytes, 2);
}

// Bad input 73: Dockerfile that links to /var/run/secrets
// Bad input 73: Dockerfile that links to a file outside by ..
#[test]
fn links_out_of_the_source_are_rejected_by_name() {
    for target in ["/var/run/secrets", "../outside", "a/../../x", "/", ".."] {
        let dir = tree(&[("a/file", "1")]);
        symlink(target, dir.path().join("Dockerfile")).unwrap();
        let failure = verify(dir.path()).unwrap_err();
        assert_eq!((failure.stage, failure.reason), (Stage::Verify, FailureReason::UnsafeSource), "{target}");
        assert!(
            failure.message.starts_with("\"Dockerfile\" is a link that leads out of the source"),
            "{}",
            failure.message
        );
    }
}

// Bad input 73: link that leaves by way of another link
#[test]
fn links_out_of_the_source_through_another_link_are_detected() {
    let dir = tree(&[("deep/er/file", "1")]);
    // Each target looks harmless as text; followed, the second climbs out of the tree.
    symlink("deep/er", dir.path().join("door")).unwrap();
    symlink("../..", dir.path().join("deep/er/root")).unwrap();
    assert!(verify(dir.path()).is_ok());
    symlink("x/y/z/root/../../../..", dir.path().join("climb")).unwrap();
    std::fs::create_dir_all(dir.path().join("x/y/z")).unwrap();
    symlink("../../..", dir.path().join("x/y/z/root")).unwrap();
    assert_eq!(verify(dir.path()).unwrap_err().reason, FailureReason::UnsafeSource);
}

// Bad input 80: socket in a source
#[test]
fn sockets_and_pipes_are_rejected() {
    let dir = tree(&[]);
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("sock")).unwrap();
    assert_eq!(verify(dir.path()).unwrap_err().reason, FailureReason::UnsafeSource);
}

#[test]
fn an_oversized_source_is_rejected_without_reading_it() {
    let dir = tree(&[]);
    std::fs::File::create(dir.path().join("zeros")).unwrap().set_len(MAX_BYTES + 1).unwrap();
    assert_eq!(verify(dir.path()).unwrap_err().reason, FailureReason::SourceTooLarge);
}

#[test]
fn the_context_is_a_directory_inside_the_source() {
    let dir = tree(&[("app/web/index.html", "")]);
    symlink("app", dir.path().join("link")).unwrap();
    assert!(context(dir.path(), None).is_ok());
    assert!(context(dir.path(), Some("./app/web")).is_ok());
    assert!(context(dir.path(), Some("link/web")).unwrap().ends_with("app/web"));
    // Bad input 73: path to build that leaves the source
    for path in ["..", "/etc", "app/../..", "nope", "app/web/index.html", "app/../app"] {
        assert_eq!(
            context(dir.path(), Some(path)).unwrap_err().reason,
            FailureReason::PathNotFound,
            "{path}"
        );
    }
}
