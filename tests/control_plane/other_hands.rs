//! Objects of others.
