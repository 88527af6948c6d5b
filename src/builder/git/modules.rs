//! Parses strictly the submodules that a commit declares, and resolves their URLs. The author of the source controls
//! all of it. Nothing here runs a program.

use std::collections::BTreeMap;

use super::super::address;
use super::super::log::{printable, shortened};
use super::listing::is_commit;

/// Longest path of a submodule in bytes.
const MAX_PATH: usize = 1000;

/// A submodule of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Submodule {
    /// Where its files go: a relative path without `..`.
    pub(in super::super) path: String,
    /// Its commit, which is fixed by the commit of the repository.
    pub(in super::super) commit: String,
    /// As written; it may be relative.
    pub(in super::super) url: String,
}

/// An entry of `git ls-tree -r -l -z`.
struct Entry<'a> {
    mode: &'a str,
    object: &'a str,
    size: u64,
    path: &'a [u8],
}

fn entries(listing: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    listing.split(|&byte| byte == 0).filter_map(|entry| {
        let tab = entry.iter().position(|&byte| byte == b'\t')?;
        let mut fields = std::str::from_utf8(&entry[..tab]).ok()?.split_ascii_whitespace();
        let (mode, _, object) = (fields.next()?, fields.next()?, fields.next()?);
        let size = fields.next()?.parse().unwrap_or(0);
        Some(Entry { mode, object, size, path: &entry[tab + 1..] })
    })
}

/// Paths and commits of the submodules in a listing, or what is wrong with one of them.
pub(super) fn links(listing: &[u8]) -> Result<Vec<(String, String)>, String> {
    let links = entries(listing).filter(|entry| entry.mode == "160000");
    let read = links.map(|entry| {
        let path = String::from_utf8_lossy(entry.path).into_owned();
        if !is_safe(entry.path) || !is_commit(entry.object) {
            let shown: String = printable(&path).chars().take(200).collect();
            return Err(format!("the path of submodule {shown:?} is not allowed"));
        }
        Ok((path, entry.object.to_owned()))
    });
    read.collect()
}

/// Whether a path stays below its tree for every program that reads it.
fn is_safe(path: &[u8]) -> bool {
    let part = |part: &str| !matches!(part, "" | "." | "..") && !part.eq_ignore_ascii_case(".git");
    std::str::from_utf8(path).is_ok_and(|path| {
        path.len() <= MAX_PATH
            && !path.chars().any(|char| char.is_control() || char == '\\')
            && path.split('/').all(part)
    })
}

/// Whether `.gitmodules` is a regular file of at most `limit` bytes; none if it does not exist.
pub(super) fn is_declared(listing: &[u8], limit: u64) -> Option<bool> {
    let file = entries(listing).find(|entry| entry.path == b".gitmodules")?;
    Some(file.mode.starts_with("100") && file.size <= limit)
}

/// URLs by path in `git config --list -z` of a `.gitmodules`. Duplicates are rejected: programs differ on which one
/// counts. Names, branches and update commands are ignored.
pub(super) fn urls(listing: &[u8]) -> Result<BTreeMap<String, String>, &'static str> {
    let mut named: BTreeMap<&str, [Option<&str>; 2]> = BTreeMap::new();
    for entry in listing.split(|&byte| byte == 0).filter(|entry| !entry.is_empty()) {
        let entry = std::str::from_utf8(entry).map_err(|_| "is not UTF-8")?;
        let (key, value) = entry.split_once('\n').unwrap_or((entry, ""));
        let key = key.strip_prefix("submodule.").and_then(|rest| rest.rsplit_once('.'));
        let Some((name, field)) = key else { continue };
        let Some(field) = ["path", "url"].iter().position(|known| *known == field) else { continue };
        if named.entry(name).or_default()[field].replace(value).is_some() {
            return Err("sets path or url of a submodule twice");
        }
    }
    let mut urls = BTreeMap::new();
    for [path, url] in named.into_values() {
        let (Some(path), Some(url)) = (path, url) else { continue };
        if urls.insert(path.to_owned(), url.to_owned()).is_some() {
            return Err("has two submodules at the same path");
        }
    }
    Ok(urls)
}

/// The URL of a submodule. `./` and `../` are relative to the URL of the repository that declares it.
pub(in super::super) fn join(parent: &str, url: &str) -> Result<String, &'static str> {
    if !url.starts_with("./") && !url.starts_with("../") {
        return Ok(url.to_owned());
    }
    let scheme = parent.find("://").map_or(0, |at| at + 3);
    let separator = if scheme == 0 { ':' } else { '/' };
    let root = parent[scheme..]
        .find(separator)
        .map(|at| scheme + at + 1)
        .ok_or("is relative to a URL without a path")?;
    let (place, path) = parent.split_at(root);
    let mut parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let mut rest = url;
    loop {
        if let Some(after) = rest.strip_prefix("../") {
            parts.pop().filter(|part| !part.is_empty()).ok_or("leads above the root of its host")?;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else {
            break;
        }
    }
    parts.extend(rest.trim_end_matches('/').split('/'));
    let unclear = parts.iter().skip(1).any(|part| matches!(*part, "" | "." | ".."));
    if unclear {
        Err("has an empty part or .. in its middle")
    } else {
        Ok(place.to_owned() + &parts.join("/"))
    }
}

