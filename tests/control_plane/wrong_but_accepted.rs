//! Specs that the API server accepts but that cannot work. Each one sets a condition that names the cause, is retried
//! with backoff if the cause may pass, and leaves the running version alone.

#[path = "wrong_but_accepted/ports.rs"]
mod ports;
#[path = "wrong_but_accepted/shapes.rs"]
mod shapes;
#[path = "wrong_but_accepted/sources.rs"]
mod sources;
