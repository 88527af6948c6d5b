//! The HTTP client: GET, POST for large files, DELETE and HEAD for image cleanup. It connects only to checked
//! addresses, or to the proxy of the platform, follows few redirects and checks each, and limits time and bytes. No query
//! and no header appears in a message.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, Proxy, Response, StatusCode, Url};

use super::address::{self, Host, Refusal, Rule, Transport};
use super::log::shortened;
use super::outcome::Failure;
use crate::protocol::proxies::Proxies;
use crate::protocol::reason::FailureReason;
use crate::protocol::report::Stage;

mod body;
mod rules;

pub(super) use body::{save, text};
pub(super) use rules::Rules;

/// Most redirects that the client follows.
const MAX_REDIRECTS: usize = 3;
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(30);
/// Time limit for a whole download.
const WHOLE: Duration = Duration::from_mins(15);

/// The client.
#[derive(Default)]
pub(super) struct Http {
    rules: Rules,
    certificates: Vec<Certificate>,
    proxies: Proxies,
}

/// The parts of a request besides its URL.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Question<'a> {
    /// Only ever sent to the host that was named.
    pub(super) authorization: Option<&'a str>,
    pub(super) accept: Option<&'a str>,
    /// Only ever sent to the host that was named.
    pub(super) headers: &'a [(HeaderName, HeaderValue)],
    /// Type and text of the body.
    pub(super) body: Option<(&'static str, &'a str)>,
}

impl Http {
    /// A client; `ca` is PEM text with further certificates to trust.
    pub(super) fn new(ca: &str, rules: Rules, proxies: Proxies) -> Result<Self, reqwest::Error> {
        let certificates = Certificate::from_pem_bundle(ca.as_bytes())?;
        Ok(Self { rules, certificates, proxies })
    }

    /// The proxies of the platform.
    pub(super) fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// The proxy to this host; none for a host without one, and for ssh.
    pub(super) fn proxy(&self, host: &Host, transport: Transport) -> Option<&str> {
        let https = match transport {
            Transport::Http => false,
            Transport::Https => true,
            Transport::Ssh => return None,
        };
        self.proxies.of(https, &host.name, host.port)
    }

    /// The addresses of a host that a person named. All of them are allowed. None of a host behind a proxy, which looks its
    /// name up.
    pub(super) async fn check(
        &self,
        host: &Host,
        transport: Transport,
        stage: Stage,
    ) -> Result<Vec<IpAddr>, Failure> {
        self.resolve(host, transport, self.rules.of(host), stage).await
    }

    /// The addresses of a host that a source at `source` named. Private ones are allowed only if the source is at one.
    pub(super) async fn check_beside(
        &self,
        host: &Host,
        transport: Transport,
        source: &[IpAddr],
        stage: Stage,
    ) -> Result<Vec<IpAddr>, Failure> {
        self.resolve(host, transport, self.beside(source), stage).await
    }

    /// What is wrong with an address of this URL, which a person named.
    fn named(&self, url: &Url) -> Rule {
        host_of(url).map_or(self.rules.named, |host| self.rules.of(&host))
    }

    /// What is wrong with an address that a source at `source` named.
    fn beside(&self, source: &[IpAddr]) -> Rule {
        let inside = !source.is_empty() && source.iter().all(|&address| address::is_private(address));
        if inside { self.rules.named } else { self.rules.redirected }
    }

    async fn resolve(
        &self,
        host: &Host,
        transport: Transport,
        rule: Rule,
        stage: Stage,
    ) -> Result<Vec<IpAddr>, Failure> {
        if self.proxy(host, transport).is_some() {
            return address::behind_a_proxy(host, stage, rule).map(|()| vec![]);
        }
        let lookup = async |host: &Host| (self.rules.lookup)(host.clone()).await;
        address::resolve(host, stage, lookup, rule).await
    }

