//! Counts requests to the API server, in the words of client-go.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    code: String,
    method: String,
}

/// Requests by method and answer. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Requests(Family<Labels, Counter>);

impl Requests {
    /// Adds them to what is exported.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Requests to the API server by method and status code, or `<error>` without an answer";
        registry.register("rest_client_requests", help, self.0.clone());
    }

    /// A request got an answer with this status code, or none.
    pub fn count(&self, method: &str, code: Option<u16>) {
        let code = code.map_or_else(|| "<error>".to_owned(), |code| code.to_string());
        self.0.get_or_create(&Labels { code, method: method.to_owned() }).inc();
    }
}
