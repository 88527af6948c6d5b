//! The proxies between pods of builds and the hosts outside: the platform owner's setting, and the variables by which every
//! program in the pods knows it.

use std::net::IpAddr;

/// Hosts that are never behind a proxy: the pod itself, and names in the cluster.
const OWN: [&str; 6] = ["localhost", ".localhost", "127.0.0.0/8", "::1", ".svc", ".cluster.local"];

/// A proxy for each transport, and the hosts that programs reach without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    direct: Vec<String>,
}

/// Why a setting is rejected. No message repeats the value: it may contain a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The URL has a user name or a password.
    #[error(
        "the URL of a proxy has a user name or a password, which everyone who may read pods could read: use a proxy \
         that asks for no login"
    )]
    Login,
    /// The URL has another form.
    #[error("the URL of a proxy must be http://host:port or https://host:port")]
    Form,
}

impl Proxies {
    /// The setting of the platform owner. `direct` is a list as in `NO_PROXY`. `own` are further hosts of the platform.
    pub fn new<'a>(
        http: Option<&str>,
        https: Option<&str>,
        direct: &str,
        own: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Invalid> {
        let checked = |url: Option<&str>| url.filter(|url| !url.is_empty()).map(check).transpose();
        let (http, https) = (checked(http)?, checked(https)?);
        if http.is_none() && https.is_none() {
            return Ok(Self::default());
        }
        let mut list: Vec<String> = OWN.into_iter().chain(own).map(str::to_owned).collect();
        list.extend(entries(direct).filter(|entry| !OWN.contains(entry)).map(str::to_owned));
        Ok(Self { http, https, direct: list })
    }

    /// What the variables of this process say.
    #[must_use]
    pub fn from_environment() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let direct = set("NO_PROXY").unwrap_or_default();
        Self {
            http: set("HTTP_PROXY"),
            https: set("HTTPS_PROXY"),
            direct: entries(&direct).map(str::to_owned).collect(),
        }
    }

    /// The variables for a program, in upper and in lower case, because programs differ; none without a proxy.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        if self.http.is_none() && self.https.is_none() {
            return vec![];
        }
        let direct = Some(self.direct.join(","));
        let of = |names: [&'static str; 2], value: &Option<String>| {
            names.map(|name| value.clone().map(|value| (name, value)))
        };
        let all = [
            of(["HTTP_PROXY", "http_proxy"], &self.http),
            of(["HTTPS_PROXY", "https_proxy"], &self.https),
            of(["NO_PROXY", "no_proxy"], &direct),
        ];
        all.into_iter().flatten().flatten().collect()
    }

    /// The proxy for `https` or else http.
    #[must_use]
    pub fn url(&self, https: bool) -> Option<&str> {
        if https { self.https.as_deref() } else { self.http.as_deref() }
    }

    /// The hosts without a proxy, as in `NO_PROXY`.
    #[must_use]
    pub fn direct(&self) -> String {
        self.direct.join(",")
    }

    /// The proxy through which to reach this host; none for a host without one. A name in the list stands for itself and
    /// what is below it, a name that begins with a dot only for what is below it.
    #[must_use]
    pub fn of(&self, https: bool, host: &str, port: u16) -> Option<&str> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let direct = self.direct.iter().any(|entry| covers(&entry.to_ascii_lowercase(), &host, port));
        self.url(https).filter(|_| !direct)
    }
}

fn check(url: &str) -> Result<String, Invalid> {
    if url.contains('@') {
        return Err(Invalid::Login);
    }
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).ok_or(Invalid::Form)?;
    let place = rest.strip_suffix('/').unwrap_or(rest);
    let plain = |char: char| char.is_ascii_alphanumeric() || ".-:[]".contains(char);
    let begins = place.starts_with(|char: char| char.is_ascii_alphanumeric() || char == '[');
    if begins && place.chars().all(plain) { Ok(url.to_owned()) } else { Err(Invalid::Form) }
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn covers(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        let named = |text: &str| text.trim_matches(['[', ']']).parse() == Ok(address);
        return named(entry) || ported(entry, port).is_some_and(named) || in_network(entry, address);
    }
    let entry = ported(entry, port).unwrap_or(entry);
    match entry.strip_prefix("*.").or_else(|| entry.strip_prefix('.')) {
        Some(above) => host.strip_suffix(above).is_some_and(|rest| rest.ends_with('.')),
        None => host == entry || host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.')),
    }
}

/// The entry without its port, if it names this one.
fn ported(entry: &str, port: u16) -> Option<&str> {
    let (name, named) = entry.rsplit_once(':')?;
    (named.parse() == Ok(port)).then_some(name)
}

/// Whether the address is in the network `address/bits`.
fn in_network(network: &str, address: IpAddr) -> bool {
    let Some((base, bits)) = network.split_once('/') else { return false };
    let (Ok(base), Ok(bits)) = (base.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) if bits <= 32 => {
            (base.to_bits() ^ address.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(base), IpAddr::V6(address)) if bits <= 128 => {
            (base.to_bits() ^ address.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(direct: &str) -> Proxies {
        let (http, https) = (Some("http://proxy.test:3128"), Some("http://tls.test:3129/"));
        Proxies::new(http, https, direct, ["registry.example"]).unwrap()
    }

    #[test]
    fn names_in_the_cluster_and_the_registry_are_reached_without_a_proxy() {
        let proxies = proxies("corp.test, .below.test,10.0.0.0/8,one.test:8443,[fd00::1]");
        for host in [
            "localhost",
            "a.localhost",
            "127.0.0.2",
            "::1",
            "doce-registry.doce-system.svc",
            "x.y.svc.cluster.local",
            "X.y.SVC.",
            "registry.example",
            "corp.test",
            "git.corp.test",
            "a.below.test",
            "10.255.0.1",
            "fd00::1",
        ] {
            assert_eq!(proxies.of(true, host, 443), None, "{host}");
        }
        for host in ["git.test", "below.test", "notcorp.test", "svc", "11.0.0.1", "one.test", "fd00::2"] {
            assert_eq!(proxies.of(false, host, 80), Some("http://proxy.test:3128"), "{host}");
            assert_eq!(proxies.of(true, host, 443), Some("http://tls.test:3129/"), "{host}");
        }
        assert_eq!(proxies.of(true, "one.test", 8443), None);
        assert_eq!(self::proxies("*").of(true, "git.test", 443), None);
    }

    #[test]
    fn programs_get_the_variables_in_both_cases_and_none_without_a_proxy() {
        let names: Vec<_> = proxies("").variables().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"]);
        assert_eq!(Proxies::new(Some(""), None, "corp.test", ["r.test"]), Ok(Proxies::default()));
        assert!(Proxies::default().variables().is_empty());
    }

    #[test]
    fn a_proxy_with_a_password_or_of_another_form_is_rejected_without_showing_it() {
        for (url, why) in [
            ("http://ada:planted@proxy.test:3128", Invalid::Login),
            ("http://planted@proxy.test", Invalid::Login),
            ("socks5://planted.test:1080", Invalid::Form),
            ("planted.test:3128", Invalid::Form),
            ("http://", Invalid::Form),
            ("http://planted.test/path", Invalid::Form),
            ("http://planted.test -x", Invalid::Form),
        ] {
            let refused = Proxies::new(None, Some(url), "", []).unwrap_err();
            assert!(refused == why && !refused.to_string().contains("planted"), "{url}: {refused}");
        }
    }
}
