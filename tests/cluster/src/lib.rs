//! The cluster that the demo, the tests and the benchmarks run on: real Kubernetes, started as plain processes.
//! It links no code of the operator. Commands find the cluster through their environment.
//!
//! ```text
//! main ──► launch (up, down, env) ──► tools          builds the pinned programs once, into the cache
//!      ├─► demo (demo, render) installs the operator and a sample as users do: git, helm, kubectl
//!      └─► session (with)         ├─► control_plane  etcd, API server, controllers, scheduler; certificates
//!                                 ├─► kwok           mode control-plane: one simulated node
//!                                 └─► node           mode node: kubelet, containerd, kube-proxy, images, Git
//!                                        └──────────► supervisor   starts, watches and ends processes
//! ```

mod compile;
pub mod control_plane;
pub mod demo;
pub mod error;
pub mod kwok;
pub mod launch;
pub mod mode;
pub mod node;
mod packages;
pub mod paths;
pub mod ports;
pub mod probe;
pub mod progress;
pub mod session;
pub mod state;
pub mod supervisor;
pub mod tools;
pub mod versions;

pub use control_plane::ControlPlane;
pub use error::{Attempt, Error};
pub use mode::Mode;
pub use paths::Paths;
pub use supervisor::Supervisor;
pub use tools::Tools;
