//! What the API server accepts and the world does not: each is a condition that names it, tried again with growing
//! pauses where it may pass, and what runs stays.

#[path = "wrong_but_accepted/ports.rs"]
mod ports;
#[path = "wrong_but_accepted/shapes.rs"]
mod shapes;
#[path = "wrong_but_accepted/sources.rs"]
mod sources;
