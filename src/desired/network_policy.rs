//! The NetworkPolicy: who may connect to the app's pods, if `spec.expose.allowFrom` says so. It does not select the pods
//! of builds and other Jobs.

use core::net::IpAddr;
use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicySpec};
use serde_json::{Value, json};

use super::{meta, names};
use crate::crd::spec::AllowedSource;
use crate::project::Project;

/// Label that the API server sets on every namespace: its name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// An entry of `spec.expose.allowFrom` that is no source. The API server rejects it at apply, unless its rules are older
/// than the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec.expose.allowFrom[{at}]{what}")]
pub struct InvalidSource {
    at: usize,
    what: String,
}

/// All fields that the operator sets; `None` if everyone may connect.
pub fn apply(project: &Project) -> Result<Option<Value>, InvalidSource> {
    let Some(spec) = rules(project)? else { return Ok(None) };
    Ok(Some(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": meta::dressed(project, &project.name, names::ROLE_APP, BTreeMap::new()),
        "spec": spec,
    })))
}

/// Whether the rules are exactly the desired ones. A rule, a port or a condition of the selector that someone added would
/// admit more clients or select other pods, so here nothing may be added.
#[must_use]
pub fn has_rules(project: &Project, live: &NetworkPolicy) -> bool {
    let want = rules(project).ok().flatten();
    let want = want.and_then(|want| serde_json::from_value::<NetworkPolicySpec>(want).ok());
    let plain = |spec: &NetworkPolicySpec| {
        let mut spec = spec.clone();
        // The API server omits empty lists.
        spec.ingress = spec.ingress.filter(|rules| !rules.is_empty());
        spec.egress = spec.egress.filter(|rules| !rules.is_empty());
        spec
    };
    want.is_some() && want.as_ref().map(plain) == live.spec.as_ref().map(plain)
}

/// Probes of the kubelet come from the node, which network plugins always admit.
fn rules(project: &Project) -> Result<Option<Value>, InvalidSource> {
    let Some(sources) = &project.allow_from else { return Ok(None) };
    let peer = |(at, source): (usize, &AllowedSource)| {
        peer(source).map_err(|what| InvalidSource { at, what: what.to_owned() })
    };
    let from = sources.iter().enumerate().map(peer).collect::<Result<Vec<Value>, _>>()?;
    // A rule without sources would admit everyone. Without a rule, no client is admitted.
    let rule = json!({ "from": from, "ports": [{ "protocol": "TCP", "port": names::PORT }] });
    let ingress = if from.is_empty() { vec![] } else { vec![rule] };
    Ok(Some(json!({
        "podSelector": { "matchLabels": meta::selector(&project.name) },
        "policyTypes": ["Ingress"],
        "ingress": ingress,
        "egress": [], // Else one that someone adds stays.
    })))
}

fn peer(source: &AllowedSource) -> Result<Value, &'static str> {
    match (&source.cidr, &source.namespace) {
        (Some(cidr), None) if is_network(cidr) => Ok(json!({ "ipBlock": { "cidr": cidr } })),
        (Some(_), None) => {
            Err(".cidr must be an IPv4 or IPv6 network with no bits after its prefix, such as 203.0.113.0/24")
        }
        (None, Some(namespace)) if !namespace.is_empty() => {
            Ok(json!({ "namespaceSelector": { "matchLabels": { NAMESPACE_NAME: namespace } } }))
        }
        (None, Some(_)) => Err(".namespace must be the name of a namespace"),
        _ => Err(" needs exactly one of cidr or namespace"),
    }
}

/// Whether the text is an address and a prefix length, and the address has no bits after the prefix.
fn is_network(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else { return false };
    let (Ok(address), Ok(length)) = (address.parse::<IpAddr>(), prefix.parse::<u32>()) else { return false };
    if length.to_string() != prefix {
        return false;
    }
    let (bits, size): (u128, u32) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => return false,
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    length <= size && bits.trailing_zeros() >= 128 - length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_no_bits_after_its_prefix() {
        for text in ["0.0.0.0/0", "10.0.0.0/8", "203.0.113.7/32", "::/0", "2001:db8::/32", "2001:db8::1/128"]
        {
            assert!(is_network(text), "{text}");
        }
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0/8",
            "010.0.0.0/8",
            "2001:db8::1/32",
            "::/129",
            "::ffff:10.0.0.0/104",
            "10.0.0.0/8/8",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "shop.test/24",
        ] {
            assert!(!is_network(text), "{text}");
        }
    }

    #[test]
    fn a_source_names_a_network_or_a_namespace_and_an_error_names_the_field() {
        let source = |cidr: Option<&str>, namespace: Option<&str>| AllowedSource {
            cidr: cidr.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
        };
        assert_eq!(
            peer(&source(Some("10.0.0.0/8"), None)),
            Ok(json!({ "ipBlock": { "cidr": "10.0.0.0/8" } }))
        );
        let selector = json!({ "matchLabels": { "kubernetes.io/metadata.name": "web" } });
        assert_eq!(peer(&source(None, Some("web"))), Ok(json!({ "namespaceSelector": selector })));
        for (wrong, words) in [
            (source(None, None), "exactly one of cidr or namespace"),
            (source(Some("10.0.0.0/8"), Some("web")), "exactly one of cidr or namespace"),
            (source(Some("10.0.0.1/8"), None), ".cidr must be"),
            (source(None, Some("")), ".namespace must be"),
        ] {
            let what = peer(&wrong).unwrap_err().to_owned();
            let said = InvalidSource { at: 2, what }.to_string();
            assert!(said.starts_with("spec.expose.allowFrom[2]") && said.contains(words), "{said}");
        }
    }
}