    /// Sends a GET to `url`, which a person named, and follows redirects. Returns the response with any status.
    pub(super) async fn get(
        &self,
        url: &Url,
        question: Question<'_>,
        stage: Stage,
    ) -> Result<Response, Failure> {
        self.get_by(self.named(url), url, question, stage).await
    }

    /// The same for a `url` that a source at `source` named. Private addresses are allowed only if the source is at
    /// one.
    pub(super) async fn get_beside(
        &self,
        url: &Url,
        source: &[IpAddr],
        question: Question<'_>,
        stage: Stage,
    ) -> Result<Response, Failure> {
        self.get_by(self.beside(source), url, question, stage).await
    }

    /// Sends a POST to a `url` that a source at `source` named. Follows no redirect.
    pub(super) async fn post_beside(
        &self,
        url: &Url,
        source: &[IpAddr],
        question: Question<'_>,
        stage: Stage,
    ) -> Result<Response, Failure> {
        self.once(Method::POST, url, self.beside(source), question, url, stage).await
    }

    async fn get_by(
        &self,
        first: Rule,
        url: &Url,
        question: Question<'_>,
        stage: Stage,
    ) -> Result<Response, Failure> {
        let mut place = url.clone();
        for hop in 0..=MAX_REDIRECTS {
            let rule = if hop == 0 { first } else { self.rules.redirected };
            let response = self.once(Method::GET, &place, rule, question, url, stage).await?;
            let Some(next) = redirect(&response) else { return Ok(response) };
            place = follow(&place, &next).map_err(|why| {
                let message = format!("{} redirects {why}; use the final URL", shown(&place));
                Failure::new(stage, FailureReason::SourceForbidden, message)
            })?;
        }
        let message = format!("{} redirects more than {MAX_REDIRECTS} times; use the final URL", shown(url));
        Err(Failure::new(stage, FailureReason::SourceForbidden, message))
    }

    /// Sends a GET to a host that a server named for its tokens. Private addresses are allowed only if the server is at
    /// one.
    pub(super) async fn get_token(
        &self,
        url: &Url,
        server: &Url,
        authorization: Option<&str>,
    ) -> Result<Response, Failure> {
        let found = self.addresses(server, self.named(server), Stage::Resolve).await?;
        let rule = if same_place(url, server) { self.named(url) } else { self.beside(&found) };
        let question = Question { authorization, ..Question::default() };
        self.once(Method::GET, url, rule, question, url, Stage::Resolve).await
    }

