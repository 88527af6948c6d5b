//! The connection between a build pod and its builder pod: TLS 1.3, in which each end knows the public key of the other
//! (RFC 7250). Both key pairs follow from the key of the build, so there is no certificate and no authority
//! (docs/decisions/0062).
//!
//! ```text
//! tls            who may open a connection, and what it is for
//! handshakes     how many connections may try
//! build_end      in the build pod: a socket file for BuildKit's client, and the connection that stays
//! builder_end    in the builder pod: passes connections on to BuildKit, and ends when its client is gone
//! ```

pub(super) mod build_end;
pub(super) mod builder_end;
mod handshakes;
mod tls;

use std::time::Duration;

/// Pause between two signs of life of the build pod.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// Without a sign of life for so long, the other pod is gone.
const GONE: Duration = Duration::from_mins(1);

/// Longest time to open one connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Longest line that one end reads, in bytes.
const LINE: u64 = 4096;

/// What the build pod sends on the connection that stays, as a sign of life too: how many programs did the kernel end for
/// memory? The answer is a number and a line feed.
const KILLS: u8 = b'k';

/// A sign of life without a question.
const ALIVE: u8 = b'.';

/// First line of the builder pod, once its daemon answers.
const READY: &str = "ready";