/// Whether two URLs have the same transport, host and port, so that credentials for one may go to the other.
pub(in super::super) fn same_place(one: &str, other: &str) -> bool {
    let place = |url: &str| {
        let (host, _) = address::repository(url).ok()?;
        let scheme = url.split_once("://").map_or("ssh", |(scheme, _)| scheme).to_owned();
        Some((scheme, host.name.to_ascii_lowercase(), host.port))
    };
    place(one).is_some_and(|one| place(other) == Some(one))
}

/// An unchecked URL of a source in a form that may be shown: without the parts before `@` and after `?`.
pub(in super::super) fn shown(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = plain.split_once("://").map_or(("", plain), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit('@').next().unwrap_or_default();
    let separator = if scheme.is_empty() { "" } else { "://" };
    shortened(&printable(&format!("{scheme}{separator}{rest}")), 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_urls_resolve_against_the_repository_and_stay_on_its_host() {
        for (parent, url, joined) in [
            ("https://h/you/shop.git", "../lib.git", "https://h/you/lib.git"),
            ("https://h/you/shop.git/", "../../they/lib", "https://h/they/lib"),
            ("https://h:8443/you/shop", "./lib", "https://h:8443/you/shop/lib"),
            ("ssh://git@h:22/you/shop", "../lib", "ssh://git@h:22/you/lib"),
            ("git@h:you/shop.git", "../lib.git", "git@h:you/lib.git"),
            ("git@h:/you/shop.git", "../lib.git", "git@h:/you/lib.git"),
            ("https://h/you/shop", "https://other/lib", "https://other/lib"),
        ] {
            assert_eq!(join(parent, url).as_deref(), Ok(joined), "{parent} {url}");
        }
        // Bad input 72: submodule with a relative URL that climbs above its host
        for (parent, url) in [
            ("https://h/you/shop", "../../../other/lib"),
            ("git@h:shop", "../../lib"),
            ("git@h:/shop", "../../lib"),
            ("https://h/you/shop", "../a/../../b"),
            ("https://h/you/shop", "..//lib"),
            ("shop", "../lib"),
        ] {
            assert!(join(parent, url).is_err(), "{parent} {url}");
        }
    }

    #[test]
    fn credentials_belong_to_one_transport_host_and_port() {
        for other in ["https://H/x", "https://h:443/y"] {
            assert!(same_place("https://h/you/shop", other), "{other}");
        }
        assert!(same_place("git@h:shop", "ssh://git@h/lib"));
        for other in
            ["http://h/x", "https://h:8443/x", "https://h.other/x", "ssh://git@h/x", "https://a@h/x", "/x"]
        {
            assert!(!same_place("https://h/you/shop", other), "{other}");
        }
        assert!(!same_place("/x", "/x"), "a path is not a URL");
    }

    // Bad input 72: submodule with a password in its URL
    #[test]
    fn secrets_in_a_url_are_not_shown() {
        for url in [
            "https://ada:planted@h/x",
            "https://ada:pl/anted@h/x",
            "ada:planted@h/x",
            "https://h/x?t=planted#y",
        ] {
            let said = shown(url);
            assert!(said.ends_with("h/x") && !said.contains("planted") && !said.contains("ada"), "{said}");
        }
        assert_eq!(shown("ext::sh -c 'touch x'"), "ext::sh -c 'touch x'");
    }

    // Bad input 72: submodule with a path that leads out
    #[test]
    fn only_paths_inside_the_tree_are_submodules() {
        let commit = "a".repeat(40);
        let link = |path: &str| format!("160000 commit {commit}       -\t{path}\0").into_bytes();
        assert_eq!(links(&link("libs/a b")), Ok(vec![("libs/a b".to_owned(), commit.clone())]));
        for path in
            ["/etc", "../x", "a/../x", "a//b", ".git", "a/.GIT/hooks", "a/./b", "a\\..\\b", "a\nb", ""]
        {
            assert!(links(&link(path)).is_err(), "{path:?}");
        }
        assert!(links(&[b"160000 commit ", commit.as_bytes(), b" -\ta\xff\0"].concat()).is_err());
        assert_eq!(links(b"100644 blob aa 3\t../x\0"), Ok(vec![]), "not a submodule");
    }

    #[test]
    fn a_declaration_is_read_as_data_and_duplicates_are_rejected() {
        let text = b"submodule.a.b.path\nlibs/x\0submodule.a.b.url\n../x\0submodule.a.b.update\n!touch y\0core.hookspath\nz\0";
        assert_eq!(urls(text), Ok(BTreeMap::from([("libs/x".to_owned(), "../x".to_owned())])));
        // Bad input 72: submodule that is declared twice
        for text in [
            "submodule.a.url\nu\0submodule.a.path\np\0submodule.a.url\nv",
            "submodule.a.url\nu\0submodule.a.path\np\0submodule.b.path\np\0submodule.b.url\nv",
        ] {
            assert!(urls(text.as_bytes()).is_err(), "{text:?}");
        }
        assert_eq!(urls(b"submodule.path\nx\0submodule.a.path\ny\0submodule.b.url"), Ok(BTreeMap::new()));
        assert!(urls(b"submodule.a.url\n\xff").is_err());
        let listing = |mode: &str, size: u64| format!("{mode} blob aa {size}\t.gitmodules\0").into_bytes();
        assert_eq!(is_declared(&listing("100644", 10), 10), Some(true));
        // Bad input 72: .gitmodules that is a link or very long
        assert_eq!(is_declared(&listing("120000", 10), 10), Some(false));
        assert_eq!(is_declared(&listing("100644", 11), 10), Some(false));
        assert_eq!(is_declared(b"", 10), None);
    }
}
