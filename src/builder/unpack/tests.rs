use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::Header;

use super::*;
use crate::protocol::reason::FailureReason;

/// An archive under construction; nothing in it needs to be valid.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn entry(self, kind: u8, name: &[u8], link: &[u8], content: &[u8]) -> Self {
        self.header(kind, name, link, content.len() as u64).bytes(content)
    }

    fn header(mut self, kind: u8, name: &[u8], link: &[u8], size: u64) -> Self {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        header.as_old_mut().linkflag = [kind];
        header.set_mode(0o644);
        header.set_size(size);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self
    }

    fn bytes(mut self, content: &[u8]) -> Self {
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.entry(b'0', name.as_bytes(), b"", content.as_bytes())
    }

    fn link(self, name: &str, target: &str) -> Self {
        self.entry(b'2', name.as_bytes(), target.as_bytes(), b"")
    }

    fn pax(self, records: &[u8]) -> Self {
        self.entry(b'x', b"PaxHeader", b"", records)
    }

    fn named(self, key: &str, value: &[u8]) -> Self {
        let mut record = format!(" {key}=").into_bytes();
        record.extend_from_slice(value);
        record.push(b'\n');
        let length =
            (record.len()..record.len() + 9).find(|&n| n == record.len() + n.to_string().len()).unwrap();
        record.splice(0..0, length.to_string().into_bytes());
        self.pax(&record)
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        gz(&self.0)
    }
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Unpacks into a directory. Nothing may appear next to it.
fn unpacked(archive: &[u8]) -> (tempfile::TempDir, Result<(), Failure>) {
    let dir = tempfile::tempdir().unwrap();
    let (file, tree) = (dir.path().join("source.tar.gz"), dir.path().join("tree"));
    std::fs::write(&file, archive).unwrap();
    std::fs::create_dir(&tree).unwrap();
    let result = unpack(&file, &tree);
    let mut beside: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    beside.sort();
    assert_eq!(beside, ["source.tar.gz", "tree"]);
    (dir, result)
}

