//! How the folder of a person reaches the embedded registry: the CLI pushes it as an OCI artifact beside the images of its
//! project. The chart says in a ConfigMap that every user may read where the registry is.

/// Name of the ConfigMap in the namespace of the release.
pub const CONFIG_MAP: &str = "doce-source-uploads";
/// Its keys: the pod of the registry, and the port in it that accepts pushes.
pub const POD: &str = "pod";
/// See [`POD`].
pub const PORT: &str = "port";
/// Key: the registry as build pods name it, `host[:port]`.
pub const REGISTRY: &str = "registry";
/// Key: the registry as nodes name it, `host[:port]`.
pub const NODES: &str = "registryOfNodes";
/// Key: the only namespace that the operator watches; empty: all.
pub const WATCHED: &str = "watchedNamespace";
/// Key: version of the operator.
pub const VERSION: &str = "version";

/// Media type of the layer with the source.
pub const LAYER: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";
/// Media type of the empty configuration beside it, as Flux names it.
pub const CONFIG: &str = "application/vnd.cncf.flux.config.v1+json";
