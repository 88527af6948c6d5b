//! Several operators at once. With an election, only the holder of the Lease writes. Without one, the operators lose
//! races to each other and reach the same end.

#[path = "several_operators/elected.rs"]
mod elected;
#[path = "several_operators/not_elected.rs"]
mod not_elected;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;

use crate::harness::audit::{Asked, Audit, without_the_lease};
use crate::harness::{Operator, Options, World};

/// Lease duration that expires within a test. It is longer than the default, so that a stalled machine does not change
/// the leader.
const SHORT: u16 = 60;
/// Lease duration that does not expire within a test.
const LONG: u16 = 300;

impl World {
    async fn candidate(&self, name: &'static str, lease_seconds: u16) -> Operator {
        self.allow_election(name).await;
        let options = Options { name: Some(name), lease_seconds: Some(lease_seconds), ..Options::default() };
        Operator::start_with(self, options).await
    }

    fn lease(&self) -> String {
        format!("doce-operator-{}", self.namespace)
    }

    /// Waits until this operator holds the Lease.
    async fn until_held_by(&self, name: &str) -> Lease {
        let what = format!("{name} holds the Lease");
        self.until(&self.lease(), &what, |lease: Option<&Lease>| lease.and_then(holder) == Some(name)).await
    }

    /// Checks that no operator of this test wrote without being the last to write the Lease. Returns their requests.
    fn nothing_was_written_without_the_lease(&self, audit: &mut Audit) -> Vec<(String, Asked)> {
        let asked = audit.asked_by_any(&self.user(None));
        assert!(asked.iter().any(|(_, asked)| asked.is_write()), "the audit log contains these operators");
        let wrong = without_the_lease(&asked);
        assert!(wrong.is_empty(), "written without the Lease: {wrong:#?}");
        asked
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref()
}

/// `a` leads and `b` stands by. If the machine stalled for longer than a Lease lasts, either may lead.
async fn two(test: &str, lease_seconds: u16) -> (World, Audit, Operator, Operator) {
    let world = World::new(test).await;
    let audit = Audit::begin();
    let a = world.candidate("a", lease_seconds).await;
    a.until_readyz(200, "leading").await;
    let b = world.candidate("b", lease_seconds).await;
    b.until_readyz(200, "").await;
    (world, audit, a, b)
}

/// Number of leader changes.
fn transitions(lease: &Lease) -> i32 {
    lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0)
}

fn say(what: &str, took: Duration) {
    println!("{what} after {:.1} s", took.as_secs_f64());
}
