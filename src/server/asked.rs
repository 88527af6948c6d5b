//! Requests with an idempotency key that this server has written. No I/O. The operator remembers those that it handled; this is for
//! those that another request replaced before the operator saw them.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::crd::annotations::RequestKind;

/// Requests that are remembered. One has less than 100 bytes.
const MOST: usize = 4096;

type Hash = [u8; 32];

/// The last requests with a key.
#[derive(Default)]
pub(super) struct Asked(Mutex<(HashSet<Hash>, VecDeque<Hash>)>);

impl Asked {
    /// A request was written.
    pub(super) fn note(&self, uid: &str, kind: RequestKind, value: &str) {
        let request = hash(uid, kind, value);
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, order) = &mut *asked;
        if !known.insert(request) {
            return;
        }
        order.push_back(request);
        if order.len() > MOST
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
    }

    /// This request was written.
    pub(super) fn has(&self, uid: &str, kind: RequestKind, value: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.contains(&hash(uid, kind, value))
    }
}

fn hash(uid: &str, kind: RequestKind, value: &str) -> Hash {
    Sha256::digest(format!("{uid} {} {value}", kind.word())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_requests_are_remembered_by_project_kind_and_value() {
        let asked = Asked::default();
        asked.note("u", RequestKind::Rollback, "v1@a");
        assert!(asked.has("u", RequestKind::Rollback, "v1@a"));
        for (uid, kind, value) in [
            ("w", RequestKind::Rollback, "v1@a"),
            ("u", RequestKind::Deploy, "v1@a"),
            ("u", RequestKind::Rollback, "v2@a"),
        ] {
            assert!(!asked.has(uid, kind, value));
        }
        for n in 0..MOST {
            asked.note("u", RequestKind::Deploy, &format!("@{n}"));
        }
        assert!(!asked.has("u", RequestKind::Rollback, "v1@a"));
        assert_eq!(asked.0.lock().unwrap().0.len(), MOST);
    }
}
