//! Which addresses a build may talk to: http, https and (for Git) ssh, never loopback, link-local or metadata addresses,
//! whatever name or notation they hide behind. It opens no connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::outcome::Failure;
use super::reason::Reason;
use super::report::Stage;

const MAX_URL: usize = 2048;

/// A host and the port on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// Name or address, an IPv6 address without brackets.
    pub(super) name: String,
    pub(super) port: u16,
}

/// Why an address is refused. No message repeats user information of a URL.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the URL of the source must start with http:// or https://; other transports are not allowed")]
    Scheme,
    #[error(
        "the URL of the repository must start with http://, https:// or ssh://; other transports are not allowed"
    )]
    Transport,
    #[error(
        "the URL of the source holds a user name or a password; remove them, they would be readable for everyone"
    )]
    UserInformation,
    #[error(
        "the URL of the source is longer than {MAX_URL} characters or has characters that no URL of a repository has"
    )]
    Characters,
    #[error("{0:?} is no host with an optional port")]
    Host(String),
    #[error(
        "{host} is at {address}, {kind}; a build never talks to such addresses, use an address that is reachable from pods"
    )]
    Address { host: String, address: IpAddr, kind: &'static str },
}

impl Refusal {
    pub(super) fn at(self, stage: Stage) -> Failure {
        Failure::new(stage, Reason::SourceForbidden, self.to_string())
    }
}

/// How a repository is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// Over http or https.
    Http,
    /// Over ssh.
    Ssh,
}

/// The host of a repository's URL and how it is reached: what [`parse`] takes, `ssh://[user@]host[:port]/path`, and
/// `user@host:path`.
pub(super) fn repository(url: &str) -> Result<(Host, Transport), Refusal> {
    let short =
        || url.split_once('@').filter(|(user, _)| is_user(user)).and_then(|(_, rest)| rest.split_once(':'));
    let (authority, path) = match url.strip_prefix("ssh://") {
        Some(rest) => rest.split_once('/').ok_or(Refusal::Characters)?,
        None if url.starts_with("http") => return parse(url).map(|host| (host, Transport::Http)),
        None => {
            let (name, path) = short().ok_or(Refusal::Transport)?;
            // Without brackets around a port or an address: `user@host:22` would be a path.
            (if is_user(name) { name } else { return Err(Refusal::Transport) }, path)
        }
    };
    let place = match authority.split_once('@') {
        Some((user, place)) if is_user(user) => place,
        Some(_) => return Err(Refusal::UserInformation),
        None => authority,
    };
    if url.len() > MAX_URL || path.is_empty() || path.starts_with('-') || !path.chars().all(is_plain) {
        return Err(Refusal::Characters);
    }
    Ok((host(place, 22)?, Transport::Ssh))
}

/// Whether this is a user name for ssh, or a host's name, that no program reads as an option.
fn is_user(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_alphanumeric() || char == '_')
        && text.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char))
}

/// What the path of a URL may hold.
fn is_plain(char: char) -> bool {
    char.is_ascii_graphic() && !"\\\"'<>^`{|}?#@".contains(char)
}

/// The host of a URL over http or https, or why the URL is none. Stricter than any URL parser, so that none can read it
/// differently: no user information, no backslash, no query, ASCII only.
pub(super) fn parse(url: &str) -> Result<Host, Refusal> {
    let (rest, port) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (rest, 443),
        (_, Some(rest)) => (rest, 80),
        _ => return Err(Refusal::Scheme),
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(Refusal::UserInformation);
    }
    // An `@` in the path is harmless, but some parsers look for user information up to the last one.
    if url.len() > MAX_URL || !rest.chars().all(is_plain) {
        return Err(Refusal::Characters);
    }
    host(authority, port)
}

/// `host`, `host:port` or `[v6]:port`, as in a URL or in front of an image's name.
pub(super) fn host(authority: &str, default_port: u16) -> Result<Host, Refusal> {
    let refused = || Refusal::Host(authority.chars().take(100).collect());
    let (name, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (name, rest) = rest.split_once(']').ok_or_else(refused)?;
        name.parse::<Ipv6Addr>().map_err(|_| refused())?;
        (name, rest)
    } else {
        let (name, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        let plain = |char: char| char.is_ascii_alphanumeric() || ".-_".contains(char);
        if name.is_empty() || name.starts_with('-') || !name.chars().all(plain) {
            return Err(refused());
        }
        (name, port)
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => default_port,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok().filter(|&port| port > 0).ok_or_else(refused)?
        }
        _ => return Err(refused()),
    };
    Ok(Host { name: name.to_owned(), port })
}