fn plain() -> Tar {
    Tar::default().file("a", "1")
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn refused() -> Vec<(&'static str, Vec<u8>, FailureReason, &'static str)> {
    use FailureReason::{ArchiveInvalid as Invalid, SourceTooLarge as TooLarge, UnsafeSource as Unsafe};
    let long = |parts: usize, name: &str| vec![name; parts].join("/").into_bytes();
    let many = (0..=MAX_ENTRIES).fold(Tar::default(), |tar, n| tar.file(&n.to_string(), ""));
    let deep = (0..=MAX_ENTRIES / 41)
        .fold(Tar::default(), |tar, n| tar.file(&format!("{n}/{}x", "d/".repeat(39)), ""));
    let whole = {
        let noise = (0..9000u32).map(|n| char::from_digit(n.wrapping_mul(2_654_435_761) >> 27, 36).unwrap());
        Tar::default().file("a", &noise.collect::<String>()).end()
    };
    let followed = |more: Vec<u8>| [plain().end(), more].concat();
    let after_end = |more: Tar| gz(&[&plain().0[..], &[0; 1024], &more.0[..], &[0; 1024]].concat());
    vec![
        ("76 path that begins with ..", Tar::default().file("../../x", "").end(), Unsafe, "leads out"),
        (
            "76 path with .. in its middle",
            Tar::default().file("a/b/../../../x", "").end(),
            Unsafe,
            "leads out",
        ),
        (
            "76 .. in a PAX name",
            Tar::default().named("path", b"../x").file("a", "").end(),
            Unsafe,
            "leads out",
        ),
        (
            "76 .. in a GNU long name",
            Tar::default().entry(b'L', b"././@LongLink", b"", b"../x\0").file("a", "").end(),
            Unsafe,
            "leads out",
        ),
        ("77 absolute path", Tar::default().file("/etc/cron.d/x", "").end(), Unsafe, "absolute"),
        (
            "78 file below a link of the archive",
            plain().link("d", "sub").file("d/x", "").end(),
            Unsafe,
            "not a directory of the archive",
        ),
        (
            "78 link to an absolute path",
            plain().link("d", "/var/run/secrets").end(),
            Unsafe,
            "a link that leads out",
        ),
        ("78 link that climbs out", plain().link("b/d", "../../x").end(), Unsafe, "a link that leads out"),
        ("78 directory that becomes a link", plain().file("d/x", "").link("d", "e").end(), Invalid, "twice"),
        ("78 link written again as a file", plain().link("l", "a").file("l", "evil").end(), Invalid, "twice"),
        (
            "79 hard link to outside",
            plain().entry(b'1', b"h", b"../../etc/passwd", b"").end(),
            Unsafe,
            "leads out",
        ),
        (
            "79 hard link to an absolute path",
            plain().entry(b'1', b"h", b"/etc/passwd", b"").end(),
            Unsafe,
            "absolute",
        ),
        (
            "79 hard link to a link",
            plain().link("l", "a").entry(b'1', b"h", b"l", b"").end(),
            Unsafe,
            "not to an earlier file",
        ),
        ("80 character device", plain().entry(b'3', b"null", b"", b"").end(), Unsafe, "a device or a pipe"),
        ("80 block device", plain().entry(b'4', b"sda", b"", b"").end(), Unsafe, "a device or a pipe"),
        ("80 pipe", plain().entry(b'6', b"fifo", b"", b"").end(), Unsafe, "a device or a pipe"),
        (
            "81 PAX size that differs from the header's",
            plain().named("size", b"1024").file("b", "1").end(),
            Invalid,
            "two different sizes",
        ),
        ("81 directory with a size", plain().entry(b'5', b"d", b"", b"hidden").end(), Invalid, "has a size"),
        ("81 link with a size", plain().entry(b'2', b"l", b"a", b"hidden").end(), Invalid, "has a size"),
        ("81 file named like a directory", plain().file("d/", "hidden").end(), Invalid, "has a size"),
        (
            "81 sparse file",
            plain().named("GNU.sparse.realsize", b"9").file("b", "1").end(),
            Invalid,
            "sparse",
        ),
        (
            "81 entry of an unknown kind",
            plain().entry(b'M', b"m", b"", b"").end(),
            Invalid,
            "some programs do not know",
        ),
        (
            "81 name for all entries",
            Tar::default().entry(b'g', b"g", b"", b"13 path=evil\n").file("a", "").end(),
            Invalid,
            "one name",
        ),
        (
            "82 PAX record longer than its header",
            plain().pax(b"99 path=x\n").file("b", "").end(),
            Invalid,
            "malformed",
        ),
        (
            "82 PAX record after a blank line",
            plain().pax(b"11 path=ok\n\n13 path=evil\n").file("b", "").end(),
            Invalid,
            "malformed",
        ),
        (
            "82 PAX record without a value",
            plain().pax(b"8 path\n\n").file("b", "").end(),
            Invalid,
            "malformed",
        ),
        ("82 PAX length with a sign", plain().pax(b"+10 path=x\n").file("b", "").end(), Invalid, "malformed"),
        ("82 PAX name twice", plain().pax(b"9 path=x\n9 path=y\n").file("b", "").end(), Invalid, "twice"),
        (
            "82 PAX and GNU name for one entry",
            plain().named("path", b"x").entry(b'L', b"L", b"", b"y\0").file("b", "").end(),
            Invalid,
            "twice",
        ),
        ("82 PAX header at the very end", plain().named("path", b"x").end(), Invalid, "no entry follows"),
        (
            "83 zeros packed 1000 to 1",
            plain().file("zeros", &"\0".repeat(8 << 20)).end(),
            TooLarge,
            "more than 100 times",
        ),
        (
            "83 zeros behind the end",
            gz(&[plain().0, vec![0; 8 << 20]].concat()),
            TooLarge,
            "more than 100 times",
        ),
        (
            "83 file of 10 GiB, as its header says",
            plain().header(b'0', b"zeros", b"", 10 << 30).end(),
            TooLarge,
            "512 MiB",
        ),
        ("85 more than 10,000 empty files", many.end(), TooLarge, "entries"),
        ("85 few files in more than 10,000 directories", deep.end(), TooLarge, "entries and directories"),
        ("86 file twice with different content", plain().file("a", "2").end(), Invalid, "twice"),
        ("86 file twice under two spellings", plain().file("./a", "2").end(), Invalid, "twice"),
        ("87 cut off in the compression", whole[..whole.len() / 2].to_vec(), Invalid, "truncated"),
        ("87 cut off in the sum of the compression", whole[..whole.len() - 4].to_vec(), Invalid, "truncated"),
        (
            "87 cut off in a file",
            gz(&Tar::default().header(b'0', b"a", b"", 5000).bytes(b"1").0),
            Invalid,
            "truncated",
        ),
        ("87 cut off before its end", gz(&plain().0), Invalid, "end is missing"),
        ("87 damaged header", gz(&[&[b'x'; 512][..], &[0; 1024]].concat()), Invalid, "damaged"),
        ("87 nothing but an end", Tar::default().end(), Invalid, "empty"),
        ("87 page instead of an archive", b"<!DOCTYPE html>".to_vec(), Invalid, "not compressed with gzip"),
        ("87 nothing at all", vec![], Invalid, "not compressed with gzip"),
        ("88 garbage behind the end", after_end(Tar(b"evil".to_vec())), Invalid, "data after its end"),
        (
            "88 entry behind the end",
            after_end(Tar::default().file("evil", "")),
            Invalid,
            "data after its end",
        ),
        ("88 garbage behind the compression", followed(b"evil".to_vec()), Invalid, "compressed part"),
        ("89 two gzip members", followed(gz(&[0; 512])), Invalid, "compressed part"),
        (
            "90 name of 5,000 bytes",
            plain().named("path", &long(60, &"n".repeat(90))).file("b", "").end(),
            TooLarge,
            "4000 bytes",
        ),
        (
            "90 part of a name of 300 bytes",
            plain().named("path", &long(1, &"n".repeat(300))).file("b", "").end(),
            TooLarge,
            "255 bytes",
        ),
        (
            "90 65 directories one in the other",
            plain().named("path", &long(66, "d")).file("b", "").end(),
            TooLarge,
            "64 parts",
        ),
        (
            "90 description of 1 MiB",
            plain().named("comment", &vec![b'c'; 1 << 20]).file("b", "").end(),
            TooLarge,
            "64 KiB",
        ),
        ("90 name that is not UTF-8", plain().entry(b'0', b"\xff\xfe", b"", b"").end(), Invalid, "UTF-8"),
        (
            "90 name with an escape sequence",
            plain().entry(b'0', b"\x1b[31mred", b"", b"").end(),
            Unsafe,
            "control",
        ),
        ("90 name with a zero byte", plain().named("path", b"a\0b").file("b", "").end(), Unsafe, "control"),
        ("90 file without a name", plain().file("./", "").file(".", "x").end(), Unsafe, "no name"),
    ]
}

#[test]
fn every_bad_archive_is_rejected_with_its_reason() {
    for (case, archive, reason, word) in refused() {
        let (_dir, result) = unpacked(&archive);
        let failure = result.expect_err(case);
        assert_eq!((failure.stage, failure.reason), (Stage::Verify, reason), "{case}: {}", failure.message);
        assert!(failure.message.contains(word), "{case}: {}", failure.message);
        assert!(!failure.message.contains('\u{1b}'), "{case}");
    }
}

#[test]
fn archives_that_only_look_bad_are_unpacked() {
    let nested = Tar::default().file("inner", "x").end();
    let cases = [
        ("80 set-user-id bit, which is dropped", {
            let mut tar = Tar::default().file("bin", "#!");
            let mut header = Header::new_ustar();
            header.as_mut_bytes().copy_from_slice(&tar.0[..512]);
            header.set_mode(0o6755);
            header.set_cksum();
            tar.0[..512].copy_from_slice(header.as_bytes());
            tar.end()
        }),
        (
            "84 archive in the archive, which stays packed",
            plain().entry(b'0', b"42.tar.gz", b"", &nested).end(),
        ),
        ("86 file twice with the same content", plain().file("a", "1").end()),
        (
            "74 names that differ only in case",
            plain().file("A", "2").file("ä", "").file("a\u{308}", "").end(),
        ),
        ("78 link inside, even to nothing", plain().link("b/l", "../a").link("c", "nowhere").end()),
        ("79 hard link to an earlier file", plain().entry(b'1', b"d/h", b"./a", b"").end()),
    ];
    for (case, archive) in cases {
        let (dir, result) = unpacked(&archive);
        assert_eq!(result, Ok(()), "{case}");
        let tree = dir.path().join("tree");
        assert!(super::super::source::verify(&tree).is_ok(), "{case}");
        let (bin, hard) = (tree.join("bin"), tree.join("d/h"));
        if bin.exists() {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(bin.metadata().unwrap().permissions().mode() & 0o7777, 0o755);
        }
        if tree.join("42.tar.gz").exists() {
            assert_eq!(std::fs::read(tree.join("42.tar.gz")).unwrap(), nested);
        }
        if hard.exists() {
            assert_eq!(std::fs::read_to_string(hard).unwrap(), "1");
        }
        if tree.join("A").exists() {
            assert_eq!(std::fs::read_dir(&tree).unwrap().count(), 4);
        }
    }
}

#[test]
fn archives_of_common_tools_are_unpacked() {
    // git archive: the commit in a global header, one directory, long names by PAX.
    let commit = Tar::default().entry(
        b'g',
        b"pax_global_header",
        b"",
        b"52 comment=0123456789abcdef0123456789abcdef01234567\n",
    );
    let long = format!("shop-1.4.0/{}/index.html", "d".repeat(120));
    let archive = commit
        .entry(b'5', b"shop-1.4.0/", b"", b"")
        .named("path", long.as_bytes())
        .file("cut", "hello")
        .named("mtime", b"1.5")
        .link("shop-1.4.0/link", "index.html")
        .end();
    let (dir, result) = unpacked(&archive);
    assert_eq!(result, Ok(()));
    let tree = dir.path().join("tree");
    enter_only_directory(&tree).unwrap();
    let page = tree.join("d".repeat(120)).join("index.html");
    assert_eq!(std::fs::read_to_string(page).unwrap(), "hello");
    assert_eq!(std::fs::read_link(tree.join("link")).unwrap(), Path::new("index.html"));

    // tar -C site . : names begin with ./
    let (dir, result) =
        unpacked(&Tar::default().entry(b'5', b"./", b"", b"").file("./index.html", "x").end());
    assert_eq!(result, Ok(()));
    enter_only_directory(&dir.path().join("tree")).unwrap();
    assert!(dir.path().join("tree/index.html").is_file());
}

#[test]
fn random_archives_never_panic_or_write_outside_the_tree() {
    let good = plain().named("path", b"b/c").file("x", "2").link("l", "b/c").end();
    let mut raw = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&good[..]), &mut raw).unwrap();
    let mut state = 1u64;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    for _ in 0..400 {
        let mut bytes = raw.clone();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            bytes[at] = u8::try_from(next(256)).unwrap();
        }
        // Only its checksum protects a header: correct it, so that the change is read.
        for at in (0..bytes.len() - 1024).step_by(512) {
            let mut header = Header::new_old();
            header.as_mut_bytes().copy_from_slice(&bytes[at..at + 512]);
            header.set_cksum();
            if next(2) == 0 && header.as_bytes()[156..157] != [0] {
                bytes[at..at + 512].copy_from_slice(header.as_bytes());
            }
        }
        let (dir, result) = unpacked(&gz(&bytes));
        if result.is_ok() {
            assert!(super::super::source::verify(&dir.path().join("tree")).is_ok());
        }
    }
}