    /// Sends any method to a host that a person named. Follows no redirect; returns the response with any status.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &Url,
        question: Question<'_>,
        stage: Stage,
    ) -> Result<Response, Failure> {
        self.once(method, url, self.named(url), question, url, stage).await
    }

    async fn once(
        &self,
        method: Method,
        place: &Url,
        rule: Rule,
        question: Question<'_>,
        first: &Url,
        stage: Stage,
    ) -> Result<Response, Failure> {
        let addresses = self.addresses(place, rule, stage).await?;
        let proxy = host_of(place).and_then(|host| self.proxy(&host, transport(place)));
        let client = self
            .client(place, &addresses, proxy)
            .map_err(|error| Failure::workspace(stage, "the HTTP client could not be created", &error))?;
        let mut request = client.request(method, place.clone());
        if let Some(accept) = question.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(authorization) = question.authorization.filter(|_| same_place(place, first)) {
            let mut value = reqwest::header::HeaderValue::from_str(authorization)
                .map_err(|_| super::credentials::unreadable(stage))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if same_place(place, first) {
            request = request.headers(question.headers.iter().cloned().collect());
        }
        if let Some((kind, body)) = question.body {
            request = request.header(CONTENT_TYPE, kind).body(body.to_owned());
        }
        request.send().await.map_err(|error| unreachable(place, proxy, error, stage))
    }

    async fn addresses(&self, place: &Url, rule: Rule, stage: Stage) -> Result<Vec<IpAddr>, Failure> {
        let host = host_of(place).ok_or_else(|| Refusal::Scheme.at(stage))?;
        self.resolve(&host, transport(place), rule, stage).await
    }

    /// A client that connects only to the proxy or, without one, to checked addresses, and follows no redirect.
    fn client(
        &self,
        place: &Url,
        addresses: &[IpAddr],
        proxy: Option<&str>,
    ) -> Result<Client, reqwest::Error> {
        let client = Client::builder()
            .user_agent(concat!("doce-operator/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .timeout(WHOLE)
            .tls_certs_merge(self.certificates.clone());
        let addresses: Vec<SocketAddr> = addresses.iter().map(|&address| (address, 0).into()).collect();
        match proxy {
            Some(proxy) => client.proxy(Proxy::all(proxy)?).build(),
            None => client.resolve_to_addrs(place.host_str().unwrap_or_default(), &addresses).build(),
        }
    }
}

/// Parses a URL that a person wrote. Rejects URLs that another program could read differently.
pub(super) fn named(url: &str, stage: Stage) -> Result<Url, Failure> {
    address::parse(url).map_err(|refusal| refusal.at(stage))?;
    Url::parse(url).map_err(|_| Refusal::Characters.at(stage))
}

/// Scheme, host and path of a URL. A query may contain a signature that grants access.
pub(super) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = shortened(url.path(), 200);
    format!("{}://{}{port}{path}", url.scheme(), url.host_str().unwrap_or_default())
}

fn host_of(url: &Url) -> Option<Host> {
    let name = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_or_known_default()?;
    (matches!(url.scheme(), "http" | "https") && !name.is_empty()).then_some(Host { name, port })
}

fn transport(url: &Url) -> Transport {
    if url.scheme() == "https" { Transport::Https } else { Transport::Http }
}

/// Whether two URLs have the same transport, host and port.
pub(super) fn same_place(one: &Url, other: &Url) -> bool {
    (one.scheme(), one.host_str(), one.port_or_known_default())
        == (other.scheme(), other.host_str(), other.port_or_known_default())
}

/// The target of a redirect.
fn redirect(response: &Response) -> Option<String> {
    let codes = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    let location = response.headers().get(LOCATION).filter(|_| codes.contains(&response.status()))?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// The next URL that a server names, or what is wrong with it.
pub(super) fn follow(place: &Url, next: &str) -> Result<Url, &'static str> {
    let next = place.join(next).map_err(|_| "to an invalid URL")?;
    if !next.username().is_empty() || next.password().is_some() {
        return Err("to a URL with a password");
    }
    match (place.scheme(), next.scheme()) {
        ("https", "http") => Err("from https to http"),
        (_, "http" | "https") => Ok(next),
        _ => Err("to another transport"),
    }
}

fn unreachable(place: &Url, proxy: Option<&str>, error: reqwest::Error, stage: Stage) -> Failure {
    // Without the URL, whose query may be secret.
    let why = super::registry::chain(&error.without_url());
    let message = match proxy {
        None => format!(
            "{} does not answer: {why}; check the URL, and that pods can reach its host",
            shown(place)
        ),
        Some(proxy) => format!(
            "{} does not answer through the proxy {proxy}: {why}; check the URL, and ask the platform owner whether the proxy \
             admits its host (build.httpProxy, httpsProxy and noProxy of the chart)",
            shown(place)
        ),
    };
    Failure::new(stage, FailureReason::SourceUnreachable, message)
}

/// The failure for a status other than 200 from `url`.
pub(super) fn refused(url: &Url, status: StatusCode, stage: Stage) -> Failure {
    let url = shown(url);
    let (reason, message) = match status.as_u16() {
        401 | 403 => (
            FailureReason::SourceAuthFailed,
            format!("{url} requires credentials or rejected those given; check the Secret of spec.source"),
        ),
        404 | 410 => (FailureReason::SourceNotFound, format!("{url} does not exist; check the URL")),
        code => (
            FailureReason::SourceUnreachable,
            format!("{url} answers with status {code}; check the URL, and that its host works"),
        ),
    };
    Failure::new(stage, reason, message)
}

#[cfg(test)]
pub(super) mod tests;
