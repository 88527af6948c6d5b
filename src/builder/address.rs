//! Which addresses a build may connect to: over http, https and (for Git) ssh, never loopback, link-local or metadata
//! addresses, whatever name or notation hides them. It opens no connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

use super::outcome::Failure;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

const MAX_URL: usize = 2048;

/// A host and the port on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// Name or address, an IPv6 address without brackets.
    pub(super) name: String,
    pub(super) port: u16,
}

/// Why an address is rejected. No message repeats user information of a URL.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the URL of the source must start with http:// or https://; other transports are not allowed")]
    Scheme,
    #[error(
        "the URL of the repository must start with http://, https:// or ssh://; other transports are not allowed"
    )]
    Transport,
    #[error(
        "the URL of the source contains a user name or a password, which everyone can read there; remove it"
    )]
    UserInformation,
    #[error(
        "the URL of the source is longer than {MAX_URL} characters or has characters that are not allowed in it; \
         correct the URL"
    )]
    Characters,
    #[error("{0:?} is not a host with an optional port")]
    Host(String),
    #[error(
        "{host} resolves to {address}, {kind}; builds never connect to such addresses. Use an address that pods can \
         reach"
    )]
    Address { host: String, address: IpAddr, kind: &'static str },
}

impl Refusal {
    pub(super) fn at(self, stage: Stage) -> Failure {
        Failure::new(stage, FailureReason::SourceForbidden, self.to_string())
    }
}

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// Over http.
    Http,
    /// Over https.
    Https,
    /// Over ssh.
    Ssh,
}

/// The host of a repository's URL and its transport. Accepts what [`parse`] accepts, `ssh://[user@]host[:port]/path`
/// and
/// `user@host:path`.
pub(super) fn repository(url: &str) -> Result<(Host, Transport), Refusal> {
    let short =
        || url.split_once('@').filter(|(user, _)| is_user(user)).and_then(|(_, rest)| rest.split_once(':'));
    let (authority, path) = match url.strip_prefix("ssh://") {
        Some(rest) => rest.split_once('/').ok_or(Refusal::Characters)?,
        None if url.starts_with("https://") => return parse(url).map(|host| (host, Transport::Https)),
        None if url.starts_with("http") => return parse(url).map(|host| (host, Transport::Http)),
        None => {
            let (name, path) = short().ok_or(Refusal::Transport)?;
            // No brackets around a port or an address: `user@host:22` would be a path.
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

/// Whether this is a user name for ssh, or a host name, that no program reads as an option.
fn is_user(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_alphanumeric() || char == '_')
        && text.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char))
}

/// Whether the path of a URL may contain this character.
fn is_plain(char: char) -> bool {
    char.is_ascii_graphic() && !"\\\"'<>^`{|}?#@".contains(char)
}

/// The host of a URL over http or https. Stricter than any URL parser, so that none can read it differently: no user
/// information, no backslash, no query, ASCII only.
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

/// Says what is wrong with an address, if anything.
pub(super) type Rule = fn(IpAddr) -> Option<&'static str>;

/// All addresses of the host. One forbidden address rejects the host.
pub(super) async fn resolve(
    host: &Host,
    stage: Stage,
    lookup: impl AsyncFn(&Host) -> std::io::Result<Vec<IpAddr>>,
    rule: Rule,
) -> Result<Vec<IpAddr>, Failure> {
    let unreachable = |why: &str| {
        let message = format!("cannot resolve {}: {why}; check the name and the cluster's DNS", host.name);
        Failure::new(stage, FailureReason::SourceUnreachable, message)
    };
    let addresses = lookup(host).await.map_err(|error| unreachable(&error.to_string()))?;
    if addresses.is_empty() {
        return Err(unreachable("the name has no address"));
    }
    permitted(host, &addresses, stage, rule)?;
    Ok(addresses)
}

fn permitted(host: &Host, addresses: &[IpAddr], stage: Stage, rule: Rule) -> Result<(), Failure> {
    for &address in addresses {
        if let Some(kind) = rule(address) {
            return Err(Refusal::Address { host: host.name.clone(), address, kind }.at(stage));
        }
    }
    Ok(())
}

/// Checks a host to which a proxy connects. The proxy looks names up, so this checks only addresses, in every notation that
/// programs read as one.
pub(super) fn behind_a_proxy(host: &Host, stage: Stage, rule: Rule) -> Result<(), Failure> {
    let name = if host.name.contains(':') { format!("[{}]", host.name) } else { host.name.clone() };
    let read = Url::parse(&format!("http://{name}/")).map_err(|_| Refusal::Host(name).at(stage))?;
    let read = read.host_str().unwrap_or_default().trim_matches(['[', ']']).parse::<IpAddr>();
    read.map_or(Ok(()), |address| permitted(host, &[address], stage, rule))
}

/// Looks up a host as every program in the pod would.
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

/// What is wrong with an address that a person named, where sources may be at public addresses only.
pub(super) fn forbidden_unless_public(address: IpAddr) -> Option<&'static str> {
    let private =
        "a private address, and the platform owner allows only public sources (build.privateSources)";
    forbidden(address).or_else(|| is_private(address).then_some(private))
}

/// What is wrong with an address that a server named. No server may send a build into the cluster or its network.
pub(super) fn forbidden_by_redirect(address: IpAddr) -> Option<&'static str> {
    forbidden(address)
        .or_else(|| is_private(address).then_some("a private address, where a redirect may not lead"))
}

/// Whether the address is in a private network, as addresses of pods, Services and nodes usually are.
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

/// The IPv4 address inside an IPv6 address: mapped, compatible, NAT64 (well-known and local prefix), 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))),
        _ => None,
    }
}

/// Some clouds use an address outside the link-local range.
const METADATA: &str = "an address of a cloud's metadata service";

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [127, ..] => Some("a loopback address"),
        [0, ..] => Some("an address of this host"),
        [169, 254, ..] => Some("a link-local address"),
        // Alibaba Cloud, and Azure's WireServer.
        [100, 100, 100, 200] | [168, 63, 129, 16] => Some(METADATA),
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
            // Amazon, and Google Cloud.
            [0xfd00, 0xec2, ..] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Some(METADATA),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
