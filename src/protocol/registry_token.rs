//! How build pods, node proxies and the sweep log in to the embedded registry: with a `ServiceAccount` token that is for
//! nothing else.

/// Audience of the tokens.
pub const AUDIENCE: &str = "doce-registry";

/// Directory that the token of a build pod is mounted at.
pub const TOKEN_DIR: &str = "/secrets/registry";

/// Name of the file with the token.
pub const TOKEN_FILE: &str = "token";

/// User name of the login. The registry proxy ignores it.
pub const USER: &str = "doce";
