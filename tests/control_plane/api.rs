//! The HTTP API: the real server over real HTTP, before the real API server.

#[path = "api/attacks.rs"]
mod attacks;
#[path = "api/calls.rs"]
mod calls;
#[path = "api/manners.rs"]
mod manners;
#[path = "api/processes.rs"]
mod processes;
#[path = "api/rights.rs"]
mod rights;
#[path = "api/seeds.rs"]
mod seeds;
#[path = "api/streams.rs"]
mod streams;
