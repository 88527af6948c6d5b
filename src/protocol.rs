//! The protocol between operator and build pod: the order, the target, and the report with its reasons. Both sides use
//! these types; neither uses the other.

pub mod build_target;
pub mod builder_key;
pub mod framework;
pub mod lost_list;
pub mod order;
pub mod proxies;
pub mod reason;
pub mod registry_token;
pub mod report;
pub mod source_upload;