/// What is wrong with an address, if anything.
pub(super) type Rule = fn(IpAddr) -> Option<&'static str>;

/// Every address of the host, all of them allowed: one bad address refuses the host.
pub(super) async fn resolve(
    host: &Host,
    stage: Stage,
    lookup: impl AsyncFn(&Host) -> std::io::Result<Vec<IpAddr>>,
    rule: Rule,
) -> Result<Vec<IpAddr>, Failure> {
    let unreachable = |why: &str| {
        let message = format!("{} cannot be found: {why}; check the name and the cluster's DNS", host.name);
        Failure::new(stage, Reason::SourceUnreachable, message)
    };
    let addresses = lookup(host).await.map_err(|error| unreachable(&error.to_string()))?;
    if addresses.is_empty() {
        return Err(unreachable("the name has no address"));
    }
    for &address in &addresses {
        if let Some(kind) = rule(address) {
            return Err(Refusal::Address { host: host.name.clone(), address, kind }.at(stage));
        }
    }
    Ok(addresses)
}

/// Looks a host up as every program in the pod would.
pub(super) async fn system_lookup(host: &Host) -> std::io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((host.name.as_str(), host.port)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

/// What is wrong with an address that a person named.
pub(super) fn forbidden(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => forbidden_v4(v4),
        IpAddr::V6(v6) => forbidden_v6(v6),
    }
}

/// What is wrong with an address that a server named: it may not send a build into the cluster or its network.
pub(super) fn forbidden_by_redirect(address: IpAddr) -> Option<&'static str> {
    forbidden(address)
        .or_else(|| is_private(address).then_some("a private address, where no redirect may lead"))
}

/// Whether the address is of a private network, as those of pods, Services and nodes usually are.
pub(super) fn is_private(address: IpAddr) -> bool {
    let private = |address: Ipv4Addr| {
        let shared = matches!(address.octets(), [100, 64..=127, ..]);
        address.is_private() || shared
    };
    match address {
        IpAddr::V4(v4) => private(v4),
        IpAddr::V6(v6) => {
            embedded(v6).is_some_and(private) || matches!(v6.segments()[0], 0xfc00..=0xfdff | 0xfec0..=0xfeff)
        }
    }
}

/// The IPv4 address inside an address: mapped, compatible, NAT64, 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))),
        _ => None,
    }
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [127, ..] => Some("a loopback address"),
        [0, ..] => Some("an address of this host"),
        [169, 254, ..] => Some("a link-local address"),
        [224..=255, ..] => Some("a multicast or reserved address"),
        _ => None,
    }
}

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_loopback() {
        Some("a loopback address")
    } else if let Some(v4) = embedded(address) {
        forbidden_v4(v4)
    } else {
        match address.segments() {
            [0xfe80..=0xfebf, ..] => Some("a link-local address"),
            [0xff00..=0xffff, ..] => Some("a multicast address"),
            [0xfd00, 0xec2, ..] => Some("an address of a cloud's metadata service"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_repositories_are_taken_apart() {
        for (url, name, port) in [
            ("https://github.com/a/b.git", "github.com", 443),
            ("http://10.117.0.1:8080/shop.git", "10.117.0.1", 8080),
            ("http://git.svc", "git.svc", 80),
            ("https://[2001:db8::1]:3000/x", "2001:db8::1", 3000),
        ] {
            assert_eq!(parse(url), Ok(Host { name: name.to_owned(), port }), "{url}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for url in [
            "ext::sh -c touch% /tmp/x",
            "--upload-pack=touch /tmp/x",
            "file:///etc",
            "/etc",
            "ssh://git@host/x",
            "git://host/x",
            "HTTP://host/x",
            "",
            "-h",
        ] {
            assert_eq!(parse(url), Err(Refusal::Scheme), "{url}");
        }
        for url in ["https://user:token@host/x", "https://token@host", "http://a@b@c/", "http://@h/"] {
            let refusal = parse(url).unwrap_err();
            assert_eq!(refusal, Refusal::UserInformation, "{url}");
            assert!(!refusal.to_string().contains("token"));
        }
        for url in [
            "https://good.com\\@127.0.0.1/x",
            "https://host/a b",
            "https://host/a\nb",
            "https://host/?x",
            "https://host/x@y",
            "https://höst/x",
            "https://host/\u{202e}x",
        ] {
            assert_eq!(parse(url), Err(Refusal::Characters), "{url}");
        }
        assert_eq!(parse(&format!("https://h/{}", "x".repeat(3000))), Err(Refusal::Characters));
        for url in [
            "http:///x",
            "http://:80/",
            "http://h:/",
            "http://h:0/",
            "http://h:65536/",
            "http://h:8o/",
            "http://h:+80/",
            "http://[::1/",
            "http://[nope]/",
            "http://[fe80::1%25eth0]/",
            "http://-h/",
            "http://a:1:2/",
            "http://h%00/",
        ] {
            assert!(matches!(parse(url), Err(Refusal::Host(_))), "{url}");
        }
    }

    #[test]
    fn addresses_of_this_host_and_its_neighbours_are_forbidden() {
        for text in [
            "127.0.0.1",
            "127.1.2.3",
            "0.0.0.0",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "fd00:ec2::254",
        ] {
            assert!(forbidden(text.parse().unwrap()).is_some(), "{text}");
        }
        for text in
            ["10.0.0.1", "192.168.1.1", "172.16.0.1", "8.8.8.8", "fd12::1", "2001:db8::1", "::ffff:10.0.0.1"]
        {
            assert_eq!(forbidden(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn redirects_never_lead_into_private_networks() {
        for text in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "fd12::1",
            "fc00::1",
            "fec0::1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "127.0.0.1",
        ] {
            assert!(forbidden_by_redirect(text.parse().unwrap()).is_some(), "{text}");
        }
        for text in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1"] {
            assert_eq!(forbidden_by_redirect(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn repositories_over_ssh_are_taken_apart() {
        for (url, name, port) in [
            ("ssh://git@github.com/a/b.git", "github.com", 22),
            ("ssh://git.svc:2222/shop.git", "git.svc", 2222),
            ("ssh://me@[2001:db8::1]:22/~/x", "2001:db8::1", 22),
            ("git@github.com:a/b.git", "github.com", 22),
            ("git@10.0.0.1:/srv/x", "10.0.0.1", 22),
        ] {
            let host = Host { name: name.to_owned(), port };
            assert_eq!(repository(url), Ok((host, Transport::Ssh)), "{url}");
        }
        assert!(matches!(repository("https://github.com/a"), Ok((_, Transport::Http))));
        for url in [
            "ssh://git:password@host/x",
            "ssh://-oProxyCommand=x@host/x",
            "ssh://-oProxyCommand=x/y",
            "ssh://host",
            "ssh://host/",
            "-oProxyCommand=x@host:y",
            "git@-host:x",
            "git@host:",
            "git@host:-x",
            "git@host:a b",
            "host:x",
            "git@host:x?y",
            "ext::sh -c id",
            "file:///etc",
            "/etc",
            "git@h ost:x",
        ] {
            assert!(repository(url).is_err(), "{url}");
        }
    }

    // Bad input 69: name with one good address and that of the metadata service
    #[tokio::test]
    async fn one_bad_address_refuses_a_name() {
        let host = Host { name: "rebind.example".into(), port: 443 };
        let answers = |list: &'static [&'static str]| {
            async move |_: &Host| Ok(list.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>())
        };
        let good = resolve(&host, Stage::Resolve, answers(&["10.1.2.3", "fd12::1"]), forbidden).await;
        assert_eq!(good.unwrap().len(), 2);
        let bad = resolve(&host, Stage::Resolve, answers(&["93.184.216.34", "169.254.169.254"]), forbidden)
            .await
            .unwrap_err();
        assert_eq!(bad.reason, Reason::SourceForbidden);
        assert!(
            bad.message.contains("rebind.example is at 169.254.169.254, a link-local address"),
            "{}",
            bad.message
        );
        let none = resolve(&host, Stage::Resolve, answers(&[]), forbidden).await.unwrap_err();
        assert_eq!(none.reason, Reason::SourceUnreachable);
    }

    #[tokio::test]
    async fn other_notations_of_loopback_are_seen_through() {
        for name in ["localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "::1"] {
            let host = Host { name: name.to_owned(), port: 80 };
            let failure = resolve(&host, Stage::Resolve, system_lookup, forbidden).await.unwrap_err();
            assert_eq!(failure.reason, Reason::SourceForbidden, "{name}: {}", failure.message);
        }
    }
}
